"""Ways to break a program, one typed instruction at a time. `fault_runs` tries them.

The sites are chosen by a fixed stride over everything a kind of fault could break, so every run
breaks the same instructions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from compiler.emulator.chip import unit_of
from compiler.emulator.memories import TILES
from compiler.lowering.program import (
    Flag,
    Infeed,
    Instruction,
    Nest,
    Outfeed,
    Pop,
    ScalarFence,
    TensorOp,
    TileFence,
    TileInstruction,
    Wait,
)

Array = np.ndarray[Any, Any]
Instructions = Sequence[Instruction]
NOTHING = TileFence(tiles=0)
"""In place of an instruction that is dropped: it is issued to no tile."""
ALL_FLAGS = (1 << len(Flag)) - 1


@dataclass(frozen=True)
class Fault:
    """`changed`: the instructions to replace, by position in the program's first chunk."""

    kind: str
    index: int
    changed: Mapping[int, Instruction]


# Kinds of faults: each takes an instruction and gives its broken forms.


def _waits(instruction: Instruction) -> Iterator[tuple[Wait, Callable[[Wait | None], Instruction]]]:
    """Every wait of an instruction, and what gives the instruction with another in its place."""
    single = getattr(instruction, "wait", None)
    if single is not None:
        yield single, lambda new: replace(instruction, wait=new)
    waits = getattr(instruction, "waits", ())
    for place, wait in enumerate(waits):
        if wait is not None:
            yield (
                wait,
                lambda new, place=place: replace(
                    instruction, waits=(*waits[:place], new, *waits[place + 1 :])
                ),
            )


def _wait_fault(space: bool, steps: int | None) -> Callable[[Instruction], Iterator[Instruction]]:
    """Waits for data or for room, removed (None) or with thresholds `steps` blocks away."""

    def broken(instruction: Instruction) -> Iterator[Instruction]:
        for wait, renewed in _waits(instruction):
            if wait.space == space:
                step = max(1, abs(wait.increment)) * (steps or 0)
                yield renewed(steps and replace(wait, threshold=wait.threshold + step))

    return broken


def _signal_removed(instruction: Instruction) -> Iterator[Instruction]:
    for name in _names(instruction):
        if name.startswith("signal") and getattr(instruction, name) is not None:
            yield replace(instruction, **{name: None})


def _dropped(instruction: Instruction) -> Iterator[Instruction]:
    if isinstance(instruction, TileInstruction) and not isinstance(instruction, TileFence):
        yield NOTHING


def _feed_dropped(instruction: Instruction) -> Iterator[Instruction]:
    if isinstance(instruction, (Infeed, Pop, Outfeed)):
        yield NOTHING


def _tile_dropped(instruction: Instruction) -> Iterator[Instruction]:
    tiles = getattr(instruction, "tiles", 0)
    if isinstance(instruction, TileInstruction) and tiles.bit_count() > 1:
        yield replace(instruction, tiles=tiles & (tiles - 1))


def _destination_dropped(instruction: Instruction) -> Iterator[Instruction]:
    destinations = getattr(instruction, "destinations", 0)
    if destinations:
        yield replace(instruction, destinations=destinations & (destinations - 1))


def _address_shifted(instruction: Instruction) -> Iterator[Instruction]:
    for name, nest in _nests(instruction):
        yield replace(instruction, **{name: replace(nest, base=nest.base + 4)})


def _double_offset_zeroed(instruction: Instruction) -> Iterator[Instruction]:
    for name, nest in _nests(instruction):
        if nest.double_offset:
            yield replace(instruction, **{name: replace(nest, double_offset=0)})


def _stream_shortened(instruction: Instruction) -> Iterator[Instruction]:
    for name, nest in _nests(instruction):
        place = _outermost(tuple(count for count, _ in nest.levels))
        if place is not None:
            levels = list(nest.levels)
            levels[place] = levels[place][0] - 1, levels[place][1]
            yield replace(instruction, **{name: replace(nest, levels=tuple(levels))})


