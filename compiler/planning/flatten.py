"""RESHAPE of a map to a vector: the pixels of all tiles to tile 0, row by row; maps whose pixels
are no whole words are packed there or on the first tile row by a layer of ones and zeros.

Reads the Graph level through the planner, adds `FlattenGatherStep`s, `ConvolutionStep`s and
`FlattenSpreadStep`s. Facts: docs/format/movement.md, "Flattening".
"""

from __future__ import annotations

from dataclasses import replace
from math import gcd, prod

from ..fast_dataclass import dataclass
from ..frontend.graph import Operator
from .builder import PlanBuilder
from .convolution import ConvolutionStep, ConvolutionWindow, WideBlocks, tile_classes
from .dataflow import scale
from .family import Family
from .fully_connected import add_gather, add_matrix, matrix_step
from .map_collection import FIFO_WORDS, LAST, collect_map, keeps_identity
from .map_layout import MapLayout, map_axis
from .plan import TILES, WIDE_LINES, Step
from .refusal import Refusal
from .requantization import Requantization, requantization
from .softmax_area import blocks_of, produce_vector
from .tiling import GRID, AxisSplit, Window, length, split
from .vectors import Blocks, VectorLayout
from .weight_chunks import weight_chunks
from .wide_memory import IDENTITY_LINE, stack_blocks

