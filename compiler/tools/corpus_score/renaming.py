"""Are two programs the same but for where their buffers lie in narrow memory?

Both programs are walked in step. Every narrow address stream must differ in its base only.
Words that an instruction writes become partners, ours and the vendor's; words it reads must
be partners still. So an address may stand for several buffers one after the other, and the
renaming is one to one at every moment.
"""

from __future__ import annotations

from dataclasses import fields
from functools import cache
from typing import TYPE_CHECKING, Any

from ...lowering.program import (
    Instruction,
    MeshMove,
    NarrowToWide,
    Nest,
    Program,
    TensorOp,
    TileInstruction,
    WideToNarrow,
)
from ...planning.plan import NARROW_WORDS, TILES

if TYPE_CHECKING:
    import numpy as np

    Words = np.ndarray[Any, np.dtype[np.int64]]

_BYTES_A_WORD = 4
_STREAMS: dict[type[Instruction], tuple[tuple[str, bool], ...]] = {
    TensorOp: (("narrow_in", False), ("narrow_out", True)),
    NarrowToWide: (("narrow", False),),
    WideToNarrow: (("narrow", True),),
    MeshMove: (("source", False), ("destination", True)),
}
"""Narrow address streams of an instruction, and whether it writes through them."""
_RELATIVE = frozenset({"skip_first", "skip_end"})
"""Plain attributes of a `WideToNarrow` that are narrow addresses, too."""


def same_but_for_narrow_addresses(ours: Program, vendor: Program) -> bool:
    """Whether a one-to-one renaming of narrow words turns one program into the other."""
    if (ours.caching, ours.chunk_starts) != (vendor.caching, vendor.chunk_starts):
        return False
    if len(ours.instructions) != len(vendor.instructions):
        return False
    partners = [_Partners() for _ in range(TILES)]
    pairs = zip(ours.instructions, vendor.instructions, strict=True)
    return all(_match(a, b, partners) for a, b in pairs)


class _Partners:
    """Per tile: which word of the vendor's memory holds what ours holds, and back; -1 none."""

    def __init__(self) -> None:
        import numpy as np  # noqa: PLC0415

        self.of_ours = np.full(NARROW_WORDS, -1)
        self.of_vendor = np.full(NARROW_WORDS, -1)

    def write(self, ours: Words, vendor: Words) -> None:
        """The words are partners from now on; their former partners have none."""
        for words, there, back in (
            (ours, self.of_ours, self.of_vendor),
            (vendor, self.of_vendor, self.of_ours),
        ):
            former = there[words]
            back[former[former >= 0]] = -1
        self.of_ours[ours] = vendor
        self.of_vendor[vendor] = ours

    def read(self, ours: Words, vendor: Words) -> bool:
        """Whether the words are partners, or have never been written on either side."""
        there, back = self.of_ours[ours], self.of_vendor[vendor]
        fresh = (there < 0) & (back < 0)
        return bool((fresh | ((there == vendor) & (back == ours))).all())


def _match(ours: Instruction, vendor: Instruction, partners: list[_Partners]) -> bool:
    """Whether the vendor's instruction does the same; notes what it writes."""
    streams = _streams(ours)
    if not _same_but_for(frozenset(name for name, _ in streams), ours, vendor):
        return False
    scale = _BYTES_A_WORD if isinstance(ours, TensorOp) else 1
    return all(
        _match_stream((getattr(ours, name), getattr(vendor, name)), scale, writes, tiles)
        for tiles in [_tiles(ours, partners)]
        for name, writes in streams
    )


def _same_but_for(names: frozenset[str], ours: Instruction, vendor: Instruction) -> bool:
    return type(ours) is type(vendor) and all(
        _value(ours, field.name) == _value(vendor, field.name)
        for field in fields(ours)
        if field.name not in names
    )


def _value(instruction: Instruction, name: str) -> object:
    """An attribute; narrow addresses relative to the instruction's own stream."""
    value = getattr(instruction, name)
    if name in _RELATIVE and isinstance(instruction, WideToNarrow) and instruction.skip:
        return value - instruction.narrow.base
    return value


def _tiles(instruction: Instruction, partners: list[_Partners]) -> list[_Partners]:
    mask = instruction.tiles if isinstance(instruction, TileInstruction) else 0
    return [state for tile, state in enumerate(partners) if mask >> tile & 1]


def _match_stream(
    nests: tuple[Nest, Nest], scale: int, writes: bool, tiles: list[_Partners]
) -> bool:
    ours, vendor = nests
    if (ours == Nest()) != (vendor == Nest()) or not _same_but_for_base(ours, vendor, scale):
        return False
    if ours == Nest():
        return True
    a, b = _address_words(ours, scale), _address_words(vendor, scale)
    if max(a.max(initial=0), b.max(initial=0)) >= NARROW_WORDS or len(a) != len(b):
        return False
    if writes:
        for state in tiles:
            state.write(a, b)
        return True
    return all(state.read(a, b) for state in tiles)


def _streams(instruction: Instruction) -> tuple[tuple[str, bool], ...]:
    if isinstance(instruction, WideToNarrow) and instruction.to_scaling:
        return ()
    return _STREAMS.get(type(instruction), ())


def narrow_streams(instruction: Instruction) -> tuple[str, ...]:
    """Names of an instruction's narrow address streams."""
    return tuple(name for name, _ in _streams(instruction))


def _same_but_for_base(ours: Nest, vendor: Nest, scale: int) -> bool:
    """The second buffer of a double-buffered stream may lie elsewhere, too."""
    same = (ours.levels, ours.enabled, ours.double_level, ours.tail) == (
        vendor.levels,
        vendor.enabled,
        vendor.double_level,
        vendor.tail,
    )
    aligned = (
        (ours.base - vendor.base) % scale
        == (ours.double_offset - vendor.double_offset) % scale
        == 0
    )
    return same and aligned


def _address_words(nest: Nest, scale: int) -> Words:
    """Every word a stream visits, ascending."""
    words = _walk(nest.levels, nest.base % scale, scale) + nest.base // scale
    if nest.double_offset:
        import numpy as np  # noqa: PLC0415

        words = np.concatenate([words, words + nest.double_offset // scale])
    return words


@cache
def _walk(levels: tuple[tuple[int, int], ...], start: int, scale: int) -> Words:
    import numpy as np  # noqa: PLC0415

    offsets = np.array([start])
    for count, stride in levels:
        steps = np.arange(count) * stride
        offsets = np.unique(np.add.outer(steps, offsets))
    return np.unique(offsets // scale)
