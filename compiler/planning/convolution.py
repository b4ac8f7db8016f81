"""CONV_2D and DEPTHWISE_CONV_2D: geometry of every tile, weight chunks, wide blocks.

Reads the Graph level through the planner, adds `ConvolutionStep`s to the Plan. A depthwise
convolution of one channel is an ordinary one, and an ordinary one from one channel to one is
computed as a depthwise one (docs/format/convolution.md).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ..fast_dataclass import dataclass
from ..float32 import single
from ..frontend.graph import Operator
from .builder import PlanBuilder
from .collected_map import COLLECTION_LINES, collect_on_first_tile
from .dataflow import scale, zero_point
from .family import Family, always
from .halo import HaloMove, halo_moves
from .map_layout import MapLayout
from .plan import WIDE_LINES, Segment, Step
from .refusal import Refusal
from .requantization import Requantization, activation_range, requantization
from .tiling import GRID, MapNeed, Window, length, same_padding, split
from .vectors import Blocks, VectorLayout
from .weight_chunks import WeightChunks, weight_chunks
from .wide_memory import stack_blocks, top_line

WORD_CHANNELS = 4
LANES = 64
"""Output channels of a block: lanes of a wide line."""
SPARE_HEADER_LINES = 32
"""Lines the header ring is longer than its vectors need."""
_SAME = 0
"""Padding.SAME of the schema."""


@dataclass(frozen=True, slots=True)
class ConvolutionWindow:
    """The two windows of a convolution over its input map."""

    rows: Window
    columns: Window

    @property
    def taps(self) -> int:
        """Kernel positions."""
        return self.rows.kernel * self.columns.kernel


@dataclass(frozen=True, slots=True)
class TileClass:
    """Tiles that compute the same rectangle of outputs from the same place: `height` x `width`
    outputs; word offsets, from the buffers' starts, of the first pixel read and written; words
    from a row of either map to the next."""

    height: int
    width: int
    input_offset: int
    input_row: int
    output_offset: int
    output_row: int
    tiles: int


@dataclass(frozen=True, slots=True)
class WideBlocks:
    """First lines of the transient blocks; `headers` only exists with header vectors, `partial`
    with streamed weights, `collection` where the result is collected on tile 0."""

    weights: int
    headers: int = WIDE_LINES
    partial: int = WIDE_LINES
    collection: int = WIDE_LINES

    @property
    def lowest(self) -> int:
        return min(self.weights, self.headers, self.partial, self.collection)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvolutionStep(Step):
    """One convolution layer.

    exchange: moves that fill the halo of its input map (made once, by its first reader).
    depthwise: groups of four channels with weights of their own. packed: parameters travel in
    16-byte rows through the scalar core (depthwise, or at most four output channels).
    headers: names of the header vectors in front of each block, in order. spread: rows and
    columns of the result from one output to the next; other steps write what lies between.
    """

    window: ConvolutionWindow
    input: MapLayout
    output: MapLayout
    input_buffer: str
    output_buffer: str
    exchange: tuple[HaloMove, ...]
    depthwise: bool
    packed: bool
    output_channels: int
    chunks: WeightChunks
    headers: tuple[str, ...]
    blocks: WideBlocks
    classes: tuple[TileClass, ...]
    input_zero: int
    weight_zero: int
    requantization: Requantization
    spread: tuple[int, int] = (1, 1)

    @property
    def tiles(self) -> int:
        """Mask of the tiles that have outputs."""
        mask = 0
        for tile_class in self.classes:
            mask |= tile_class.tiles
        return mask

    @property
    def longest_loop(self) -> int:
        return max((one.height * one.width for one in self.classes), default=0)

    @property
    def input_words(self) -> int:
        """Words of four channels in a pixel of the input."""
        return self.input.channel_words

    @property
    def output_blocks(self) -> int:
        """Blocks of 64 output channels (depthwise: of four)."""
        if self.depthwise:
            return self.input_words
        return -(-self.output_channels // LANES)


@dataclass(frozen=True, slots=True, kw_only=True)
class HaloStep(Step):
    """The halo of a layer's input, filled apart from it: an output leaves before the layer."""

    input: MapLayout
    input_buffer: str
    exchange: tuple[HaloMove, ...]
    input_zero: int


@dataclass(frozen=True, slots=True)
class LayerShape:
    """What one step computes: outputs by their tiles. size: rows and columns of all its outputs
    (of the whole map, in spatial passes); spread: rows and columns of the result from one of them
    to the next."""

    window: ConvolutionWindow
    classes: tuple[TileClass, ...]
    size: tuple[int, int]
    spread: tuple[int, int] = (1, 1)


def plan_convolution(planner: PlanBuilder, op: Operator) -> None:
    """Add the step of one convolution."""
    layout = planner.map_layout(op, op.inputs[0])
    check_layer(planner, op, layout)
    output = planner.lay_out_map(op.outputs[0])
    window = convolution_window(planner, op)
    _, height, width, _ = planner.graph.tensor(op.outputs[0]).shape
    shape = LayerShape(window, tile_classes(window, layout, output), (height, width))
    buffer = add_layer(planner, op, shape, planner.add_segment(op))
    if _makes_vector(planner, op):
        blocks = Blocks(output.channel_words, output.channel_words)
        planner.record(op.outputs[0], VectorLayout(blocks, buffer))


