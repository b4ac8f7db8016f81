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
        """Between the ends of the lines and the tiles at `distance` of them."""
        lines = [line for group in self.classes for line in group]
        start, end = (distance, 0) if self.gather else (0, distance)
        add = self.lowering.add
        add(
            MeshMove(
                tiles=self._mask(lines, [start]), direction=self.direction, source=source.nest()
            )
        )
        between = self._mask(lines, range(1, distance))
        if between:
            add(self._forward(between, source.words))
        for group in self.classes:
            tiles = self._mask(group, [end])
            add(MeshMove(tiles=tiles, direction=self.direction, destination=target.nest()))
        self._fenced = ALL_TILES
        if between:
            self._level_counters(between, -(-source.words // SLOT_WORDS))

    def finish(self) -> None:
        """All units idle, everywhere."""
        if self._fenced != ALL_TILES:
            self.settle()
        self.lowering.program.idle()

    def settle(self) -> None:
        """All units idle on the tiles of the last fence, in front of a reset."""
        self.lowering.program.tile_fence(0, Unit.ALL, tiles=self._fenced)

    def _forward(self, tiles: int, words: int) -> MeshMove:
        slots, rest = -(-words // SLOT_WORDS), words % SLOT_WORDS
        levels = ((SLOT_WORDS, 1), (slots, 0)) if words > 1 else ((1, 1),)
        tail = Tail(rest, 1, SLOT_WORDS - rest) if rest and words > 1 else None
        buffer = Nest(self.fifo, levels, 1, 1, SLOT_WORDS, tail)
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
