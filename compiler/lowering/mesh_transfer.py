"""Moves over the mesh bus and copies inside a tile, collected tile by tile and merged into
as few instructions as the chip's order allows. Facts: docs/format/relayout.md.

A message travels along a row or a column: the source SENDs (reads words), every tile between
RELAYs (reads and writes a two-word FIFO), the destination RECEIVEs (writes words). Each of
them is one instruction of one tile. If the source's last instruction for that direction was a
bare RECEIVE, the SEND becomes its read side: both sides of an instruction run independently.

Merge rule. The parts are taken in order, and each joins the earliest identical instruction
(same fields, same distance of the message's ends) that it reaches without passing, in its own
unit, an instruction of the same destination or one that touches a common tile. A SEND touches
its own tile, a RELAY and a RECEIVE also the neighbour the words come from: moving it ahead of
that neighbour's instruction would wait for words that are not under way. A part whose upstream
neighbour itself receives never joins: its words come later than those of its likes.

Reads nothing; writes the Program level.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import prod

from ..errors import InternalError
from ..fast_dataclass import dataclass
from .program import (
    Direction,
    Flag,
    MeshMove,
    NarrowToWide,
    Nest,
    Tail,
    TileInstruction,
    Wait,
    WideToNarrow,
)
from .streams import fifo, stream

LINE_WORDS = 64
"""Narrow words a wide line holds."""
_JOINING_DEPTH = 2
"""Parts of at least this depth, whose upstream neighbour receives, join no other."""

INCOMING = {
    Direction.SOUTH: Flag.NORTH_IN,
    Direction.NORTH: Flag.SOUTH_IN,
    Direction.EAST: Flag.WEST_IN,
    Direction.WEST: Flag.EAST_IN,
}
OUTGOING = {
    Direction.SOUTH: Flag.SOUTH_OUT,
    Direction.NORTH: Flag.NORTH_OUT,
    Direction.EAST: Flag.EAST_OUT,
    Direction.WEST: Flag.WEST_OUT,
}


ALL_MESH_FLAGS = sum(1 << flag for flag in (*INCOMING.values(), *OUTGOING.values()))


@dataclass(slots=True)
class _Part:
    """One tile's instruction. touched: mask of the tiles it must keep its order with; depth:
    hops of its words since a tile that only sent; reach: the ends of its message along the
    line, and the tile it goes to."""

    tile: int
    instruction: TileInstruction
    unit: object
    touched: int
    depth: int = 0
    reach: tuple[int, int] | None = None
    destination: int | None = None

    def ordered_before(self, later: _Part) -> bool:
        """Whether `later`, of the same unit, may not be moved ahead of this part."""
        same = self.destination is not None and self.destination == later.destination
        return same or bool(self.touched & later.touched)


class MeshTransfer:
    """The parts of one exchange. `events`: counters that already stand at a value on every
    tile since the last reset."""

    def __init__(self, events: Mapping[Flag, int] | None = None) -> None:
        self._start = dict(events or {})
        self._counts: dict[tuple[int, Flag], int] = {}
        self._parts: list[_Part] = []
        self._last: dict[tuple[Direction, int], _Part] = {}

    def message(
        self, direction: Direction, path: list[int], source: Nest, destination: Nest, relay: int
    ) -> None:
        """Words of `source` on tile path[0] to `destination` on path[-1] through the tiles
        between, each with its FIFO of two words at `relay`."""
        end = path[-1]
        reach = (_position(direction, path[0]), _position(direction, end))
        depth = self._send(direction, path[0], source, reach, end)
        count = _words(source)
        buffer = fifo(relay, count)
        for before, tile in itertools.pairwise(path):
            depth += 1
            if tile == end:
                move = MeshMove(
                    tiles=0,
                    direction=direction,
                    destination=destination,
                    signal_received=len(destination.levels) - 1,
                )
                arrived = _events(destination)
            else:
                move = self._relay(direction, tile, buffer)
                arrived = count
                self._advance(tile, OUTGOING[direction], count)
            self._advance(tile, INCOMING[direction], arrived)
            part = _Part(tile, move, direction, 1 << tile | 1 << before, depth, reach, end)
            self._append_move(direction, part)

    def local_copy(self, tile: int, source: Nest, destination: Nest, line: int) -> None:
        """A copy inside a tile, through the two-line FIFO at wide line `line`; both nests
        walk the same words."""
        cut_source, cut_destination, lines = _cut_into_lines(source, destination)
        space = Wait(Flag.WIDE_TO_NARROW, 0, self._count(tile, Flag.WIDE_TO_NARROW) - 1, 1, True)
        data = Wait(Flag.NARROW_TO_WIDE, 0, self._count(tile, Flag.NARROW_TO_WIDE) + 1)
        wide = stream(line, (1, 1)) if lines == 1 else fifo(line, lines)
        store = NarrowToWide(
            tiles=0,
            narrow=cut_source.nest,
            wide=wide,
            signal=0,
            waits=(space,) if lines > 1 else (),
            fill_level=cut_source.inner,
        )
        load = WideToNarrow(
            tiles=0,
            wide=wide,
            narrow=cut_destination.nest,
            signal=cut_destination.inner - (lines == 1),
            waits=(data,),
            fill_level=cut_destination.inner,
        )
        for part in (store, load):
            self._parts.append(_Part(tile, part, type(part), 1 << tile))
        self._advance(tile, Flag.NARROW_TO_WIDE, lines)
        if lines > 1:
            self._advance(tile, Flag.WIDE_TO_NARROW, lines)

    def instructions(self) -> Iterator[TileInstruction]:
        """The merged instructions in order."""
        homes: list[tuple[int, _Part]] = []
        tiles: list[int] = []
        keys: dict[object, int] = {}
        history: dict[object, list[tuple[_Part, int]]] = {}
        for part in self._parts:
            key = keys.setdefault((part.instruction, part.reach), len(keys))
            earlier = history.setdefault(part.unit, [])
            place = len(homes)
            if part.depth < _JOINING_DEPTH:
                stop = max((i for other, i in earlier if other.ordered_before(part)), default=-1)
                same = (i for i in range(stop + 1, len(homes)) if homes[i][0] == key)
                place = next(same, place)
            if place == len(homes):
                homes.append((key, part))
                tiles.append(0)
            tiles[place] |= 1 << part.tile
            earlier.append((part, place))
        for (_, part), mask in zip(homes, tiles, strict=True):
            yield replace(part.instruction, tiles=mask)

    def _send(
        self, direction: Direction, tile: int, source: Nest, reach: tuple[int, int], end: int
    ) -> int:
        """The read side at the source; returns the depth of its words."""
        signal = len(source.levels) - 1
        self._advance(tile, OUTGOING[direction], _events(source))
        last = self._last.get((direction, tile))
        if last is not None and _only_receives(last.instruction):
            assert isinstance(last.instruction, MeshMove)
            last.instruction = replace(last.instruction, source=source, signal_sent=signal)
            return last.depth
        move = MeshMove(tiles=0, direction=direction, source=source, signal_sent=signal)
        self._append_move(direction, _Part(tile, move, direction, 1 << tile, 0, reach, end))
        return 0

    def _relay(self, direction: Direction, tile: int, buffer: Nest) -> MeshMove:
        """Words arrive in the FIFO's slots and leave from there; each slot waits for the
        word that was in it."""
        arrived = self._count(tile, INCOMING[direction]) + 1
        room = self._count(tile, OUTGOING[direction]) - 1
        return MeshMove(
            tiles=0,
            direction=direction,
            source=buffer,
            destination=buffer,
            signal_sent=0,
            signal_received=0,
            waits=(
                Wait(INCOMING[direction], 0, arrived),
                Wait(OUTGOING[direction], 0, room, 1, True),
            ),
        )

    def _append_move(self, direction: Direction, part: _Part) -> None:
        self._parts.append(part)
        self._last[direction, part.tile] = part

    def _count(self, tile: int, flag: Flag) -> int:
        return self._counts.get((tile, flag), self._start.get(flag, 0))

    def _advance(self, tile: int, flag: Flag, events: int) -> None:
        self._counts[tile, flag] = self._count(tile, flag) + events


def _position(direction: Direction, tile: int) -> int:
    """Tile row or column along the direction."""
    return tile // 4 if direction in (Direction.SOUTH, Direction.NORTH) else tile % 4


def _events(nest: Nest) -> int:
    """Signals of a stream whose outermost level signals."""
    return nest.levels[-1][0]


def _only_receives(instruction: TileInstruction) -> bool:
    return (
        isinstance(instruction, MeshMove)
        and bool(instruction.destination.levels)
        and not instruction.source.levels
    )


@dataclass(frozen=True, slots=True)
class _Cut:
    """A nest whose `inner` innermost levels walk the words of one line."""

    nest: Nest
    inner: int


def _cut_into_lines(source: Nest, destination: Nest) -> tuple[_Cut, _Cut, int]:
    """Both nests cut at the same words, and the number of lines.

    Words without a gap on both sides fill lines of 64, the last one perhaps in part. Else a
    line takes as many steps of the outermost level as divide it and fit, or, if one step has
    more than 64 words, of the level below.
    """
    total = _words(source)
    if len(source.levels) == len(destination.levels) == 1:
        lines = -(-total // LINE_WORDS)
        if lines == 1:
            return _Cut(source, 1), _Cut(destination, 1), 1
        rest = total % LINE_WORDS
        tail = Tail(rest, 1, LINE_WORDS - rest) if rest else None
        levels = ((LINE_WORDS, 1), (lines, LINE_WORDS))
        cuts = [_Cut(Nest(nest.base, levels, 3, tail=tail), 1) for nest in (source, destination)]
        return cuts[0], cuts[1], lines
    line = _line_words(source)
    if line == total:
        return (
            _Cut(source, len(source.levels)),
            _Cut(destination, len(destination.levels)),
            1,
        )
    return _cut(source, line), _cut(destination, line), total // line


def _words(nest: Nest) -> int:
    return prod(trips for trips, _ in nest.levels)


def _line_words(source: Nest) -> int:
    """Words of a line, see `_cut_into_lines`."""
    step = _words(source)
    for trips, _ in reversed(source.levels):
        step //= trips
        if step <= LINE_WORDS:
            fits = (n for n in range(1, trips + 1) if trips % n == 0 and n * step <= LINE_WORDS)
            return step * max(fits)
    raise InternalError("a word does not fit a line")


def _cut(nest: Nest, line: int) -> _Cut:
    """Split the level inside which a line ends; join levels that continue each other."""
    inner: list[tuple[int, int]] = []
    outer: list[tuple[int, int]] = []
    for trips, stride in nest.levels:
        taken = min(trips, line)
        line //= taken
        if taken > 1 or not inner:
            _append(inner, taken, stride, keep=1)
        if trips > taken:
            _append(outer, trips // taken, stride * taken, keep=0)
    return _Cut(stream(nest.base, *inner, *outer), len(inner))


def _append(levels: list[tuple[int, int]], trips: int, stride: int, *, keep: int) -> None:
    """Add a level, joined to the last one if it continues it; `keep` levels stay as they are."""
    if len(levels) > keep and levels[-1][0] * levels[-1][1] == stride:
        levels[-1] = (levels[-1][0] * trips, levels[-1][1])
    else:
        levels.append((trips, stride))
