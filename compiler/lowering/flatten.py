"""Maps flattened to vectors: mesh moves along lines of tiles, and copies on tile 0.

Reads FlattenGatherStep and FlattenSpreadStep; writes the Program level. Facts:
docs/format/movement.md, "Flattening".
"""

from __future__ import annotations

from ..planning.flatten import FlattenSpreadStep
from ..planning.map_collection import FlattenGatherStep, is_even
from ..planning.tiling import GRID, length
from .constant_lines import write_identity
from .line_transfer import LineTransfer
from .lower import Lowering
from .program import Direction
from .raw_copy import Place, raw_copy
from .ring_transfer import RingLines, ring_run
from .runs import Run

_FIRST_COLUMN = 0x1111
_OTHERS_OF_COLUMN = 0x1110


def lower_flatten_gather(lowering: Lowering, step: FlattenGatherStep) -> None:
    """resets; every tile's pixels to tile 0; what follows there; resets."""
    gather = _Gather(lowering, step)
    gather.begin()
    if is_even(step.input):
        gather.by_lines()
    else:
        gather.by_messages()
    if step.groups:
        gather.spread_groups()
    else:
        if step.output:
            gather.copy_all()
        lowering.reset()
    lowering.reset()


class _Gather:
    """One gather. arrived: the counter SOUTH_IN on all tiles."""

    def __init__(self, lowering: Lowering, step: FlattenGatherStep) -> None:
        self.lowering = lowering
        self.step = step
        self.line = _identity_line(lowering, step)
        self.collected = lowering.address(step.collected)
        self.fifo = lowering.address(step.fifo)
        self.arrived = 0

    def begin(self) -> None:
        """Counters zero, the identity in its line."""
        if self.lowering.sync.reset_before_parameters and self.step.identity:
            self.lowering.reset()
        self.lowering.reset()
        if self.step.identity:
            self._make_identity()
        else:
            self.lowering.reset()

    def by_lines(self) -> None:
        """Rows of tiles to the first column, all at once; then that column to tile 0."""
        layout = self.step.input
        height, width = layout.own_size(0)
        rows = [r for r in range(GRID) if length(layout.rows.own[r])]
        columns = [c for c in range(GRID) if length(layout.columns.own[c])]
        whole = layout.width * layout.channel_words
        own = self._own(0)
        size = (layout.channel_words, width, height)
        held = layout.held_rows(0) * layout.row_words(0)
        source = Place(own.base, layout.pixel_words, layout.row_words(0), held)
        for tiles, area in ((1, self.step.words), (self._others(rows), height * whole)):
            if tiles:
                target = Place(self.collected, layout.channel_words, whole, area)
                self.lowering.add(raw_copy(tiles, size, source, target, self.line))
        part = width * layout.channel_words
        classes = [[0], rows[1:]] if rows[1:] else [[0]]
        west = LineTransfer(self.lowering, Direction.WEST, classes, self.fifo, gather=True)
        for place, column in enumerate(columns[1:], 1):
            levels = ((layout.channel_words, 1), (width, layout.channel_words), (height, whole))
            west.move(column, self._own(column), Run(self.collected + place * part, levels))
        west.finish()
        north = LineTransfer(
            self.lowering,
            Direction.NORTH,
            [[0]],
            self.fifo,
            gather=True,
            arrived=self.arrived,
        )
        band = ((whole, 1), (height, whole))
        for place, row in reversed(list(enumerate(rows))[1:]):
            start = self.collected + place * height * whole
            north.move(row, Run(self.collected, band), Run(start, band))
        north.finish()
        self.arrived = north.arrived

    def by_messages(self) -> None:
        """Tile after tile over the ring."""
        layout = self.step.input
        whole = layout.width * layout.channel_words
        for tile in range(GRID * GRID):
            height, width = layout.own_size(tile)
            if not height or not width:
                continue
            row, column = layout.own_corner(tile)
            start = self.collected + row * whole + column * layout.channel_words
            levels = ((width * layout.channel_words, 1), (height, whole))
            ring_run(
                self.lowering,
                tile,
                1,
                source=self._own(tile),
                destination=Run(start, levels),
                lines=RingLines(self.step.fifo_line, self.step.fifo_line - 4),
            )
        self.lowering.program.barrier()
        self.lowering.reset()
        self.arrived = 0

    def copy_all(self) -> None:
        """All words, to a buffer of their own."""
        count = self.step.words
        places = (self.collected, self.lowering.address(self.step.output))
        source, target = (Place(place, count, count, count) for place in places)
        self.lowering.add(raw_copy(1, (count, 1, 1), source, target, self.line))

    def spread_groups(self) -> None:
        """Groups of words to the tiles of the first row; the first tile's by a copy."""
        step = self.step
        if step.own_identity:
            self._make_identity()
        output, size = self.lowering.address(step.output), step.group_words
        count = length(step.groups[0])
        source = Place(self.collected, size, step.words, step.words)
        target = Place(output, size, count * size, count * size)
        self.lowering.add(raw_copy(1, (size, count, 1), source, target, self.line))
        east = LineTransfer(self.lowering, Direction.EAST, [[0]], self.fifo, gather=False)
        for column in range(1, GRID):
            first, end = step.groups[column]
            if first < end:
                levels = ((size, 1), (end - first, size))
                start = Run(self.collected + first * size, levels)
                east.move(column, start, Run(output, levels))
        east.settle()
        self.lowering.reset()

    def _own(self, tile: int) -> Run:
        """The tile's own pixels in the map."""
        layout = self.step.input
        height, width = layout.own_size(tile)
        base = self.lowering.address(self.step.input_buffer)
        start = base + layout.offset(tile, *layout.own_corner(tile))
        return Run(
            start,
            (
                (layout.channel_words, 1),
                (width, layout.pixel_words),
                (height, layout.row_words(tile)),
            ),
        )

    def _others(self, rows: list[int]) -> int:
        return sum(1 << GRID * row for row in rows[1:])

    def _make_identity(self) -> None:
        self.arrived += 1
        scratch = self.lowering.address(self.step.identity)
        write_identity(self.lowering, scratch, self.line, self.arrived)