def _makes_vector(planner: PlanBuilder, op: Operator) -> bool:
    """Whether the result is one pixel that layers with a filter of one pixel read."""
    graph, result = planner.graph, op.outputs[0]
    readers = planner.dataflow.readers(result)
    single = graph.tensor(result).shape[1:3] == (1, 1) and planner.joint_part(result) is None
    return (
        single
        and bool(readers)
        and all(
            reader.name == "CONV_2D"
            and graph.tensor(reader.inputs[1]).shape[1:3] == (1, 1)
            and graph.tensor(reader.inputs[1]).shape[0] > WORD_CHANNELS
            and reader.inputs[0] not in planner.dataflow.pads
            for reader in readers
        )
    )


def add_layer(
    planner: PlanBuilder, op: Operator, shape: LayerShape, segment_index: int, buffer: str = ""
) -> str:
    """Add the step of a layer whose input and result have their layouts; returns the result's
    buffer. buffer: that of an earlier step which writes into the same map."""
    graph, output = planner.graph, planner.map_layout(op, op.outputs[0])
    layout = planner.map_layout(op, op.inputs[0])
    pixels = max(tile_class.height * tile_class.width for tile_class in shape.classes)
    segment = planner.segments[segment_index]
    chunks = _chunks(planner, op, shape, segment, pixels)
    try:
        blocks = _wide_blocks(planner, op, chunks, segment, pixels)
    except Refusal:
        if chunks.count > 1 or chunks.single_buffered:
            raise
        chunks = replace(chunks, single_buffered=True)
        blocks = _wide_blocks(planner, op, chunks, segment, pixels)
    zeros_travel = "zero_point" in segment.headers
    source = planner.consume(op.inputs[0])
    target = planner.keep(buffer) if buffer else planner.produce(op.outputs[0], output.words)
    planner.add(
        ConvolutionStep(
            ops=(op.index,),
            segments=(segment_index,),
            lowest_line=blocks.lowest,
            window=shape.window,
            input=layout,
            output=output,
            input_buffer=source,
            output_buffer=target,
            exchange=_exchange(planner, op, layout),
            depthwise=is_depthwise(planner, op),
            packed=segment.kind == "depthwise",
            output_channels=graph.tensor(op.outputs[0]).shape[3],
            chunks=chunks,
            headers=segment.headers,
            blocks=blocks,
            classes=shape.classes,
            spread=shape.spread,
            input_zero=zero_point(graph.tensor(op.inputs[0])),
            weight_zero=0 if zeros_travel else zero_point(graph.tensor(op.inputs[1])),
            requantization=_requantization(planner, op, segment),
        )
    )
    collect_on_first_tile(planner, op, blocks.collection)
    return target


def convolution_window(planner: PlanBuilder, op: Operator) -> ConvolutionWindow:
    """The windows along rows and columns, with the padding of a fused PAD."""
    graph = planner.graph
    pad = planner.dataflow.pads.get(op.inputs[0])
    size, kernel, result = (
        graph.tensor(t).shape[1:3] for t in (op.inputs[0], op.inputs[1], op.outputs[0])
    )
    axes = []
    for axis, letter in enumerate("hw"):
        stride = op.options.get(f"stride_{letter}", 1) or 1
        dilation = op.options.get(f"dilation_{letter}_factor", 1) or 1
        before = pad.before[axis] if pad else 0
        if op.options.get("padding", 0) == _SAME:
            before += same_padding(size[axis], result[axis], kernel[axis], stride, dilation)
        axes.append(Window(kernel[axis], stride, dilation, before))
    return ConvolutionWindow(*axes)


def convolution_needs(planner: PlanBuilder, op: Operator, _tensor: int) -> MapNeed:
    """Pixels of the input map that each tile row and column reads."""
    window = convolution_window(planner, op)
    rows, columns = planner.extent(op.outputs[0])
    return MapNeed(window.rows.need(split(*rows)), window.columns.need(split(*columns)))


def is_depthwise(planner: PlanBuilder, op: Operator) -> bool:
    """Whether each group of four channels has weights of its own."""
    inputs = planner.graph.tensor(op.inputs[0]).shape[3]
    outputs = planner.graph.tensor(op.outputs[0]).shape[3]
    return inputs > 1 if op.name == "DEPTHWISE_CONV_2D" else inputs == outputs == 1


