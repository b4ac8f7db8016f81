"""FULLY_CONNECTED, and CONV_2D of a 1x1 map: gather of the input vector to every tile, then
64 outputs a tile from weights that are resident there.

Facts: docs/format/fully_connected.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..fast_dataclass import dataclass
from ..float32 import single
from ..frontend.graph import Operator
from .builder import PlanBuilder
from .dataflow import scale, zero_point
from .family import Family
from .joint_vector import joint_place
from .map_collection import collect_map
from .map_layout import MapLayout
from .matrix_parts import matrix_parts
from .plan import Segment, Step
from .refusal import Refusal
from .requantization import Requantization, activation_range, requantization
from .softmax_area import produce_vector
from .tiling import length
from .vectors import BLOCK_WORDS, Blocks, VectorLayout, require_vector, vector_layout
from .wide_memory import IDENTITY_LINE

CHUNK_LINES = 32
"""Most wide lines of a chunk of moving weights."""
MAX_INPUT_WORDS = 16384
"""Words of the longest input vector; every computing tile holds all of it."""
MOST_OUTPUTS = 65536
"""Outputs of a layer, all its steps together."""
PACKED_OUTPUTS = 4
"""Convolutions of at most this many outputs have packed weights."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatherStep(Step):
    """Blocks of a vector, block b `offset + pitch * b` words into `input`, -> the whole vector
    on the tiles of `readers`.

    consumer_line, producer_line: the two-line FIFOs of the ring bus at its ends. after_host:
    the blocks came by the scatter (a barrier opens the step), else a reset does. again: the
    vector is there already, from a gather before; early: other steps come before the layer.
    """

    blocks: Blocks
    readers: int
    input: str
    output: str
    offset: int = 0
    pitch: int = 0
    again: bool = False
    consumer_line: int
    producer_line: int
    after_host: bool = False
    early: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FullyConnectedStep(Step):
    """outputs[64 * t ..] on tile t = weights * vector, weights at segment `segments[0]`.

    inputs, outputs: channels; headers: names of the header vectors in front of the weights.
    The outputs go `output_offset` words into `output`; `joint_words`: words of a vector of
    several layers' outputs that they are a part of, 0 for a vector of their own. Weights that
    are not there wait in a FIFO of two chunks of `chunk_words` lines from `weight_line` on,
    header vectors in a ring from `header_line` on.
    """

    inputs: int
    outputs: int
    headers: tuple[str, ...]
    input: str
    output: str
    output_offset: int = 0
    joint_words: int = 0
    input_zero: int
    weight_zero: int
    output_scaling: Requantization
    weight_line: int
    header_line: int

    @property
    def chunk_words(self) -> int:
        """Words of four inputs in a chunk: as many as divide the vector evenly."""
        words = -(-self.inputs // 4)
        return max(size for size in range(1, CHUNK_LINES + 1) if words % size == 0)

    @property
    def blocks(self) -> Blocks:
        return Blocks(-(-self.outputs // 4))


_MOST_HEADERS = 3


def reserved_lines(headers: int) -> int:
    """Wide lines below the top that stay free for a weight FIFO (two chunks of 32 lines) and,
    if there are header vectors, two sets of them with a chunk behind; resident weights use
    neither."""
    weights = 2 * CHUNK_LINES
    return weights + 2 * headers + CHUNK_LINES if headers else weights


def is_vector_layer(planner: PlanBuilder, op: Operator) -> bool:
    """FULLY_CONNECTED, or a convolution of one pixel, of a vector on the tiles."""
    if op.name == "FULLY_CONNECTED":
        return True
    if vector_layout(planner, op.inputs[0]) is None:
        return False
    outputs, height, width, _ = planner.graph.tensor(op.inputs[1]).shape
    padded = op.inputs[0] in planner.dataflow.pads
    return (height, width) == (1, 1) and outputs > PACKED_OUTPUTS and not padded


def plan_fully_connected(planner: PlanBuilder, op: Operator) -> None:
    """Gather, then the layer; as a part of a joint vector, if that is what reads it."""
    weights = planner.graph.tensor(op.inputs[1])
    outputs, inputs = weights.shape[0], weights.shape[-1]
    blocks = Blocks.spread(-(-outputs // 4))
    readers = _reading_tiles(planner, op, blocks)
    layout = _input(planner, op, readers)
    _check(op, layout, inputs, outputs)
    top = _top(planner, op)
    vector = add_gather(planner, op, layout, readers, top)
    matrices = add_matrices(planner, op, outputs)
    planner.keep(vector)
    size, scaling = (inputs, outputs), _scaling(planner, op, matrices[0][1])
    step = matrix_step(op, matrices[0], vector, size=size, scaling=scaling, top=top)
    step = replace(
        step,
        input_zero=zero_point(planner.graph.tensor(op.inputs[0])),
        weight_zero=0 if "zero_point" in step.headers else zero_point(weights),
    )
    add_parts(planner, _with_output(planner, op, step, blocks), matrices)


def plan_early_gather(planner: PlanBuilder, tensor: int) -> None:
    """Gather a vector (a source) behind which something else than its first reader comes, if that
    is a convolution of one pixel."""
    op, layout = planner.dataflow.readers(tensor)[0], vector_layout(planner, tensor)
    if op.name != "CONV_2D" or layout is None or not is_vector_layer(planner, op):
        return
    outputs = planner.graph.tensor(op.inputs[1]).shape[0]
    tiles = _reading_tiles(planner, op, Blocks.spread(-(-outputs // 4)))
    if _gather_key(layout, tiles) not in planner.gathered:
        planner.keep(layout.buffer)
        add_gather(planner, op, layout, tiles, _top(planner, op), early=True)


def _reading_tiles(planner: PlanBuilder, op: Operator, blocks: Blocks) -> int:
    """Tiles on which the layer, or another convolution of the same pixel, has outputs."""
    graph, mask = planner.graph, blocks.mask
    if op.name == "CONV_2D":
        for other in planner.dataflow.readers(planner.dataflow.source(op.inputs[0])):
            if other.name == op.name and is_vector_layer(planner, other):
                words = -(-graph.tensor(other.inputs[1]).shape[0] // 4)
                mask |= Blocks.spread(words).mask
    return mask


def add_parts(
    planner: PlanBuilder, layer: FullyConnectedStep, matrices: Sequence[tuple[int, Segment]]
) -> None:
    """The steps of a layer, one for each part of its outputs, each at its 64 outputs of every
    tile's block."""
    parts = matrix_parts(layer.outputs)
    for number, ((index, _), part) in enumerate(zip(matrices, parts, strict=True)):
        planner.keep(layer.input)
        planner.keep(layer.output)
        planner.add(
            replace(
                layer,
                segments=(index,),
                outputs=sum(map(length, part)),
                output_offset=layer.output_offset + BLOCK_WORDS * number,
            )
        )


def _input(planner: PlanBuilder, op: Operator, readers: int) -> VectorLayout:
    """The input vector, which may be gone if it is on the tiles `readers` already; a map of whole
    words is collected first."""
    source = planner.layouts.get(planner.dataflow.source(op.inputs[0]))
    if isinstance(source, VectorLayout) and _gather_key(source, readers) in planner.gathered:
        return source
    if not isinstance(source, MapLayout):
        return require_vector(planner, op)
    if planner.graph.tensor(op.inputs[0]).shape[-1] % 4:
        raise Refusal(op.index, f"{op.name} of a map whose pixels are no whole words")
    words = source.height * source.width * source.channel_words
    collected = planner.scratch(f"{op.index} collected", words)
    planner.add(collect_map(planner, op, source, collected))
    planner.keep(collected)
    return VectorLayout(Blocks(words, words), collected)


def _with_output(
    planner: PlanBuilder, op: Operator, step: FullyConnectedStep, blocks: Blocks
) -> FullyConnectedStep:
    """The outputs' buffer: a vector of their own in `blocks`, or a place in a joint one."""
    source = planner.dataflow.source(op.outputs[0])
    joint = joint_place(planner, source)
    if joint is not None:
        planner.record(source, joint.layout(blocks))
        return replace(
            step, output=joint.buffer, output_offset=joint.offset, joint_words=joint.words
        )
    return replace(step, output=produce_vector(planner, source, blocks).buffer)


def matrix_step(
    op: Operator,
    matrix: tuple[int, Segment],
    vector: str,
    *,
    size: tuple[int, int],
    scaling: Requantization,
    top: int,
) -> FullyConnectedStep:
    """The layer of `size` (inputs, outputs) below line `top`, without its output and with zero
    points of zero. matrix: its parameters, as `add_matrix` gives them."""
    index, segment = matrix
    lowest = top - reserved_lines(len(segment.headers))
    return FullyConnectedStep(
        ops=(op.index,),
        segments=(index,),
        inputs=size[0],
        outputs=size[1],
        headers=segment.headers,
        input=vector,
        output="",
        input_zero=0,
        weight_zero=0,
        output_scaling=scaling,
        weight_line=top - 2 * CHUNK_LINES,
        header_line=lowest,
        lowest_line=lowest,
    )


def _check(op: Operator, layout: VectorLayout, inputs: int, outputs: int) -> None:
    blocks = layout.blocks
    if -(-inputs // 4) != blocks.words or blocks.words > MAX_INPUT_WORDS:
        raise Refusal(
            op.index,
            f"{op.name} of this many inputs is not derived",
            actual=inputs,
            allowed=f"the {blocks.words * 4} values of its input, at most {MAX_INPUT_WORDS * 4}",
        )
    if outputs > MOST_OUTPUTS:
        raise Refusal(
            op.index,
            f"{op.name} of this many outputs is not derived",
            actual=outputs,
            allowed=MOST_OUTPUTS,
        )


def add_matrix(planner: PlanBuilder, op: Operator, outputs: int) -> tuple[int, Segment]:
    """As `add_matrices` for a layer of one part."""
    (matrix,) = add_matrices(planner, op, outputs)
    return matrix


def add_matrices(planner: PlanBuilder, op: Operator, outputs: int) -> list[tuple[int, Segment]]:
    """The parameters of each part of the layer, one block of 64 outputs a tile; a convolution of
    one pixel has the layout of a matrix."""
    indices, parts = planner.add_segments(op), matrix_parts(outputs)
    if len(indices) != len(parts):
        raise Refusal(op.index, f"no parameter data is known for this {op.name}")
    for index, part in zip(indices, parts, strict=True):
        segment = replace(planner.segments[index], kind="fully_connected", blocks=len(part))
        planner.segments[index] = segment
    return [(index, planner.segments[index]) for index in indices]


def _top(planner: PlanBuilder, op: Operator) -> int:
    """First line above the transient blocks: the identity line stays when SOFTMAX follows, and
    behind it."""
    flow = planner.dataflow
    before = flow.producer(op.inputs[0])
    follows = any(r.name == "SOFTMAX" for r in flow.readers(flow.source(op.outputs[0])))
    behind = before is not None and before.name == "SOFTMAX"
    lines = reserved_lines(_MOST_HEADERS)
    return IDENTITY_LINE if follows or behind else planner.block_line(lines) + lines


def add_gather(
    planner: PlanBuilder,
    op: Operator,
    layout: VectorLayout,
    readers: int,
    top: int,
    *,
    early: bool = False,
) -> str:
    """The whole vector on the tiles of `readers`; its buffer, that of an earlier layer if that
    gathered it on the same tiles. It is a tensor of its own for FULLY_CONNECTED, scratch for a
    convolution."""
    key = _gather_key(layout, readers)
    earlier = planner.gathered.get(key)
    step = GatherStep(
        ops=(op.index,),
        blocks=layout.blocks,
        readers=readers,
        input=layout.buffer,
        offset=layout.offset,
        pitch=layout.pitch,
        output=earlier or f"{op.index} vector",
        again=earlier is not None,
        consumer_line=top - 2,
        producer_line=top - 6,
        after_host=layout.from_host,
        early=early,
        lowest_line=top - 6,
    )
    if earlier is None:
        planner.gathered[key] = planner.scratch(
            step.output,
            layout.blocks.words,
            rank=0,
            earlier=int(layout.from_host),
        )
    planner.keep(step.output)
    planner.add(step)
    return step.output


def _gather_key(layout: VectorLayout, readers: int) -> tuple[str, int, int]:
    return layout.buffer, layout.offset, readers


def _scaling(planner: PlanBuilder, op: Operator, segment: Segment) -> Requantization:
    limits = activation_range(op.options.get("fused_activation_function", 0))
    if limits is None:
        raise Refusal(
            op.index,
            f"{op.name} with this fused activation is unknown",
            actual=op.options["fused_activation_function"],
            allowed="NONE, RELU, RELU_N1_TO_1 or RELU6",
        )
    source, weights = (planner.graph.tensor(t) for t in op.inputs[:2])
    output = planner.graph.tensor(op.outputs[0])
    result = requantization(single(scale(source) * scale(weights)), output, limits)
    return replace(result, multiplier=1.0) if "scale" in segment.headers else result


FULLY_CONNECTED = Family(
    "fully connected",
    frozenset({"FULLY_CONNECTED", "CONV_2D"}),
    plan_fully_connected,
    accepts=is_vector_layer,
)
