"""Breaks vendor programs, one typed instruction at a time, and says how the emulator notices.

The sites are chosen by a fixed stride over everything a kind of fault could break, so every run
breaks the same instructions."""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from compiler.beagle.executable import BaseAddress, Executable
from compiler.emulator.accesses import Access
from compiler.emulator.chip import unit_of
from compiler.emulator.clocks import Clock
from compiler.emulator.concurrent import Concurrent
from compiler.emulator.device import choose, host_buffers, layer_bytes, read_output
from compiler.emulator.hazards import NOTES, Detector, Kind, Report
from compiler.emulator.host import HostMemory, link
from compiler.emulator.machine import LoadedChunk, Machine, load
from compiler.emulator.memories import TILES, TileMemories
from compiler.emulator.model import CompiledModel, random_inputs
from compiler.emulator.order import Order
from compiler.emulator.timing import Speeds
from compiler.errors import EmulationError
from compiler.lowering.program import (
    Flag,
    Infeed,
    Instruction,
    MeshMove,
    Nest,
    Outfeed,
    Pop,
    ScalarFence,
    TensorOp,
    TileFence,
    TileInstruction,
    Wait,
)
from tests.corpus_paths import pairs

Array = np.ndarray[Any, Any]
Instructions = Sequence[Instruction]
PROGRAMS = {
    "dense_256": "templates/dense_256_edgetpu.tflite",
    "conv2d_p32": "p32/anchor/conv2d_12x128x32_to_32_k3_s1_same_quant_edgetpu.tflite",
    "gabor_64x64_p4": "templates/gabor_64x64_p4_edgetpu.tflite",
}
"""{name: end of the path in the corpus}."""
SPEEDS = (Speeds(), Speeds(seed=1), Speeds(seed=2, spread=2.2))
"""Tried in turn until a fault is noticed; `test_vendor_concurrent` runs sound programs at these."""
NOTHING = TileFence(tiles=0)
"""In place of an instruction that is dropped: it is issued to no tile."""
ALL_FLAGS = (1 << len(Flag)) - 1
OVERRUNS = (Kind.OVERFLOW, Kind.UNDERRUN, Kind.LEFT_OVER)
DEAD_LOCK, HAZARD, OVERRUN, ERROR = "dead-lock", "hazard", "overrun", "error"
WRONG, NOTE, UNDETECTED = "wrong output", "note", "undetected"
OUTCOMES = (DEAD_LOCK, HAZARD, OVERRUN, ERROR, WRONG, NOTE, UNDETECTED)
REPORTED = (DEAD_LOCK, HAZARD, OVERRUN, ERROR)
"""Outcomes that `edgetpu_run` reports; the others need a sound run to compare with."""


@dataclass(frozen=True)
class Fault:
    """`changed`: the instructions to replace, by position in the program's first chunk."""

    kind: str
    index: int
    changed: Mapping[int, Instruction]


@dataclass(frozen=True)
class Finding:
    """How a fault was noticed. equivalent: why an undetected one is no fault, if that is known."""

    program: str
    fault: Fault
    outcome: str
    equivalent: str = ""

    def __str__(self) -> str:
        text = f"{self.program} {self.fault.index} {self.fault.kind}: {self.outcome}"
        return f"{text} ({self.equivalent})" if self.equivalent else text


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


# Running them.


