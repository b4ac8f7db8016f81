"""A requantised vector over a map (docs/format/movement.md, "A pixel over a map").

Reads VectorFunctionStep, ColumnStep and ColumnsStep; writes the Program level.
"""

from __future__ import annotations

from ..planning.map_layout import MapLayout
from ..planning.repeated_vector import ColumnsStep, ColumnStep, VectorFunctionStep
from ..planning.tiling import GRID, length
from .constant_lines import fence_identity, make_identity
from .line_transfer import MESH_UNITS, LineTransfer, relay_buffer
from .lower import Lowering
from .mesh_transfer import ALL_MESH_FLAGS, INCOMING, OUTGOING
from .program import ALL_TILES, Direction, Flag, MeshMove, Mode, Nest, TensorOp, Unit, Wait
from .raw_copy import LINE_UNITS, WORD_BYTES, Place, raw_copy
from .requantise import requantised
from .ring_transfer import RingLines, end_of_round, ring_message
from .runs import Run
from .streams import stream, words

_PRODUCER_BELOW = 4


def lower_vector_function(lowering: Lowering, step: VectorFunctionStep) -> None:
    """reset; an operation for each tile; idle; all blocks to tile 0; all counters start again."""
    lowering.reset()
    make_identity(lowering, step.identity)
    base = lowering.address(step.buffer)
    for tile in range(step.blocks.tiles):
        lowering.add(requantised(_function(lowering, step, tile, base), step.requantization))
    lowering.program.idle()
    lines = RingLines(step.consumer_line, step.consumer_line - _PRODUCER_BELOW)
    for tile in range(1, step.blocks.tiles):
        place = base + step.blocks.block * tile
        count = step.blocks.size(tile)
        ring_message(lowering, tile, 1, source=place, destination=place, count=count, lines=lines)
    end_of_round(lowering)
    lowering.reset()
    lowering.restart()


def _function(lowering: Lowering, step: VectorFunctionStep, tile: int, base: int) -> TensorOp:
    """Block by block of four channels, times the identity line."""
    blocks = step.blocks
    count = blocks.size(tile)
    place = base + blocks.block * tile
    idle = ((count, 0),)
    return TensorOp(
        tiles=1 << tile,
        loops=(count,),
        narrow_in=stream(
            WORD_BYTES * base,
            (1, WORD_BYTES),
            (1, WORD_BYTES * blocks.block),
            (count, WORD_BYTES),
        ),
        narrow_out=stream(
            WORD_BYTES * place,
            (1, WORD_BYTES),
            (1, WORD_BYTES * blocks.words),
            (count, WORD_BYTES),
        ),
        wide=Nest(LINE_UNITS * lowering.plan.identity_line, idle),
        partial=Nest(0, idle, 0, 0, LINE_UNITS),
        signal_output=2,
        signal_operands=0,
        waits=(Wait(Flag.NARROW_TO_WIDE, 1, lowering.sync.count(Flag.NARROW_TO_WIDE)),),
        mode=Mode.IDENTITY,
        input_zero=step.input_zero,
        last_lanes=WORD_BYTES - 1,
        lanes=WORD_BYTES - 1,
    )


def lower_column(lowering: Lowering, step: ColumnStep) -> None:
    """reset; reset; for each row the second block to tile 0; then row after row, behind a
    reset, the vector to its tile."""
    fence_identity(lowering, step.identity)
    lowering.reset()
    lowering.reset()
    base, column = lowering.address(step.buffer), lowering.address(step.column)
    block, count = step.blocks.block, step.blocks.words
    rest = words(base + block, step.blocks.size(1))
    for _ in range(sum(step.heights)):
        _from_second(lowering, rest, rest)
        lowering.program.idle()
        lowering.program.tile_fence(ALL_MESH_FLAGS, Unit.ALL)
    for tile_row, height in enumerate(step.heights):
        for row in range(height):
            place = column + count * row
            lowering.reset()
            if tile_row:
                transfer = LineTransfer(
                    lowering,
                    Direction.SOUTH,
                    [[0]],
                    lowering.address(step.fifo),
                    gather=False,
                )
                transfer.move(tile_row, Run(base, ((count, 1),)), Run(place, ((count, 1),)))
                if tile_row > 1:
                    transfer.settle()
            else:
                _from_second(lowering, rest, words(place + block, step.blocks.size(1)))
                source = Place(base, count, count, count)
                target = Place(place, count, count, count * height)
                lowering.add(
                    raw_copy(1, (count, 1, 1), source, target, lowering.plan.identity_line)
                )
    for _ in range(3):
        lowering.reset()