def tile_classes(
    window: ConvolutionWindow, source: MapLayout, target: MapLayout
) -> tuple[TileClass, ...]:
    """Tiles with outputs, by equal geometry, in the order of their lowest tiles."""

    def place(tile: int) -> TileClass:
        height, width = target.own_size(tile)
        row, column = target.own_corner(tile)
        top, left = window.rows.first_tap(row), window.columns.first_tap(column)
        return TileClass(
            height=height,
            width=width,
            input_offset=source.offset(tile, top, left),
            input_row=source.row_words(tile),
            output_offset=target.offset(tile, row, column),
            output_row=target.row_words(tile),
            tiles=1 << tile,
        )

    return group_tiles(map(place, range(GRID * GRID)))


def group_tiles(tiles: Iterable[TileClass]) -> tuple[TileClass, ...]:
    """Single tiles, by equal geometry; those without outputs are left out."""
    masks: dict[TileClass, int] = {}
    for tile in tiles:
        if tile.height and tile.width:
            key = replace(tile, tiles=0)
            masks[key] = masks.get(key, 0) | tile.tiles
    return tuple(replace(key, tiles=mask) for key, mask in masks.items())


def plan_early_halo(planner: PlanBuilder, tensor: int) -> None:
    """Fill the halo of a map (a source) behind which something else than its first reader comes,
    if a convolution has just made it and a convolution reads it next."""
    reader = next(iter(planner.dataflow.readers(tensor)), None)
    layout = planner.layouts.get(tensor)
    apart = reader is not None and reader.name in CONVOLUTION.operators
    if not apart or not isinstance(planner.steps[-1], ConvolutionStep):
        return
    if isinstance(layout, MapLayout) and planner.claim_exchange(tensor):
        planner.add(
            HaloStep(
                input=layout,
                input_buffer=planner.consume(tensor),
                exchange=halo_moves(layout),
                input_zero=zero_point(planner.graph.tensor(tensor)),
            )
        )


def _exchange(planner: PlanBuilder, op: Operator, layout: MapLayout) -> tuple[HaloMove, ...]:
    if planner.claim_exchange(planner.dataflow.source(op.inputs[0])):
        if layout.collected:
            raise Refusal(op.index, "a map that should have been collected")
        return halo_moves(layout)
    return ()


def _chunks(
    planner: PlanBuilder, op: Operator, shape: LayerShape, segment: Segment, pixels: int
) -> WeightChunks:
    """As the parameter data is laid out: its order is that of the whole map's chunks, but of
    1x1 kernels the same for all. `pixels`: of the busiest tile, in this pass."""
    taps = shape.window.taps
    if is_depthwise(planner, op):
        return WeightChunks(1, 1, taps, single_buffered=False)
    channels = planner.graph.tensor(op.inputs[0]).shape[3]
    if taps > 1:
        height, width = shape.size
        pixels = -(-height // GRID) * -(-width // GRID)
    words = -(-channels // WORD_CHANNELS)
    return weight_chunks(taps, words, len(segment.headers), pixels)


def _wide_blocks(
    planner: PlanBuilder, op: Operator, chunks: WeightChunks, segment: Segment, pixels: int
) -> WideBlocks:
    sizes = {"partial": pixels} if chunks.count > 1 else {}
    sizes["weights"] = chunks.slots * chunks.lines
    if segment.headers:
        sizes["headers"] = chunks.slots * len(segment.headers) + SPARE_HEADER_LINES
    if planner.map_layout(op, op.outputs[0]).collected:
        sizes["collection"] = COLLECTION_LINES
    top = top_line(planner, op)
    return WideBlocks(**stack_blocks(top, sizes, op.index, planner.taken.values()))


def _requantization(planner: PlanBuilder, op: Operator, segment: Segment) -> Requantization:
    """Per-channel scales travel as a header vector and leave a multiplier of one."""
    limits = activation_range(op.options.get("fused_activation_function", 0))
    if limits is None:
        raise Refusal(
            op.index,
            "fused activation function",
            actual=op.options["fused_activation_function"],
            allowed="NONE, RELU, RELU_N1_TO_1 or RELU6",
        )
    graph = planner.graph
    scales = [scale(graph.tensor(t)) for t in op.inputs[:2]]
    result = requantization(single(scales[0] * scales[1]), graph.tensor(op.outputs[0]), limits)
    return replace(result, multiplier=1.0) if "scale" in segment.headers else result


def check_layer(planner: PlanBuilder, op: Operator, layout: MapLayout) -> None:
    """Refuse what no proven instruction covers."""
    batch = planner.graph.tensor(op.inputs[0]).shape[0]
    if batch != 1:
        raise Refusal(op.index, "batch size", actual=batch, allowed=1)
    rows, columns = planner.extent(planner.dataflow.source(op.inputs[0]))
    if (layout.height, layout.width) != (length(rows), length(columns)):
        raise Refusal(op.index, f"{op.name} reads its input in another shape than it was written")
    if layout.pixel_words != layout.channel_words:
        raise Refusal(op.index, f"{op.name} reads a part of a joint map")


CONVOLUTION = Family(
    "convolution",
    frozenset({"CONV_2D", "DEPTHWISE_CONV_2D"}),
    plan=plan_convolution,
    needs=convolution_needs,
    by_parts=always,
)