def _identity_line(lowering: Lowering, step: FlattenGatherStep | FlattenSpreadStep) -> int:
    return lowering.plan.identity_line if step.identity_line < 0 else step.identity_line


def lower_flatten_spread(lowering: Lowering, step: FlattenSpreadStep) -> None:
    """resets; the groups to tile 0; its blocks to all tiles."""
    lowering.reset()
    lowering.reset()
    line = _identity_line(lowering, step)
    fifo, vector = lowering.address(step.fifo), lowering.address(step.vector)
    source, size = lowering.address(step.input), step.group_words
    count = step.groups[-1][1]
    own = length(step.groups[0])
    total = count * size
    from_place = Place(source, size, own * size, own * size)
    to_place = Place(vector, size, total, total)
    lowering.add(raw_copy(1, (size, own, 1), from_place, to_place, line))
    west = LineTransfer(lowering, Direction.WEST, [[0]], fifo, gather=True)
    for column in range(1, GRID):
        first, end = step.groups[column]
        if first < end:
            levels = ((size, 1), (end - first, size))
            west.move(column, Run(source, levels), Run(vector + first * size, levels))
    west.finish()
    if step.blocks is not None:
        _spread_blocks(lowering, step, line)
    lowering.uncounted = True


def _spread_blocks(lowering: Lowering, step: FlattenSpreadStep, line: int) -> None:
    """A quarter of the vector to each tile row's first tile, a block of it to each tile."""
    assert step.blocks is not None
    fifo, vector = lowering.address(step.fifo), lowering.address(step.vector)
    output = lowering.address(step.output)
    block, size = step.blocks.block, step.group_words
    quarter, whole = GRID * block, GRID * GRID * block
    levels = ((size, 1), (quarter // size, size))
    south = LineTransfer(lowering, Direction.SOUTH, [[0]], fifo, gather=False)
    for row in range(1, GRID):
        south.move(row, Run(vector + row * quarter, levels), Run(vector, levels))
    south.finish()
    source = Place(vector, quarter, quarter, quarter)
    for tiles, area in ((1, whole), (_OTHERS_OF_COLUMN, block)):
        target = Place(output, area, area, area)
        lowering.add(raw_copy(tiles, (block, 1, 1), source, target, line))
    lines = [list(range(GRID))]
    east = LineTransfer(lowering, Direction.EAST, lines, fifo, gather=False)
    for column in range(1, GRID):
        run = ((block, 1),)
        east.move(column, Run(vector + column * block, run), Run(output, run))
    east.settle()
