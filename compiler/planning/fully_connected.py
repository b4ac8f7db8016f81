"""FULLY_CONNECTED, and CONV_2D of a 1x1 map: gather of the input vector to every tile, then
64 outputs a tile from weights that are resident there.

Facts: docs/format/fully_connected.md.
"""

from __future__ import annotations

from dataclasses import replace

from ..fast_dataclass import dataclass
from ..frontend.graph import Operator
from .builder import PlanBuilder
from .dataflow import scale, zero_point
from .family import Family
from .plan import TILES, WIDE_LINES, Segment, Step
from .refusal import Refusal
from .requantization import Requantization, activation_range, requantization, single
from .softmax import BEHIND_WORK, softmax_input_words
from .vectors import BLOCK_WORDS, Blocks, VectorLayout, require_vector, vector_layout
from .wide_memory import IDENTITY_LINE

CHUNK_LINES = 32
"""Most wide lines of a chunk of moving weights."""
MAX_INPUT_WORDS = BLOCK_WORDS * TILES
OUTPUT_LANES = 64
MAX_OUTPUTS = OUTPUT_LANES * TILES
PACKED_OUTPUTS = 4
"""Convolutions of at most this many outputs have packed weights."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatherStep(Step):
    """Blocks of a vector, `offset` words into `input`, -> the whole vector on the tiles of
    `readers`.

    consumer_line, producer_line: the two-line FIFOs of the ring bus at its ends. after_host:
    the blocks came by the scatter (a barrier opens the step), else a reset does.
    """

    blocks: Blocks
    readers: int
    input: str
    output: str
    offset: int = 0
    consumer_line: int
    producer_line: int
    after_host: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FullyConnectedStep(Step):
    """outputs[64 * t ..] on tile t = weights * vector, weights at segment `segments[0]`.

    inputs, outputs: channels; headers: names of the header vectors in front of the weights.
    Weights that are not there wait in a FIFO of two chunks of `chunk_words` lines from
    `weight_line` on, header vectors in a ring from `header_line` on.
    """

    inputs: int
    outputs: int
    headers: tuple[str, ...]
    input: str
    output: str
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


def reserved_lines(headers: int) -> int:
    """Wide lines below the top that stay free for a weight FIFO (two chunks of 32 lines) and,
    if there are header vectors, two sets of them with a chunk behind; resident weights use
    neither."""
    weights = 2 * CHUNK_LINES
    return weights + 2 * headers + CHUNK_LINES if headers else weights


def is_vector_layer(planner: PlanBuilder, op: Operator) -> bool:
    """FULLY_CONNECTED, or a convolution of one pixel, of a vector on the tiles."""
    if vector_layout(planner, op.inputs[0]) is None:
        return False
    if op.name == "FULLY_CONNECTED":
        return True
    outputs, height, width, _ = planner.graph.tensor(op.inputs[1]).shape
    return (height, width) == (1, 1) and outputs > PACKED_OUTPUTS


def plan_fully_connected(planner: PlanBuilder, op: Operator) -> None:
    """Gather, then the layer."""
    layout = require_vector(planner, op)
    weights = planner.graph.tensor(op.inputs[1])
    outputs, inputs = weights.shape[0], weights.shape[-1]
    _check(op, layout, inputs, outputs)
    vector = _add_gather(planner, op, layout, outputs)
    index, segment = _add_segment(planner, op, outputs)
    source = planner.dataflow.source(op.outputs[0])
    planner.keep(vector)
    weight_line = _top(planner, op) - 2 * CHUNK_LINES
    lowest_line = _top(planner, op) - reserved_lines(len(segment.headers))
    step = FullyConnectedStep(
        ops=(op.index,),
        segments=(index,),
        inputs=inputs,
        outputs=outputs,
        headers=segment.headers,
        input=vector,
        output=_produce(planner, op, source),
        input_zero=zero_point(planner.graph.tensor(op.inputs[0])),
        weight_zero=0 if "zero_point" in segment.headers else zero_point(weights),
        output_scaling=_scaling(planner, op, segment),
        weight_line=weight_line,
        header_line=lowest_line,
        lowest_line=lowest_line,
    )
    planner.layouts[source] = VectorLayout(step.blocks, step.output)
    planner.add(step)


def _check(op: Operator, layout: VectorLayout, inputs: int, outputs: int) -> None:
    blocks = layout.blocks
    if -(-inputs // 4) != blocks.words or blocks.words > MAX_INPUT_WORDS:
        raise Refusal(
            op.index,
            f"{op.name} of this many inputs is not derived",
            actual=inputs,
            allowed=f"the {blocks.words * 4} values of its input, at most {MAX_INPUT_WORDS * 4}",
        )
    if outputs > MAX_OUTPUTS:
        raise Refusal(
            op.index,
            f"{op.name} of this many outputs is not derived",
            actual=outputs,
            allowed=MAX_OUTPUTS,
        )


def _add_segment(planner: PlanBuilder, op: Operator, outputs: int) -> tuple[int, Segment]:
    """The layer's parameters, one block of 64 outputs a tile; a convolution of one pixel has
    the layout of a matrix."""
    (index,) = planner.add_segments(op)
    blocks = -(-outputs // OUTPUT_LANES)
    segment = replace(planner.segments[index], kind="fully_connected", blocks=blocks)
    planner.segments[index] = segment
    return index, segment


def _top(planner: PlanBuilder, op: Operator) -> int:
    """First line above the transient blocks: the identity line stays when SOFTMAX follows."""
    return IDENTITY_LINE if _before_softmax(planner, op) else WIDE_LINES


def _before_softmax(planner: PlanBuilder, op: Operator) -> bool:
    flow = planner.dataflow
    return any(r.name == "SOFTMAX" for r in flow.readers(flow.source(op.outputs[0])))


def _add_gather(planner: PlanBuilder, op: Operator, layout: VectorLayout, outputs: int) -> str:
    """The vector is a tensor of its own for FULLY_CONNECTED, scratch for a convolution."""
    top = _top(planner, op)
    vector = planner.scratch(
        f"{op.index} vector",
        layout.blocks.words,
        rank=0 if op.name == "FULLY_CONNECTED" else 1,
        earlier=int(layout.from_host),
    )
    planner.add(
        GatherStep(
            ops=(op.index,),
            blocks=layout.blocks,
            readers=Blocks(-(-outputs // 4)).mask,
            input=layout.buffer,
            offset=layout.offset,
            output=vector,
            consumer_line=top - 2,
            producer_line=top - 6,
            after_host=layout.from_host,
            lowest_line=top - 6,
        )
    )
    return vector


def _produce(planner: PlanBuilder, op: Operator, source: int) -> str:
    """Before SOFTMAX the outputs get the room its own vectors take there, and are placed
    behind its work area (docs/format/softmax.md)."""
    if _before_softmax(planner, op):
        channels = planner.graph.tensor(source).shape[-1]
        return planner.produce(source, softmax_input_words(channels), rank=BEHIND_WORK)
    return planner.produce(source, BLOCK_WORDS)


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