class _Recorder(Detector):
    """A detector that also keeps every access with what its thread knew then."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[tuple[Clock, int, tuple[object, ...], tuple[Array, ...]]] = []

    def access(
        self, accesses: Iterable[Access], clock: Clock, thread: int, place: int, tile: int | None
    ) -> None:
        listed = list(accesses)
        what: list[object] = [self.places[place], thread, tile]
        for access in listed:
            what += [access.space, access.write, np.asarray(access.addresses).tobytes()]
        steps = tuple(np.atleast_1d(0 if a.after is None else a.after) for a in listed)
        self.kept.append((clock.copy(), thread, tuple(what), steps))
        super().access(listed, clock, thread, place, tile)

    @functools.cached_property
    def order(self) -> Counter[tuple[object, ...]]:
        """Every access with how many accesses of each thread certainly came before it. Two runs
        with the same answer have the same accesses in the same order, whatever the speeds."""
        done: dict[int, list[Array]] = {}
        for clock, thread, _, steps in self.kept:
            done.setdefault(thread, []).extend(clock[thread] + step for step in steps)
        ranks = {thread: np.sort(np.concatenate(steps)) for thread, steps in done.items() if steps}
        clocks = np.array([clock for clock, *_ in self.kept])
        before = np.stack(
            [np.searchsorted(ranks[t], clocks[:, t], side="right") for t in sorted(ranks)], axis=1
        )
        rows = zip(self.kept, before, strict=True)
        return Counter((*what, row.tobytes()) for (_, _, what, _), row in rows)


@dataclass
class _Result:
    outputs: dict[str, Array]
    hazards: list[Report]
    notes: set[tuple[object, ...]]
    error: EmulationError | None
    left_over: bool
    detector: _Recorder


class Program:
    """A vendor program with its input, to be run whole or broken."""

    def __init__(self, name: str) -> None:
        (path,) = [p.compiled for p in pairs() if str(p.compiled).endswith(PROGRAMS[name])]
        model = CompiledModel(path)
        inputs = random_inputs(model, 1)
        result = model.run(inputs, partial=True)
        ((index, executables),) = model.executables.items()
        tensors = model.graph.tensors
        names = [tensors[i].name for i in model.graph.operators[index].inputs]
        self.name = name
        self.executable, self.caching = choose(executables)
        self.inputs = layer_bytes(self.executable, {n: result.tensors[n] for n in names})
        self.chunks = load(link(self.executable))
        self.instructions = self.chunks[0].instructions

    @functools.cached_property
    def sound(self) -> dict[int, _Result]:
        """The unbroken program at each speed."""
        return {at: self.run({}, at) for at in range(len(SPEEDS))}

    def run(self, changed: Mapping[int, Instruction], speed: int) -> _Result:
        """Once, with some instructions replaced."""
        detector, memories = _Recorder(), TileMemories()

        def chip(host: HostMemory) -> Concurrent:
            return Concurrent(memories, host, Order(detector), SPEEDS[speed])

        if self.caching is not None:
            _run(self.caching, load(link(self.caching)), {}, chip)
        detector.kept.clear()
        first = self.chunks[0]
        broken = tuple(changed.get(i, known) for i, known in enumerate(first.instructions))
        chunks = [replace(first, instructions=broken), *self.chunks[1:]]
        outputs: dict[str, Array] = {}
        error, left_over = None, False
        try:
            host = _run(self.executable, chunks, self.inputs, chip)
            left_over = host.pending != (0, 0)
            if not left_over:
                for layer in self.executable.outputs or ():
                    data = host.buffers[BaseAddress.OUTPUT, layer.name]
                    outputs[layer.name] = read_output(layer, data)
        except EmulationError as caught:
            error = caught
        notes = {
            (report.kind, report.tile, report.space, report.address, report.count)
            for report in detector.reports
            if report.kind in NOTES
        }
        return _Result(outputs, detector.hazards, notes, error, left_over, detector)

    def try_fault(self, fault: Fault) -> Finding:
        """Run at each speed until the fault is noticed."""
        unchanged = True
        for speed in range(len(SPEEDS)):
            result, sound = self.run(fault.changed, speed), self.sound[speed]
            outcome = _outcome(result, sound)
            if outcome != UNDETECTED:
                return Finding(self.name, fault, outcome)
            unchanged = unchanged and result.detector.order == sound.detector.order
        return Finding(self.name, fault, UNDETECTED, self._equivalent(fault, unchanged))

    def _equivalent(self, fault: Fault, unchanged: bool) -> str:
        """Why a fault that nobody noticed changes nothing, "" if that is not known."""
        if all(self.instructions[i] == new for i, new in fault.changed.items()):
            return "same instruction"
        if unchanged:
            return "same accesses in the same order"
        if fault.kind == SWAPPED and _are_separate_fills([*fault.changed.values()]):
            return "constants for different words"
        fence = self.instructions[fault.index]
        if isinstance(fence, TileFence) and not fence.notify:
            for step in (1, -1):
                if _covers(self._neighbour(fault.index, step), fence):
                    return "the fence beside it does the same"
        return ""

    def _neighbour(self, index: int, step: int) -> Instruction | None:
        """The next instruction for the tiles or the feeds, forwards or backwards."""
        position = index + step
        while 0 <= position < len(self.instructions):
            found = self.instructions[position]
            if isinstance(found, (TileInstruction, Infeed, Pop, Outfeed)):
                return found
            position += step
        return None


def _run(
    executable: Executable,
    chunks: list[LoadedChunk],
    inputs: Mapping[str, bytes],
    chip: Callable[[HostMemory], Concurrent],
) -> HostMemory:
    host = HostMemory(host_buffers(executable, inputs))
    Machine(chip(host)).run(chunks)
    return host


def _are_separate_fills(instructions: Instructions) -> bool:
    """Whether each writes constants, waits for nothing, tells nobody, and none the same words."""
    words: set[int] = set()
    for instruction in instructions:
        if not isinstance(instruction, MeshMove) or instruction.fill is None:
            return False
        count = math.prod(count for count, _ in instruction.destination.levels)
        base = instruction.destination.base
        telling = (instruction.signal_sent, instruction.signal_received)
        if count > 1 or base in words or any(instruction.waits) or telling != (None, None):
            return False
        words.add(base)
    return True


def _covers(other: Instruction | None, fence: TileFence) -> bool:
    """Whether a fence does all that another does."""
    return (
        isinstance(other, TileFence)
        and other.value == fence.value
        and other.producers == fence.producers
        and all(
            not getattr(fence, name) & ~getattr(other, name) for name in ("tiles", "units", "flags")
        )
    )


def _outcome(result: _Result, sound: _Result) -> str:
    kinds = {report.kind for report in result.hazards}
    if Kind.DEAD_LOCK in kinds or "dead-lock" in str(result.error):
        return DEAD_LOCK
    if kinds - set(OVERRUNS):
        return HAZARD
    if kinds or result.left_over:
        return OVERRUN
    if result.error is not None:
        return ERROR
    if any((result.outputs[name] != known).any() for name, known in sound.outputs.items()):
        return WRONG
    return NOTE if result.notes - sound.notes else UNDETECTED


def findings(program: Program, sites: int) -> list[Finding]:
    """Every kind of fault at up to `sites` places of a program."""
    return [
        program.try_fault(fault)
        for kind in KINDS
        for fault in faults(program.instructions, kind, sites)
    ]
