"""Map spread over the tiles -> 64 channels of all pixels on each tile (docs/format/relayout.md).

Two exchanges of all with all: along the tile columns (every tile row gets its 64 channel words
of all rows of the picture), then along the tile rows (every tile gets its 16 words).

Reads RelayoutStep; writes the Program level.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from ..fast_dataclass import dataclass
from ..planning.pooling import IDENTITY_WORDS, RelayoutStep
from ..planning.tiling import GRID
from ..planning.vectors import BLOCK_WORDS
from .lower import Lowering
from .mesh_transfer import MeshTransfer
from .program import Direction, Flag, MeshMove, NarrowToWide, Nest, Wait
from .streams import stream, words

ROW_WORDS = GRID * BLOCK_WORDS
"""Channel words of a tile row's destination: those of its four tiles."""
_FIFO_OF = {Direction.NORTH: 0, Direction.SOUTH: 2, Direction.WEST: 4, Direction.EAST: 6}
"""Word offset of each direction's two-word FIFO."""


@dataclass(frozen=True, slots=True)
class _Geometry:
    """The step with its addresses; starts: first row and column of each tile row/column."""

    step: RelayoutStep
    input: int
    rows: int
    output: int
    fifos: int

    @property
    def height(self) -> int:
        return sum(self.step.heights)

    @property
    def width(self) -> int:
        return sum(self.step.widths)

    def channel_words(self, tile_row: int) -> int:
        """Channel words of a pixel that tile row `tile_row` collects."""
        return min(ROW_WORDS, self.step.pixel_words - ROW_WORDS * tile_row)

    def block_words(self, tile: int) -> int:
        """Channel words of a pixel that `tile` collects."""
        return min(BLOCK_WORDS, self.step.pixel_words - BLOCK_WORDS * tile)

    def own(self, tile_row: int, source_row: int, column: int) -> Nest:
        """Channel words for `tile_row` of the own pixels of tile (source_row, column)."""
        pixels = self.step.heights[source_row] * self.step.widths[column]
        count = self.channel_words(tile_row)
        return _pixels(self.input + ROW_WORDS * tile_row, pixels, count, self.step.pixel_words)

    def collected_start(self, tile_row: int, source_row: int, column: int) -> int:
        """Where the words of a source row begin in the tile row's collection."""
        above = _starts(self.step.heights)[source_row] * self.step.widths[column]
        return self.rows + above * self.channel_words(tile_row)

    def block_source(self, tile: int, column: int, *, rows: bool) -> Nest:
        """Channel words of `tile`'s block in the collection of tile column `column`; with
        `rows` the rows of the picture stay a level of their own."""
        width = self.step.widths[column]
        block, pitch = self.block_words(tile), self.channel_words(tile // GRID)
        base = self.rows + BLOCK_WORDS * (tile % GRID)
        if rows and width > 1:
            return stream(base, (block, 1), (width, pitch), (self.height, width * pitch))
        return _pixels(base, self.height * width, block, pitch, joined=not rows)

    def block_place(self, tile: int, column: int) -> Nest:
        """Where the pixels of tile column `column` go in the result."""
        block = self.block_words(tile)
        base = self.output + _starts(self.step.widths)[column] * block
        outer = ((self.height, block * self.width),) if self.height > 1 else ()
        return stream(base, (block * self.step.widths[column], 1), *outer)


def lower_relayout(lowering: Lowering, step: RelayoutStep) -> None:
    """reset; byte identity, where it is not there; vertical exchange; reset; horizontal
    exchange; reset."""
    geometry = _Geometry(
        step,
        *(lowering.address(name) for name in (step.input, step.rows, step.output, step.fifos)),
    )
    lowering.reset()
    made = {}
    if step.identity:
        write_byte_identity(lowering, lowering.address(step.identity), step.identity_line)
        lowering.program.idle()
        made = {Flag.SOUTH_IN: 1, Flag.NARROW_TO_WIDE: 1}
    for transfer in (_vertical(geometry, made), _horizontal(geometry)):
        for instruction in transfer.instructions():
            lowering.add(instruction)
        lowering.reset()
    lowering.program.tell(_owners(step), step.blocks.mask)


def _owners(step: RelayoutStep) -> int:
    """Tiles with pixels of the map."""
    return sum(
        1 << GRID * row + column
        for row, height in enumerate(step.heights)
        for column, width in enumerate(step.widths)
        if height and width
    )


def write_byte_identity(lowering: Lowering, scratch: int, line: int) -> None:
    """The 4x4 byte identity in one wide line: word i of four is 1 << 8 i, so lane i passes
    byte i. The words are mesh fills; only the last one signals."""
    for index in range(IDENTITY_WORDS):
        last = index == IDENTITY_WORDS - 1
        lowering.add(
            MeshMove(
                direction=Direction.NORTH,
                destination=words(scratch + index, 1),
                signal_received=1 if last else None,
                fill=1 << (8 * index),
            )
        )
    lowering.add(
        NarrowToWide(
            narrow=words(scratch, IDENTITY_WORDS),
            wide=words(line, 1),
            signal=1,
            waits=(Wait(Flag.SOUTH_IN, 1, 1, 0),),
            fill_level=1,
        )
    )


def make_byte_identity(lowering: Lowering, scratch: int, line: int) -> None:
    """The byte identity between two steps: fenced, counters back to zero."""
    write_byte_identity(lowering, scratch, line)
    lowering.reset()


def _vertical(geometry: _Geometry, made: dict[Flag, int]) -> MeshTransfer:
    """Tile rows that will hold blocks collect theirs: first their own pixels, then what
    comes from above, then from below, nearest source first."""
    step = geometry.step
    transfer = MeshTransfer(made)
    tile_rows = range(-(-step.blocks.tiles // GRID))
    targets = [(row, column) for row in tile_rows for column in range(GRID)]
    for row, column in targets:
        if step.heights[row] * step.widths[column]:
            source = geometry.own(row, row, column)
            start = geometry.collected_start(row, row, column)
            pixels, count = step.heights[row] * step.widths[column], geometry.channel_words(row)
            place = _pixels(start, pixels, count, count, joined=len(source.levels) == 1)
            transfer.local_copy(GRID * row + column, source, place, step.copy_line)
    for direction, away in ((Direction.SOUTH, -1), (Direction.NORTH, 1)):
        relay = geometry.fifos + _FIFO_OF[direction]
        for row, column in targets:
            for source_row in _outward(row, away):
                pixels = step.heights[source_row] * step.widths[column]
                if pixels:
                    path = [GRID * r + column for r in range(source_row, row - away, -away)]
                    start = geometry.collected_start(row, source_row, column)
                    count = geometry.channel_words(row) * pixels
                    source = geometry.own(row, source_row, column)
                    transfer.message(direction, path, source, stream(start, (count, 1)), relay)
    return transfer


def _horizontal(geometry: _Geometry) -> MeshTransfer:
    """Every tile collects its block: its own column and what comes from the west, tile after
    tile; then what comes from the east."""
    step = geometry.step
    transfer = MeshTransfer()
    for direction, away in ((Direction.EAST, -1), (Direction.WEST, 1)):
        relay = geometry.fifos + _FIFO_OF[direction]
        for tile in range(step.blocks.tiles):
            row, column = divmod(tile, GRID)
            if direction is Direction.EAST and step.widths[column]:
                source = geometry.block_source(tile, column, rows=True)
                place = geometry.block_place(tile, column)
                transfer.local_copy(tile, source, place, step.copy_line)
            for source_column in _outward(column, away):
                if step.widths[source_column]:
                    path = [GRID * row + c for c in range(source_column, column - away, -away)]
                    source = geometry.block_source(tile, source_column, rows=False)
                    place = geometry.block_place(tile, source_column)
                    transfer.message(direction, path, source, place, relay)
    return transfer


def _pixels(base: int, pixels: int, count: int, pitch: int, *, joined: bool = True) -> Nest:
    """`count` words of each of `pixels`; one run of words if there is no gap and `joined`."""
    if pixels == 1:
        return stream(base, (count, 1))
    if pitch == count and joined:
        return stream(base, (pixels * count, 1))
    return stream(base, (count, 1), (pixels, pitch))


def _outward(position: int, away: int) -> range:
    """Positions from the neighbour on, in one direction, to the edge of the grid."""
    return range(position + away, -1 if away < 0 else GRID, away)


def _starts(sizes: Sequence[int]) -> list[int]:
    return [0, *accumulate(sizes)]
