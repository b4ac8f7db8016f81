"""Lowering of the relayouts around spatial passes, and of the maps parked in wide memory.

Reads `AxisRelayout`s of the Plan level. Facts: docs/format/passes.md, "Relayout". Words between
neighbours need no synchronisation: the mesh holds them back. Tiles that pass words on count
them, since their FIFO of two slots is read and written at once; behind such a message all other
tiles take over the counters, so that the next one finds them equal.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..planning.axis_relayout import AxisRelayout, Message, Stretch, Transit
from ..planning.patches import PatchClass
from .constant_lines import write_identity
from .line_transfer import passing_slots, passing_stream
from .lower import Lowering
from .mesh_transfer import INCOMING, OUTGOING
from .program import (
    ALL_TILES,
    Direction,
    MeshMove,
    Nest,
    TensorOp,
    TileFence,
    Unit,
    Wait,
)
from .raw_copy import Place, raw_copy
from .streams import stream, words

_MESH_UNITS = {
    Direction.SOUTH: Unit.MESH_SOUTH,
    Direction.NORTH: Unit.MESH_NORTH,
    Direction.EAST: Unit.MESH_EAST,
    Direction.WEST: Unit.MESH_WEST,
}


class RelayoutLowering:
    """One relayout: `source` and `target` are the word addresses of its two maps, `fifo` that
    of the eight words for words that are passed on."""

    def __init__(
        self, lowering: Lowering, relayout: AxisRelayout, source: int, target: int, fifo: int
    ) -> None:
        self.lowering = lowering
        self.relayout = relayout
        self.source = source
        self.target = target
        self.fifo = fifo
        self._passed = dict.fromkeys(Direction, 0)

    def send(self) -> None:
        """The messages."""
        for message in self.relayout.messages():
            self._message(message)

    def make_identity(self, scratch: int, line: int) -> None:
        """The 4x4 byte identity matrix, in four words at `scratch`, to wide line `line`."""
        filled = self._passed[Direction.NORTH] + 1
        write_identity(self.lowering, scratch, line, filled)

    def copy(self, line: int) -> None:
        """What stays on its tile, times the identity matrix at `line`."""
        for tile_class in self.relayout.copies():
            self.lowering.add(self._copy(tile_class, line))

    def _message(self, message: Message) -> None:
        for stretch in message.sends:
            self.lowering.add(
                MeshMove(
                    tiles=stretch.tiles,
                    direction=message.direction,
                    source=self._pixels(self.source, stretch),
                )
            )
        for transit in message.transits:
            self.lowering.add(self._pass_on(message.direction, transit))
        for stretch in message.receives:
            self.lowering.add(
                MeshMove(
                    tiles=stretch.tiles,
                    direction=message.direction,
                    destination=self._pixels(self.target, stretch),
                )
            )
        if message.transits:
            self._level_counters(message.direction, message.transits)

    def _pixels(self, base: int, stretch: Stretch) -> Nest:
        pixel = self.relayout.channel_words
        levels = ((pixel, 1), (stretch.columns, pixel), (stretch.rows, stretch.row_words))
        kept = tuple(level for level in levels if level[0] > 1)
        return stream(base + stretch.offset, *kept) if kept else words(base + stretch.offset, 1)

    def _pass_on(self, direction: Direction, transit: Transit) -> MeshMove:
        passed = self._passed[direction]
        slots = passing_stream(self.fifo, transit.words)
        return MeshMove(
            tiles=transit.tiles,
            direction=direction,
            source=slots,
            destination=slots,
            signal_sent=1,
            signal_received=1,
            waits=(
                Wait(INCOMING[direction], 1, passed + 1),
                Wait(OUTGOING[direction], 1, passed - 1, space=True),
            ),
        )

    def _level_counters(self, direction: Direction, transits: Iterable[Transit]) -> None:
        """All tiles take over the largest count of those that passed words on."""
        largest = max(passing_slots(transit.words) for transit in transits)
        there = sum(t.tiles for t in transits if passing_slots(t.words) == largest)
        self._passed[direction] += largest
        self.lowering.add(
            TileFence(
                tiles=ALL_TILES & ~there,
                flags=1 << INCOMING[direction] | 1 << OUTGOING[direction],
                value=self._passed[direction],
                units=_MESH_UNITS[direction],
            )
        )

    def _copy(self, tile_class: PatchClass, line: int) -> TensorOp:
        """Word by word; no signals, fences are around."""
        (read,), written = tile_class.sources, tile_class.target
        size = self.relayout.channel_words, tile_class.width, tile_class.height
        source, target = (
            Place(base + place.offset, place.pixel_words, place.row_words, place.map_words)
            for base, place in ((self.source, read), (self.target, written))
        )
        return raw_copy(tile_class.tiles, size, source, target, line)