def _loop_shortened(instruction: Instruction) -> Iterator[Instruction]:
    if isinstance(instruction, TensorOp):
        place = _outermost(instruction.loops)
        if place is not None:
            loops = list(instruction.loops)
            loops[place] -= 1
            yield replace(instruction, loops=tuple(loops))


def _fence_removed(instruction: Instruction) -> Iterator[Instruction]:
    if isinstance(instruction, TileFence):
        yield NOTHING


def _fence_units_cleared(instruction: Instruction) -> Iterator[Instruction]:
    if isinstance(instruction, TileFence) and instruction.units:
        yield replace(instruction, units=0)


def _fence_flags_cleared(instruction: Instruction) -> Iterator[Instruction]:
    if isinstance(instruction, TileFence) and instruction.flags:
        yield replace(instruction, flags=0)


def _fence_flags_added(instruction: Instruction) -> Iterator[Instruction]:
    if isinstance(instruction, TileFence) and instruction.flags != ALL_FLAGS:
        yield replace(instruction, flags=ALL_FLAGS)


def _barrier_removed(instruction: Instruction) -> Iterator[Instruction]:
    if isinstance(instruction, ScalarFence):
        yield NOTHING


SINGLE: dict[str, Callable[[Instruction], Iterator[Instruction]]] = {
    "wait for data removed": _wait_fault(space=False, steps=None),
    "wait for room removed": _wait_fault(space=True, steps=None),
    "threshold lowered": _wait_fault(space=False, steps=-1),
    "threshold raised": _wait_fault(space=False, steps=1),
    "threshold for room lowered": _wait_fault(space=True, steps=-1),
    "signal removed": _signal_removed,
    "instruction dropped": _dropped,
    "feed instruction dropped": _feed_dropped,
    "tile dropped": _tile_dropped,
    "destination dropped": _destination_dropped,
    "address shifted": _address_shifted,
    "double-buffer offset zeroed": _double_offset_zeroed,
    "address stream shortened": _stream_shortened,
    "tensor loop shortened": _loop_shortened,
    "tile fence removed": _fence_removed,
    "units of a fence cleared": _fence_units_cleared,
    "flags of a fence cleared": _fence_flags_cleared,
    "flags added to a fence": _fence_flags_added,
    "barrier removed": _barrier_removed,
}
SWAPPED = "two of one unit swapped"
KINDS = (*SINGLE, SWAPPED)


def _names(instruction: Instruction) -> list[str]:
    return [field.name for field in fields(instruction)]


def _nests(instruction: Instruction) -> list[tuple[str, Nest]]:
    """The address streams that are in use."""
    named = [(name, getattr(instruction, name)) for name in _names(instruction)]
    return [(name, nest) for name, nest in named if isinstance(nest, Nest) and nest.enabled]


def _outermost(counts: Sequence[int]) -> int | None:
    """The last level that runs more than once."""
    return max((place for place, count in enumerate(counts) if count > 1), default=None)


def _swaps(instructions: Instructions) -> Iterator[Fault]:
    """Neighbours on one unit of one tile, with no fence between them."""
    last: dict[tuple[int, int], int] = {}
    for index, instruction in enumerate(instructions):
        if isinstance(instruction, (TileFence, ScalarFence)):
            last.clear()
        elif isinstance(instruction, TileInstruction):
            unit = int(unit_of(instruction))
            keys = [(unit, tile) for tile in range(TILES) if instruction.tiles >> tile & 1]
            before = max((last[key] for key in keys if key in last), default=None)
            last.update(dict.fromkeys(keys, index))
            if before is not None:
                changed = {before: instruction, index: instructions[before]}
                yield Fault(SWAPPED, before, changed)


def faults(instructions: Instructions, kind: str, sites: int) -> list[Fault]:
    """At most `sites` faults of a kind, evenly spread over the program."""
    if kind == SWAPPED:
        found = list(_swaps(instructions))
    else:
        found = [
            Fault(kind, index, {index: broken})
            for index, instruction in enumerate(instructions)
            for broken in SINGLE[kind](instruction)
        ]
    stride = max(1, -(-len(found) // sites))
    return found[stride // 2 :: stride]
