"""Pools over the whole map that the relayout (`pooling.py`) cannot serve: maps with halos, many
pixels or many channels, maxima. Ring messages bring some channels of all pixels to each tile,
which pools them; then the next channels.

Reads the Graph level through the planner, adds `MapMoveStep`s and `WindowPoolStep`s. Facts:
docs/format/pooling.md, "Whole maps in rounds".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ..frontend.graph import Operator
from ..frontend.reductions import REDUCTIONS, reduced_picture
from .builder import PlanBuilder
from .dataflow import zero_point
from .family import Family
from .map_layout import MapLayout, map_layout
from .map_moves import MapMessage, Walk, add_move, boxes
from .pool_windows import covers_map, plane_block, pool_scaling, pool_window, takes_maximum
from .pooling import PLANE_PIXELS, row_planes
from .refusal import Refusal
from .tiling import length, tiles_of
from .vectors import BLOCK_WORDS, Blocks, VectorLayout
from .window_pool import PoolPart, PoolSource, WindowPoolStep

MOST_WORDS = 20000
"""Words of the pixels that a tile collects at a time."""
MOST_TOGETHER = 28000
"""Words of a map that goes to every tile as a whole; the counters hold 32767."""


def is_gathered_pool(planner: PlanBuilder, op: Operator) -> bool:
    """One window over the whole of a map."""
    if op.name in REDUCTIONS and reduced_picture(planner.graph, op) is None:
        return False
    layout = planner.layouts.get(planner.dataflow.source(op.inputs[0]))
    return isinstance(layout, MapLayout) and covers_map(planner, op)


def plan_gathered_pool(planner: PlanBuilder, op: Operator) -> None:
    """Round r: words r * share .. of every tile's block of the result."""
    layout = planner.map_layout(op, op.inputs[0])
    blocks = Blocks.spread(layout.channel_words)
    pixels = layout.height * layout.width + PLANE_PIXELS
    if pixels * layout.channel_words <= MOST_TOGETHER:
        _plan_whole(planner, op, layout, blocks)
        return
    share = _share(op, layout, min(BLOCK_WORDS, blocks.words))
    tensor = planner.dataflow.source(op.outputs[0])
    output = planner.produce(tensor, blocks.size(0))
    planner.record(tensor, VectorLayout(blocks, output))
    room = (layout.height * layout.width + PLANE_PIXELS - 1) * share
    for first in range(0, blocks.block, share):
        counts = {
            tile: min(share, blocks.size(tile) - first)
            for tile in range(blocks.tiles)
            if blocks.size(tile) > first
        }
        if not counts:
            break
        collected = planner.scratch(f"{op.index} channels {first}", room)
        source = planner.consume(op.inputs[0])
        messages = [
            message
            for tile, count in counts.items()
            for message in _messages(
                layout, (source, collected), tile, (first + blocks.block * tile, count, share)
            )
        ]
        add_move(planner, op, tuple(messages))
        for count in dict.fromkeys(counts.values()):
            mask = sum(1 << tile for tile, words in counts.items() if words == count)
            _add_pool(planner, op, layout, (collected, output), (first, count, share, mask))


def _plan_whole(planner: PlanBuilder, op: Operator, layout: MapLayout, blocks: Blocks) -> None:
    """All of the map to every tile that has a block of the result."""
    words = layout.channel_words
    tensor = planner.dataflow.source(op.outputs[0])
    output = planner.produce(tensor, blocks.size(0))
    planner.record(tensor, VectorLayout(blocks, output))
    room = (layout.height * layout.width + PLANE_PIXELS - 1) * words
    collected = planner.scratch(f"{op.index} pixels", room)
    buffers = planner.consume(op.inputs[0]), collected
    messages = _messages(layout, buffers, 0, (0, words, words))
    add_move(planner, op, tuple(replace(message, all=blocks.mask) for message in messages))
    row = layout.width * words
    for mask, count in blocks.groups():
        sources = tuple(
            PoolSource(layout.height, layout.width, blocks.block * tile, row, 1 << tile)
            for tile in tiles_of(mask)
        )
        _add_pool(
            planner, op, layout, (collected, output), (0, count, words, mask), sources=sources
        )


def _share(op: Operator, layout: MapLayout, most: int) -> int:
    """Words of a pixel that a tile takes at a time: a power of two, or all there are."""
    pixels = layout.height * layout.width + PLANE_PIXELS
    for share in (most, 8, 4, 2, 1):
        if share <= most and share * pixels <= MOST_WORDS:
            return share
    raise Refusal(op.index, f"{op.name} over too many pixels", actual=pixels, allowed=MOST_WORDS)


def _messages(
    layout: MapLayout, buffers: tuple[str, str], reader: int, words: tuple[int, int, int]
) -> Iterator[MapMessage]:
    """The own pixels of each tile to `reader`; words: first, count, and from a pixel to the
    next there."""
    first, count, pitch = words
    for box in boxes(layout):
        rows, columns = length(box.rows), length(box.columns)
        start = (box.rows[0] * layout.width + box.columns[0]) * pitch
        down = layout.width * pitch
        yield MapMessage(
            box.tile,
            reader,
            *buffers,
            Walk(
                box.offset + first, ((count, 1), (columns, box.pixel_words), (rows, box.row_words))
            ),
            Walk(start, ((count, 1), (columns, pitch), (rows, down))),
        )


def _add_pool(
    planner: PlanBuilder,
    op: Operator,
    layout: MapLayout,
    buffers: tuple[str, str],
    words: tuple[int, int, int, int],
    *,
    sources: tuple[PoolSource, ...] = (),
) -> None:
    """words: offset in the result, count, from a pixel to the next, and on which tiles; sources:
    where these find the pixels, by default at the start of the buffer."""
    first, count, pitch, tiles = words
    height, width = layout.height, layout.width
    collected, output = map(planner.keep, buffers)
    lines = row_planes(width) * height * -(-count // BLOCK_WORDS)
    line = plane_block(planner, op, lines)
    ones = "" if takes_maximum(op) else planner.scratch(f"{op.index} one {first} {count}", 1)
    scaling = pool_scaling(planner, op, height * width)
    planner.add(
        WindowPoolStep(
            ops=(op.index,),
            lowest_line=line,
            window=pool_window(planner, op),
            input=map_layout(height, width, count, ()),
            input_buffer=collected,
            output_buffer=output,
            exchange=(),
            fill=0,
            channel_words=count,
            input_pitch=pitch,
            output_pitch=count,
            sources=sources or (PoolSource(height, width, 0, width * pitch, tiles),),
            parts=(
                PoolPart(
                    1, 1, (height, width), (0, 0), height, width, first, count, scaling, tiles
                ),
            ),
            ones=ones,
            plane_line=line,
            input_zero=zero_point(planner.graph.tensor(op.inputs[0])),
        )
    )


GATHERED_POOL = Family(
    "gathered pool",
    frozenset({"AVERAGE_POOL_2D", "MAX_POOL_2D"}) | REDUCTIONS,
    plan_gathered_pool,
    accepts=is_gathered_pool,
)
