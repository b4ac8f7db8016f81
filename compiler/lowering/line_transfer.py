"""Moves over the mesh bus along parallel lines of tiles in lock-step: rows of tiles to their
first tile and back, or columns.

One move brings words from the tiles at one distance of the end to the end (gather), or from the
end to the tiles at a distance (scatter), on every line at once: a SEND, a FORWARD of all tiles
between in a FIFO of two slots of four words, and a RECEIVE. Behind a forward a fence sets the
direction's two counters to one value on the tiles that do not stand at it yet, so that the next
forward states one threshold for all tiles. Facts: docs/format/movement.md, "Lines".

Reads nothing; writes the Program level.
"""

from __future__ import annotations

from collections.abc import Sequence

from .lower import Lowering
from .mesh_transfer import INCOMING, OUTGOING
from .program import ALL_TILES, Direction, MeshMove, Nest, Tail, TileFence, Unit, Wait
from .runs import Run

GRID = 4
SLOT_WORDS = 4
FIFO_WORDS = 2 * SLOT_WORDS
_ROWS = (Direction.WEST, Direction.EAST)
MESH_UNITS = {
    Direction.SOUTH: Unit.MESH_SOUTH,
    Direction.WEST: Unit.MESH_WEST,
    Direction.NORTH: Unit.MESH_NORTH,
    Direction.EAST: Unit.MESH_EAST,
}


def relay_buffer(fifo: int, words: int) -> Nest:
    """`words` words through a FIFO of two slots of four; words of one slot have no loop of
    slots."""
    slots, rest = -(-words // SLOT_WORDS), words % SLOT_WORDS
    levels = ((SLOT_WORDS, 1), (slots, 0)) if slots > 1 else ((SLOT_WORDS, 1),)
    tail = Tail(rest, 1, SLOT_WORDS - rest) if rest else None
    return Nest(fifo, levels, 1, 1, SLOT_WORDS, tail)


class LineTransfer:
    """The moves of one direction. lines: tile rows (or columns) that take part, in classes that
    receive by an instruction of their own; gather: to the first tile of the line, else from it;
    arrived: the incoming counter on all tiles before."""

    def __init__(
        self,
        lowering: Lowering,
        direction: Direction,
        classes: Sequence[Sequence[int]],
        fifo: int,
        *,
        gather: bool,
        arrived: int = 0,
    ) -> None:
        self.lowering = lowering
        self.direction = direction
        self.classes = classes
        self.fifo = fifo
        self.gather = gather
        self.arrived = arrived
        self._sent = 0
        self._fenced = ALL_TILES

    def move(self, distance: int, source: Run, target: Run) -> None:
        """Between the ends of the lines and the tiles at `distance` of them, alike on all."""
        lines = [line for group in self.classes for line in group]
        self.exchange(distance, [(lines, source)], [(group, target) for group in self.classes])

    def exchange(
        self,
        distance: int,
        sources: Sequence[tuple[Sequence[int], Run]],
        targets: Sequence[tuple[Sequence[int], Run]],
    ) -> None:
        """The same, with lines that send, or receive, alike in classes of their own."""
        start, end = (distance, 0) if self.gather else (0, distance)
        self._transfer((start, end), sources, targets)

    def hand(self, start: int, end: int, source: Run, target: Run) -> None:
        """On line 0, from one tile to any other."""
        self._transfer((start, end), [([0], source)], [([0], target)])

    def _transfer(
        self,
        ends: tuple[int, int],
        sources: Sequence[tuple[Sequence[int], Run]],
        targets: Sequence[tuple[Sequence[int], Run]],
    ) -> None:
        add = self.lowering.add
        passing: dict[int, int] = {}
        for lines, run in sources:
            tiles = self._mask(lines, ends[:1])
            add(MeshMove(tiles=tiles, direction=self.direction, source=run.nest()))
            between = self._mask(lines, range(min(ends) + 1, max(ends)))
            if between:
                passing[run.words] = passing.get(run.words, 0) | between
        for words, between in passing.items():
            add(self._forward(between, words))
        for lines, run in targets:
            tiles = self._mask(lines, ends[1:])
            add(MeshMove(tiles=tiles, direction=self.direction, destination=run.nest()))
        self._fenced = ALL_TILES
        if passing:
            slots = max(map(passing_slots, passing))
            there = sum(t for words, t in passing.items() if passing_slots(words) == slots)
            self._level_counters(there, slots)

    def finish(self) -> None:
        """All units idle, everywhere."""
        if self._fenced != ALL_TILES:
            self.settle()
        self.lowering.program.idle()

    def settle(self) -> None:
        """All units idle on the tiles of the last fence, in front of a reset."""
        self.lowering.program.tile_fence(0, Unit.ALL, tiles=self._fenced)

    def _forward(self, tiles: int, words: int) -> MeshMove:
        buffer = passing_stream(self.fifo, words)
        return MeshMove(
            tiles=tiles,
            direction=self.direction,
            source=buffer,
            destination=buffer,
            signal_sent=1,
            signal_received=1,
            waits=(
                Wait(INCOMING[self.direction], 1, self.arrived + 1),
                Wait(OUTGOING[self.direction], 1, self._sent - 1, 1, True),
            ),
        )

    def _level_counters(self, forwarding: int, slots: int) -> None:
        """Both counters of all tiles to the larger of those that the forwarding tiles stand at;
        where these are equal, those tiles are left alone."""
        self.arrived += slots
        self._sent += slots
        equal = self.arrived == self._sent
        self._fenced = ALL_TILES & ~forwarding if equal else ALL_TILES
        value = max(self.arrived, self._sent)
        self.arrived = self._sent = value
        flags = 1 << INCOMING[self.direction] | 1 << OUTGOING[self.direction]
        self.lowering.add(
            TileFence(
                tiles=self._fenced, flags=flags, value=value, units=MESH_UNITS[self.direction]
            )
        )

    def _mask(self, lines: Sequence[int], places: Sequence[int]) -> int:
        rows = self.direction in _ROWS
        tiles = (
            GRID * line + place if rows else GRID * place + line
            for line in lines
            for place in places
        )
        return sum(1 << tile for tile in tiles)


def passing_slots(words: int) -> int:
    """Slots of the FIFO that the words take: what the counters count."""
    return -(-words // SLOT_WORDS)


def passing_stream(fifo: int, words: int) -> Nest:
    """The words through the two slots, in turns."""
    if words == 1:
        return Nest(fifo, ((1, 1),), 1, 1, SLOT_WORDS)
    slots, rest = passing_slots(words), words % SLOT_WORDS
    levels = ((SLOT_WORDS, 1), (slots, 0)) if slots > 1 else ((SLOT_WORDS, 1),)
    tail = Tail(rest, 1, SLOT_WORDS - rest) if rest else None
    return Nest(fifo, levels, 1, 1, SLOT_WORDS, tail)
