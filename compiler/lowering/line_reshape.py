"""A map, or a vector in blocks, that becomes a line of pixels: mesh moves along lines of tiles,
copies on their first tiles.

Reads `LineReshapeStep`s; writes the Program level. Facts: docs/format/movement.md, "Lines of
pixels".
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import TypeVar

from ..planning.line_reshape import LineReshapeStep, pixels_of
from ..planning.tiling import GRID, Interval, length
from ..planning.vectors import VectorLayout
from .constant_lines import write_identity
from .line_transfer import LineTransfer
from .lower import Lowering
from .program import ALL_TILES, Direction
from .raw_copy import Place, raw_copy
from .runs import Run

_Key = TypeVar("_Key", bound=Hashable)


def lower_line_reshape(lowering: Lowering, step: LineReshapeStep) -> None:
    """reset; rows of tiles to the first column; that column, and then the first row, to the
    tiles of the line; resets."""
    sync = lowering.sync
    asked = (not sync.is_uniform(ALL_TILES), sync.reset_before_parameters or step.renames, True)
    for _ in range(sum(asked)):
        lowering.reset()
    line = _LineReshape(lowering, step)
    line.make_identity()
    line.rows_to_first_column()
    if step.along_rows:
        line.along_first_column()
    else:
        line.first_column_to_first_tile()
        line.along_first_row()
    lowering.reset()
    lowering.reset()


class _LineReshape:
    """Addresses of one step. own: tile rows with rows of the map; line: where the identity is;
    arrived: the counter SOUTH_IN on all tiles."""

    def __init__(self, lowering: Lowering, step: LineReshapeStep) -> None:
        self.lowering = lowering
        self.step = step
        self.line = lowering.plan.identity_line
        self.collected = lowering.address(step.collected)
        self.output = lowering.address(step.output)
        self.fifo = lowering.address(step.fifo)
        self.arrived = 0
        self.own = [row for row in range(GRID) if length(step.own(row))]

    def make_identity(self) -> None:
        """Where no step before has made it."""
        if self.step.identity:
            self.arrived = 1
            scratch = self.lowering.address(self.step.identity)
            write_identity(self.lowering, scratch, self.line, self.arrived)

    def rows_to_first_column(self) -> None:
        """The first column's own words by copies, the others' along all tile rows at once."""
        copies = ((self._copy(row), 1 << GRID * row) for row in self.own)
        for (size, source, target), tiles in _masks(copies):
            self.lowering.add(raw_copy(tiles, size, source, target, self.line))
        west = self._transfer(Direction.WEST, gather=True)
        for column in range(1, GRID):
            rows = [row for row in self.own if all(self._size(row, column))]
            if rows:
                sources = _lines((self._pixels(row, column), row) for row in rows)
                targets = _lines((self._place(row, column), row) for row in rows)
                west.exchange(
                    column,
                    [(lines, run) for run, lines in sources],
                    [(lines, run) for (run, _), lines in targets],
                )
        west.finish()

    def along_first_column(self) -> None:
        """What tiles need of others' rows; then each copies its part of the line."""
        transfers = {
            direction: self._transfer(direction, gather=True)
            for direction in (Direction.NORTH, Direction.SOUTH)
        }
        last = transfers[Direction.NORTH]
        for handed in self.step.handed:
            last = transfers[Direction.SOUTH if handed.end > handed.start else Direction.NORTH]
            runs = (self._run(row, handed.words) for row in (handed.start, handed.end))
            last.hand(handed.start, handed.end, *runs)
        last.finish()
        pixel, parts = self.step.target_words, self.step.parts
        copies = []
        for row, part in enumerate(parts):
            if length(part):
                start, count = self._address(row, part[0]), length(part)
                size = pixel, 1, count // pixel
                source, target = (Place(base, pixel, pixel, count) for base in (start, self.output))
                copies.append(((size, source, target), 1 << GRID * row))
        for (size, source, target), tiles in _masks(copies):
            self.lowering.add(raw_copy(tiles, size, source, target, self.line))

    def first_column_to_first_tile(self) -> None:
        """The rows of the other tiles, from the last one up."""
        north = self._transfer(Direction.NORTH, gather=True)
        for row in reversed(self.own):
            if row:
                words = self.step.own(row)
                north.move(row, self._run(row, words), self._run(0, words))
        north.finish()

    def along_first_row(self) -> None:
        """Its part of the line to each tile."""
        pixel, parts = self.step.target_words, self.step.parts
        count, whole = length(parts[0]), length(self.step.held[0])
        source = Place(self._address(0, parts[0][0]), pixel, whole, whole)
        target = Place(self.output, pixel, count, count)
        self.lowering.add(raw_copy(1, (pixel, count // pixel, 1), source, target, self.line))
        east = self._transfer(Direction.EAST, gather=False)
        for column in range(1, GRID):
            if length(parts[column]):
                levels = ((pixel, 1), (length(parts[column]) // pixel, pixel))
                start = self._address(0, parts[column][0])
                east.move(column, Run(start, levels), Run(self.output, levels))
        east.settle()

    def _transfer(self, direction: Direction, *, gather: bool) -> LineTransfer:
        arrived = self.arrived if direction is Direction.NORTH else 0
        return LineTransfer(
            self.lowering, direction, [[0]], self.fifo, gather=gather, arrived=arrived
        )

    def _address(self, row: int, word: int) -> int:
        """Where the first tile of a row collects a word of the tensor."""
        return self.collected + word - self.step.held[row][0]

    def _run(self, row: int, words: Interval) -> Run:
        """Words on the first tile of a row: rows, pixels of a row, or words of a pixel."""
        _, width, pixel = pixels_of(self.step.input)
        count, whole = length(words), width * pixel
        levels: tuple[tuple[int, int], ...] = ((count, 1),)
        if not (words[0] % whole or count % whole):
            levels = ((pixel, 1), (width, pixel), (count // whole, whole))
        elif not (words[0] % pixel or count % pixel):
            levels = ((pixel, 1), (count // pixel, pixel))
        return Run(self._address(row, words[0]), levels)

    def _size(self, row: int, column: int) -> tuple[int, int, int]:
        """Words, columns and rows of a tile's own part."""
        layout, tile = self.step.input, GRID * row + column
        if isinstance(layout, VectorLayout):
            return max(layout.blocks.size(tile), 0), 1, 1
        height, width = layout.own_size(tile)
        return layout.channel_words, width, height

    def _source(self, row: int, column: int) -> Place:
        """Where it is."""
        layout, tile = self.step.input, GRID * row + column
        base = self.lowering.address(self.step.input_buffer)
        if isinstance(layout, VectorLayout):
            room = layout.blocks.words if layout.pitch else layout.blocks.size(0)
            return Place(base + layout.offset + layout.pitch * tile, room, room, room)
        start = base + layout.offset(tile, *layout.own_corner(tile))
        whole = layout.row_words(tile)
        return Place(start, layout.pixel_words, whole, layout.held_rows(tile) * whole)

    def _target(self, row: int, column: int) -> Place:
        """Where the first tile of the row collects it."""
        layout, held = self.step.input, length(self.step.held[row])
        first = self.step.own(row)[0]
        if isinstance(layout, VectorLayout):
            first += layout.blocks.block * column
            return Place(self._address(row, first), held, held, held)
        pixel = layout.channel_words
        first += layout.columns.own[column][0] * pixel
        return Place(self._address(row, first), pixel, layout.width * pixel, held)

    def _pixels(self, row: int, column: int) -> Run:
        return _walk(self._size(row, column), self._source(row, column))

    def _place(self, row: int, column: int) -> tuple[Run, int]:
        """Rows that collect more than others have instructions of their own."""
        target = self._target(row, column)
        return _walk(self._size(row, column), target), target.map

    def _copy(self, row: int) -> tuple[tuple[int, int, int], Place, Place]:
        return self._size(row, 0), self._source(row, 0), self._target(row, 0)


def _walk(size: tuple[int, int, int], place: Place) -> Run:
    words, columns, rows = size
    return Run(place.base, ((words, 1), (columns, place.pixel), (rows, place.row)))


def _masks(entries: Iterable[tuple[_Key, int]]) -> list[tuple[_Key, int]]:
    """Equal keys with a joint tile mask, in order of the first ones."""
    masks: dict[_Key, int] = {}
    for key, tiles in entries:
        masks[key] = masks.get(key, 0) | tiles
    return list(masks.items())


def _lines(entries: Iterable[tuple[_Key, int]]) -> list[tuple[_Key, list[int]]]:
    """Equal keys with their lines, in order of the first ones."""
    lines: dict[_Key, list[int]] = {}
    for key, line in entries:
        lines.setdefault(key, []).append(line)
    return list(lines.items())
