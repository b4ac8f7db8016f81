"""Lowering of the halo exchange: mesh moves in four directions, tiles with equal ones merged.

Reads `HaloMove`s of the Plan level. Facts: docs/format/tiling.md, "Halo exchange".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..planning.halo import HaloMove, Rectangle
from ..planning.map_layout import MapLayout
from .lower import Lowering
from .mesh_transfer import INCOMING
from .program import Direction, Flag, MeshMove, Nest, Tail, Wait

BLOCK_WORDS = 16
"""Words of a pixel that a producer writes at a time: 64 channels."""
_ABSENT = Nest()
_VERTICAL = (Flag.NORTH_IN, Flag.SOUTH_IN)


def lower_halo(
    lowering: Lowering, layout: MapLayout, buffer: str, moves: Sequence[HaloMove], fill: int
) -> None:
    """Fill the halo of the map in `buffer`; `fill`: the byte outside the picture."""
    exchange = _Exchange(lowering, layout, buffer, fill)
    if exchange.is_joint or lowering.uncounted:
        lowering.reset()
        exchange = _Exchange(lowering, layout, buffer, fill)
    for move in moves:
        if move.destination is not None:
            lowering.sync.advance(INCOMING[move.direction], exchange.blocks, 1 << move.tile)
    received = {(INCOMING[m.direction], m.tile) for m in moves if m.destination is not None}
    masks: dict[_Sides, int] = {}
    for move in moves:
        sides = exchange.sides(move, received)
        masks[sides] = masks.get(sides, 0) | 1 << move.tile
    for sides, tiles in masks.items():
        lowering.add(sides.instruction(tiles))


class _Sides(NamedTuple):
    """A mesh move before it is known which tiles share it."""

    direction: Direction
    source: Nest
    destination: Nest
    signal: int | None
    waits: tuple[Wait, ...]
    fill: int | None

    def instruction(self, tiles: int) -> MeshMove:
        return MeshMove(
            tiles=tiles,
            direction=self.direction,
            source=self.source,
            destination=self.destination,
            signal_received=self.signal,
            waits=self.waits,
            fill=self.fill,
        )


class _Exchange:
    """One map's exchange. The order of words follows its producer, so that the first blocks
    travel while it still computes: blocks of 64 channels outside the rows, or, if it was made
    by groups of four channels, groups outside everything."""

    def __init__(self, lowering: Lowering, layout: MapLayout, buffer: str, fill: int) -> None:
        self.sync = lowering.sync
        self.base = lowering.address(buffer)
        self.pixel_words = layout.pixel_words
        self.grouped = self.sync.is_grouped(buffer)
        self.produced = self.sync.production(buffer)
        self.fill = fill * 0x01010101
        words = self.pixel_words
        self.blocks = words if self.grouped else -(-words // BLOCK_WORDS)

    @property
    def is_joint(self) -> bool:
        """Whether the map was filled in several parts, so that its blocks cannot be told from
        the events of the last one."""
        return self.produced is not None and self.produced.blocks != self.blocks

    def sides(self, move: HaloMove, received: set[tuple[Flag, int]]) -> _Sides:
        """Both sides of the move."""
        source, destination, signal = _ABSENT, _ABSENT, None
        waits: tuple[Wait, ...] = ()
        if move.destination is not None:
            destination, signal = self._stream(move.destination)
        if move.source is not None:
            source, level = self._stream(move.source)
            waits = self._waits(move, level, received)
        fill = self.fill if move.fill else None
        return _Sides(move.direction, source, destination, signal, waits, fill)

    def _stream(self, pixels: Rectangle) -> tuple[Nest, int]:
        """The words of a rectangle, and the loop level of one block."""
        words = self.pixel_words
        rectangle = [(pixels.columns, words), (pixels.rows, pixels.row_words)]
        levels = [level for level in rectangle if level[0] > 1]
        base = self.base + pixels.offset
        if self.grouped and words > 1:
            levels.append((words, 1))
            return Nest(base, tuple(levels), (1 << len(levels)) - 1), len(levels) - 1
        if words > 1:
            levels.insert(0, (min(words, BLOCK_WORDS), 1))
        if not levels:
            return Nest(base, ((1, 1),)), 1
        inner = len(levels)
        if self.blocks > 1:
            levels.append((self.blocks, BLOCK_WORDS))
        rest = words % BLOCK_WORDS
        tail = Tail(rest, inner, BLOCK_WORDS - rest) if self.blocks > 1 and rest else None
        return Nest(base, tuple(levels), (1 << len(levels)) - 1, tail=tail), inner

    def _waits(
        self, move: HaloMove, level: int, received: set[tuple[Flag, int]]
    ) -> tuple[Wait, ...]:
        """What must have happened before each block can be read."""

        def arrived(flag: Flag) -> Wait:
            first = self.sync.on_tile(flag, move.tile) - self.blocks + 1
            return Wait(flag, level, first)

        waits = []
        if move.forwards:
            waits.append(arrived(INCOMING[move.direction]))
        if move.reads_own and self.produced is not None:
            first = self.produced.total - self.produced.blocks + 1
            waits.append(Wait(Flag.AVDATA, level, first))
        if move.reads_vertical:
            waits += [arrived(flag) for flag in _VERTICAL if (flag, move.tile) in received]
        return tuple(waits)