WORD_CHANNELS = 4
PACKED_ON_ONE_TILE = 16
"""Pixels of one channel that are packed as a vector."""
MOST_VALUES = 65536
SPARE_HEADER_LINES = 32
_BEHIND_COLLECTED = 1.1
_BEHIND_TENSORS = 1.5
_BEHIND_INPUT = 2.5
"""Allocation ranks: a copy of what was collected; the map behind the buffers it is flattened in;
the packed vector behind the blocks it is cut into."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlattenSpreadStep(Step):
    """Groups of `group_words` words on the first tile row to one vector on tile 0, and with
    `blocks` from there to all 16 tiles, a block of the same size on each."""

    groups: AxisSplit
    group_words: int
    input: str
    vector: str
    fifo: str
    output: str = ""
    blocks: Blocks | None = None
    identity_line: int


def is_flatten(planner: PlanBuilder, op: Operator) -> bool:
    """A map becomes a vector."""
    source, output = (planner.graph.tensor(t).shape for t in (op.inputs[0], op.outputs[0]))
    layout = planner.layouts.get(planner.dataflow.source(op.inputs[0]))
    return isinstance(layout, MapLayout) and prod(output[:-1]) == 1 and prod(source) == output[-1]


def plan_flatten(planner: PlanBuilder, op: Operator) -> None:
    """Whole words: to tile 0. One channel and few pixels: there, then packed. Others: over the
    first tile row, packed, and back."""
    layout = planner.map_layout(op, op.inputs[0])
    source = planner.graph.tensor(op.inputs[0]).shape
    channels, pixels = source[-1], layout.height * layout.width
    if channels * pixels > MOST_VALUES:
        raise Refusal(
            op.index, f"{op.name} of a map", actual=channels * pixels, allowed=MOST_VALUES
        )
    if channels % WORD_CHANNELS == 0:
        _plan_dense(planner, op, layout)
    elif channels == 1 and pixels <= PACKED_ON_ONE_TILE:
        _plan_few(planner, op, layout)
    else:
        _plan_groups(planner, op, layout, channels)


def _plan_dense(planner: PlanBuilder, op: Operator, layout: MapLayout) -> None:
    """The vector is what tile 0 collects."""
    words = layout.height * layout.width * layout.channel_words
    tensor = planner.dataflow.source(op.outputs[0])
    collected = planner.produce(tensor, words)
    planner.add(collect_map(planner, op, layout, collected))
    planner.record(tensor, VectorLayout(Blocks(words, words), collected))


def _plan_few(planner: PlanBuilder, op: Operator, layout: MapLayout) -> None:
    """Up to 16 words of one byte: gathered, then the matrix."""
    words = layout.height * layout.width
    collected = planner.scratch(f"{op.index} collected", words)
    row = planner.scratch(f"{op.index} row", words, rank=_BEHIND_COLLECTED)
    planner.add(replace(collect_map(planner, op, layout, collected), output=row))
    planner.keep(row)
    vector = add_gather(planner, op, VectorLayout(Blocks(words), row), 1, WIDE_LINES)
    matrix = add_matrix(planner, op, words)
    planner.keep(vector)
    size, scaling = (WORD_CHANNELS * words, words), _same_values(planner, op)
    step = matrix_step(op, matrix, vector, size=size, scaling=scaling, top=WIDE_LINES)
    step = replace(step, input_zero=scaling.zero_point)
    source = planner.dataflow.source(op.outputs[0])
    planner.add(replace(step, output=produce_vector(planner, source, step.blocks).buffer))


def _plan_groups(planner: PlanBuilder, op: Operator, layout: MapLayout, channels: int) -> None:
    """Groups of whole words: pixels of several words in, packed words out."""
    pixels = layout.height * layout.width
    group = PACKED_ON_ONE_TILE if channels == 1 else WORD_CHANNELS // gcd(WORD_CHANNELS, channels)
    count = -(-pixels // group)
    wide, packed = group * layout.channel_words, group * channels // WORD_CHANNELS
    groups = split(0, count)
    kept = max(map(length, groups))
    spread = planner.scratch(f"{op.index} groups", kept * wide, rank=0)
    collected = planner.scratch(f"{op.index} collected", count * wide)
    step = collect_map(planner, op, layout, collected)
    planner.set_rank(step.input_buffer, _BEHIND_TENSORS)
    planner.add(replace(step, output=spread, groups=groups, group_words=wide))
    maps = _row_map(count, wide), _row_map(count, packed)
    result = _add_packing(planner, op, maps, spread)
    _add_spread(planner, op, groups, packed, result)


def _row_map(width: int, words: int) -> MapLayout:
    """A map of one row."""
    return MapLayout(
        map_axis(0, 1, []), map_axis(0, width, []), pixel_words=words, channel_words=words
    )


def _add_packing(
    planner: PlanBuilder, op: Operator, maps: tuple[MapLayout, MapLayout], source: str
) -> str:
    """A convolution with a kernel of one pixel whose weights are ones and zeros."""
    index = planner.add_segment(op)
    segment = planner.segments[index]
    window = ConvolutionWindow(Window(), Window())
    pixels = max(length(part) for part in maps[0].columns.own)
    wide = maps[0].channel_words
    chunks = weight_chunks(1, wide, len(segment.headers), pixels)
    sizes = {"partial": pixels} if chunks.count > 1 else {}
    sizes["weights"] = chunks.slots * chunks.lines
    sizes["headers"] = chunks.slots * len(segment.headers) + SPARE_HEADER_LINES
    top = IDENTITY_LINE if keeps_identity(planner, op) else WIDE_LINES
    blocks = WideBlocks(**stack_blocks(top, sizes, op.index))
    scaling = _same_values(planner, op)
    result = planner.scratch(f"{op.index} packed", maps[1].words, rank=0)
    planner.add(
        ConvolutionStep(
            ops=(op.index,),
            segments=(index,),
            lowest_line=blocks.lowest,
            window=window,
            input=maps[0],
            output=maps[1],
            input_buffer=planner.keep(source),
            output_buffer=result,
            exchange=(),
            depthwise=False,
            packed=False,
            output_channels=WORD_CHANNELS * maps[1].channel_words,
            chunks=chunks,
            headers=segment.headers,
            blocks=blocks,
            classes=tile_classes(window, *maps),
            input_zero=scaling.zero_point,
            weight_zero=0,
            requantization=scaling,
        )
    )
    return result


def _same_values(planner: PlanBuilder, op: Operator) -> Requantization:
    """Bytes keep their value."""
    output = planner.graph.tensor(op.outputs[0])
    return replace(requantization(scale(output), output), multiplier=1.0)


def _add_spread(
    planner: PlanBuilder, op: Operator, groups: AxisSplit, packed: int, source: str
) -> None:
    """The packed groups to a vector on tile 0, and, for a SOFTMAX of whole blocks, its blocks to
    all tiles."""
    tensor = planner.dataflow.source(op.outputs[0])
    values = planner.graph.tensor(op.outputs[0]).shape[-1]
    words, count = -(-values // WORD_CHANNELS), groups[-1][1]
    blocks = blocks_of(values)
    whole = words == TILES * blocks.block and count * packed == words and count % GRID == 0
    step = FlattenSpreadStep(
        ops=(op.index,),
        groups=groups,
        group_words=packed,
        input=planner.keep(source),
        vector="",
        fifo=planner.scratch(f"{op.index} second fifo", FIFO_WORDS, rank=LAST),
        identity_line=IDENTITY_LINE if keeps_identity(planner, op) else -1,
        lowest_line=IDENTITY_LINE if keeps_identity(planner, op) else WIDE_LINES,
    )
    if whole and keeps_identity(planner, op):
        layout = produce_vector(planner, tensor, blocks)
        planner.grows_from(layout.buffer, words)
        vector = planner.scratch(f"{op.index} vector", words, rank=_BEHIND_INPUT)
        planner.add(replace(step, vector=vector, output=layout.buffer, blocks=blocks))
        return
    vector = planner.produce(tensor, count * packed)
    planner.record(tensor, VectorLayout(Blocks(words, words), vector))
    planner.add(replace(step, vector=vector))


FLATTEN = Family(
    "flatten", frozenset({"RESHAPE", "SQUEEZE", "EXPAND_DIMS"}), plan_flatten, accepts=is_flatten
)