def _from_second(lowering: Lowering, source: Nest, target: Nest) -> None:
    """Words of the second tile to the first."""
    lowering.add(MeshMove(tiles=2, direction=Direction.WEST, source=source))
    lowering.add(MeshMove(tiles=1, direction=Direction.WEST, destination=target))


def lower_columns(lowering: Lowering, step: ColumnsStep) -> None:
    """reset; then, behind a reset each, the column to every column of pixels."""
    lowering.reset()
    for tile_column, own in enumerate(step.layout.columns.own):
        for column in range(own[0], own[1]):
            lowering.reset()
            if tile_column:
                _send_column(lowering, step, tile_column, column)
            else:
                _copy_column(lowering, step, column)


def _row_classes(layout: MapLayout) -> dict[int, list[int]]:
    """Tile rows by their number of rows."""
    classes: dict[int, list[int]] = {}
    for tile_row, own in enumerate(layout.rows.own):
        classes.setdefault(length(own), []).append(tile_row)
    return classes


def _mask(tile_rows: list[int], *columns: int) -> int:
    return sum(1 << GRID * row + column for row in tile_rows for column in columns)


def _copy_column(lowering: Lowering, step: ColumnsStep, column: int) -> None:
    layout, count = step.layout, step.words
    source = lowering.address(step.column)
    for height, tile_rows in _row_classes(layout).items():
        tile = GRID * tile_rows[0]
        row = layout.row_words(tile)
        first = lowering.address(step.output) + layout.offset(tile, *_first(layout, tile, column))
        lowering.add(
            raw_copy(
                _mask(tile_rows, 0),
                (count, 1, height),
                Place(source, count, count, count * height),
                Place(first, layout.pixel_words, row, row * height),
                lowering.plan.identity_line,
            )
        )


def _send_column(lowering: Lowering, step: ColumnsStep, distance: int, column: int) -> None:
    """Along the tile rows: senders, tiles that pass the words on, receivers; then a fence that
    brings the two counters of the others to the largest."""
    layout, count, way = step.layout, step.words, Direction.EAST
    classes = _row_classes(layout)
    source, output = lowering.address(step.column), lowering.address(step.output)
    for height, rows in classes.items():
        run = Run(source, ((count, 1), (height, count)))
        lowering.add(MeshMove(tiles=_mask(rows, 0), direction=way, source=run.nest()))
    between = range(1, distance)
    waits = (Wait(INCOMING[way], 1, 1), Wait(OUTGOING[way], 1, -1, 1, space=True))
    for height, rows in classes.items() if between else ():
        buffer = relay_buffer(lowering.address(step.fifo), count * height)
        lowering.add(
            MeshMove(
                tiles=_mask(rows, *between),
                direction=way,
                source=buffer,
                destination=buffer,
                signal_sent=1,
                signal_received=1,
                waits=waits,
            )
        )
    for height, rows in classes.items():
        tile = GRID * rows[0] + distance
        first = output + layout.offset(tile, *_first(layout, tile, column))
        run = Run(first, ((count, 1), (height, layout.row_words(tile))))
        lowering.add(MeshMove(tiles=_mask(rows, distance), direction=way, destination=run.nest()))
    if between:
        _level_counters(lowering, way, classes, between, count)


def _level_counters(
    lowering: Lowering,
    way: Direction,
    classes: dict[int, list[int]],
    between: range,
    count: int,
) -> None:
    slots = {height: relay_buffer(0, count * height).levels[-1][0] for height in classes}
    value = max(slots.values())
    there = sum(_mask(rows, *between) for height, rows in classes.items() if slots[height] == value)
    tiles = ALL_TILES & ~there
    flags = 1 << INCOMING[way] | 1 << OUTGOING[way]
    lowering.program.tile_fence(flags, MESH_UNITS[way], tiles=tiles, value=value)
    lowering.program.tile_fence(0, Unit.ALL, tiles=tiles)


def _first(layout: MapLayout, tile: int, column: int) -> tuple[int, int]:
    return layout.own_corner(tile)[0], column
