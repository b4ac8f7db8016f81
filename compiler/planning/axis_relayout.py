"""A map cut over the tiles in one way, copied into a map cut in another way along one axis.

Spatial passes need it: the input of a pass is a part of a map that is cut over all tiles again,
and the results of the passes together are one map. The other axis is cut alike on both sides,
so words travel along tile rows (or tile columns) only: what stays on its tile is copied, the
rest goes over the mesh, nearest neighbours first. Facts: docs/format/passes.md, "Relayout".

Reads MapLayouts, writes `AxisRelayout`s for steps of the Plan level.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from dataclasses import replace

from ..fast_dataclass import dataclass
from ..lowering.program import Direction
from .map_layout import MapLayout
from .patches import Patch, PatchClass
from .tiling import GRID, Interval, length, overlap


class Along(enum.Enum):
    """The axis that is cut anew; the value: its two directions, backward and forward."""

    COLUMNS = (Direction.WEST, Direction.EAST)
    ROWS = (Direction.NORTH, Direction.SOUTH)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Pixels that tiles send or receive: word offset of the first in the buffer, their size,
    words from a row to the next. `map_rows`: rows of the tile's map; tiles with unlike maps do
    not share an instruction."""

    offset: int
    rows: int
    columns: int
    row_words: int
    map_rows: int
    tiles: int


@dataclass(frozen=True, slots=True)
class Transit:
    """Tiles between the ends of a message, and the words each of them passes on."""

    words: int
    tiles: int


@dataclass(frozen=True, slots=True)
class Message:
    """Words from one tile column (row) to another, on all tile rows (columns) at once."""

    direction: Direction
    sends: tuple[Stretch, ...]
    transits: tuple[Transit, ...]
    receives: tuple[Stretch, ...]


@dataclass(frozen=True, slots=True)
class AxisRelayout:
    """`source` holds own pixels only; both are cut alike along the other axis. Pixels that only
    one of them has are left alone."""

    source: MapLayout
    target: MapLayout
    along: Along

    @property
    def channel_words(self) -> int:
        return self.source.channel_words

    def messages(self) -> tuple[Message, ...]:
        """In order; they come before the copies."""
        return tuple(_Geometry(self.source, self.target, self.along).messages())

    def copies(self) -> tuple[PatchClass, ...]:
        """Of what stays on its tile."""
        return tuple(_Geometry(self.source, self.target, self.along).copies())


class _Geometry:
    """Positions along the axis are tile columns (rows); lines are tile rows (columns)."""

    def __init__(self, source: MapLayout, target: MapLayout, along: Along) -> None:
        self.source = source
        self.target = target
        self.along = along
        columns = along is Along.COLUMNS
        self.across = (source.rows if columns else source.columns).own
        self.from_axis = (source.columns if columns else source.rows).own
        self.to_axis = (target.columns if columns else target.rows).own

    def messages(self) -> Iterator[Message]:
        """One hop, two hops, three; of each, backward from the first tile that can, and
        forward from the last."""
        backward, forward = self.along.value
        for hops in range(1, GRID):
            for place in range(GRID - hops):
                yield from self._message(backward, place + hops, place)
                start = GRID - 1 - hops - place
                yield from self._message(forward, start, start + hops)

    def copies(self) -> Iterator[PatchClass]:
        """What both sides have on the same tile, by equal geometry."""
        masks: dict[PatchClass, int] = {}
        for place in range(GRID):
            shared = overlap(self.from_axis[place], self.to_axis[place])
            for line in range(GRID):
                height, width = self._size(line, shared)
                if height and width:
                    key = PatchClass(
                        height,
                        width,
                        (self._patch(self.source, line, place, shared),),
                        self._patch(self.target, line, place, shared),
                        tiles=0,
                    )
                    masks[key] = masks.get(key, 0) | 1 << self._tile(line, place)
        for key, tiles in sorted(masks.items(), key=_lowest_tile):
            yield replace(key, tiles=tiles)

    def _message(self, direction: Direction, start: int, end: int) -> Iterator[Message]:
        shared = overlap(self.from_axis[start], self.to_axis[end])
        if not length(shared):
            return
        step = 1 if end > start else -1
        yield Message(
            direction,
            sends=self._stretches(self.source, start, shared, of_source=True),
            transits=self._transits(range(start + step, end, step), shared),
            receives=self._stretches(self.target, end, shared, of_source=False),
        )

    def _stretches(
        self, layout: MapLayout, place: int, shared: Interval, *, of_source: bool
    ) -> tuple[Stretch, ...]:
        def key(line: int) -> Stretch:
            tile = self._tile(line, place)
            rows, columns = self._size(line, shared)
            patch = self._patch(layout, line, place, shared)
            # A sender's map is its own pixels, whatever part of them it sends.
            own = layout.own_size(tile)[0] if self.along is Along.COLUMNS else 0
            return Stretch(
                patch.offset,
                rows,
                columns,
                patch.row_words,
                own if of_source else layout.held_rows(tile),
                tiles=0,
            )

        return tuple(replace(k, tiles=mask) for k, mask in self._grouped(place, shared, key))

    def _transits(self, places: range, shared: Interval) -> tuple[Transit, ...]:
        masks: dict[Transit, int] = {}
        for place in places:
            for line in range(GRID):
                height, width = self._size(line, shared)
                if height and width:
                    key = Transit(height * width * self.source.channel_words, tiles=0)
                    masks[key] = masks.get(key, 0) | 1 << self._tile(line, place)
        found = sorted(masks.items(), key=_lowest_tile)
        return tuple(replace(key, tiles=mask) for key, mask in found)

    def _grouped(
        self, place: int, shared: Interval, key: Callable[[int], Stretch]
    ) -> list[tuple[Stretch, int]]:
        masks: dict[Stretch, int] = {}
        for line in range(GRID):
            if all(self._size(line, shared)):
                stretch = key(line)
                masks[stretch] = masks.get(stretch, 0) | 1 << self._tile(line, place)
        return sorted(masks.items(), key=_lowest_tile)

    def _tile(self, line: int, place: int) -> int:
        columns = self.along is Along.COLUMNS
        return GRID * line + place if columns else GRID * place + line

    def _size(self, line: int, shared: Interval) -> tuple[int, int]:
        """Rows and columns of the pixels that a line moves."""
        across, along = length(self.across[line]), length(shared)
        return (across, along) if self.along is Along.COLUMNS else (along, across)

    def _patch(self, layout: MapLayout, line: int, place: int, shared: Interval) -> Patch:
        tile = self._tile(line, place)
        row, column = self.across[line][0], shared[0]
        if self.along is Along.ROWS:
            row, column = column, row
        words = layout.row_words(tile)
        return Patch(
            layout.offset(tile, row, column),
            layout.pixel_words,
            words,
            words * layout.held_rows(tile),
        )


def _lowest_tile(entry: tuple[object, int]) -> int:
    """Order of instructions: by the lowest tile in the mask."""
    return entry[1] & -entry[1]
