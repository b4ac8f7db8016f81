"""SOFTMAX of a vector over the tiles.

y[i] = 256 * exp(beta * scale * (x[i] - max)) / sum. The plan fixes only where the working
vectors and the four parameter tables lie; docs/format/softmax.md has the phases.
"""

from __future__ import annotations

from math import prod

from ..fast_dataclass import dataclass
from ..frontend.graph import Operator
from .builder import PlanBuilder
from .dataflow import scale, zero_point
from .family import Family
from .plan import TILES, Step
from .pooling import IDENTITY_WORDS, RelayoutStep
from .refusal import Refusal
from .requantization import single
from .vectors import BLOCK_WORDS, Blocks, VectorLayout, is_private, require_vector
from .wide_memory import IDENTITY_LINE

AHEAD = -1.0
BEHIND_WORK = 2.0
"""Allocation ranks: the work area first, so that it takes address 0; the input behind it."""
LOWEST_LINE = IDENTITY_LINE - 40
"""First line of the deepest FIFO, that of the first gather's sender."""
_WORD_CHANNELS = 4
_STEPS_SINCE_RELAYOUT = 4
"""Relayout, pool, gather and layer come before a SOFTMAX that uses the relayout's identity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SoftmaxStep(Step):
    """SOFTMAX of `elements` values. input: buffer of the blocks; work: buffer of the working
    vectors; masked: the last word has unused channels, which the tables (`segments`) mask;
    factor: float32 beta * input scale (without tables). identity_line: the byte identity, made
    from buffer `identity` unless a relayout left it there ('')."""

    elements: int
    input: str
    work: str
    input_scale: float
    input_zero: int
    factor: float
    identity_line: int
    identity: str

    @property
    def masked(self) -> bool:
        return bool(self.elements % _WORD_CHANNELS)

    @property
    def blocks(self) -> Blocks:
        return Blocks.spread(-(-self.elements // _WORD_CHANNELS))

    @property
    def result_offset(self) -> int:
        """Words from `work` to the tile's block of the result."""
        return result_offset(self.elements)


def span_words(elements: int) -> int:
    """Words between the working vectors: their length, at least a block."""
    return max(-(-elements // _WORD_CHANNELS), BLOCK_WORDS)


def result_offset(elements: int) -> int:
    """See SoftmaxStep.result_offset."""
    span, block = span_words(elements), _block_words(elements)
    if elements % _WORD_CHANNELS:
        return 2 * block + 2 * span + 4 * block + 1
    return 4 * span + 4 * block + 1


def _block_words(elements: int) -> int:
    return Blocks.spread(-(-elements // _WORD_CHANNELS)).block


def work_words(elements: int) -> int:
    """Words of the work area: three vectors, or what the result's place asks for."""
    return max(3 * span_words(elements), result_offset(elements) + _block_words(elements))


def softmax_input_words(elements: int) -> int:
    """Words the producer of the input reserves at it: four blocks of scratch, or, without
    tables, the whole work area."""
    return 4 * _block_words(elements) if elements % _WORD_CHANNELS else work_words(elements)


def plan_softmax(planner: PlanBuilder, op: Operator) -> None:
    """Working vectors at the lowest address; the tables on the tiles of their blocks."""
    layout = require_vector(planner, op)
    source, result = (planner.graph.tensor(t) for t in (op.inputs[0], op.outputs[0]))
    elements = source.shape[-1]
    _check(planner, op, layout)
    if scale(result) != 1 / 256 or zero_point(result) != 0:
        raise Refusal(op.index, "SOFTMAX with an output unit other than 1/256 from 0 is unknown")
    work = layout.buffer
    if elements % _WORD_CHANNELS:
        work = planner.scratch(f"{op.index} work", work_words(elements), rank=AHEAD)
    step = SoftmaxStep(
        ops=(op.index,),
        segments=planner.add_segments(op),
        elements=elements,
        input=layout.buffer,
        work=work,
        input_scale=scale(source),
        input_zero=zero_point(source),
        factor=single(scale(source) * single(float(op.options.get("beta", 1.0)))),
        identity_line=IDENTITY_LINE,
        identity="" if _has_identity(planner) else _identity_scratch(planner, op),
        lowest_line=LOWEST_LINE,
    )
    planner.layouts[planner.dataflow.source(op.outputs[0])] = VectorLayout(
        layout.blocks, work, step.result_offset
    )
    planner.add(step)


def _has_identity(planner: PlanBuilder) -> bool:
    """Whether the relayout in front of the pool and the layer left the byte identity."""
    steps = planner.steps
    if len(steps) < _STEPS_SINCE_RELAYOUT:
        return False
    step = steps[-_STEPS_SINCE_RELAYOUT]
    return isinstance(step, RelayoutStep) and step.identity_line == IDENTITY_LINE


def _identity_scratch(planner: PlanBuilder, op: Operator) -> str:
    return planner.scratch(f"{op.index} identity", IDENTITY_WORDS)


def _check(planner: PlanBuilder, op: Operator, layout: VectorLayout) -> None:
    producer = planner.dataflow.producer(op.inputs[0])
    shape = planner.graph.tensor(op.inputs[0]).shape
    if producer is None or producer.name not in ("FULLY_CONNECTED", "CONV_2D"):
        raise Refusal(op.index, "SOFTMAX needs the result of a layer as its input")
    if prod(shape[:-1]) != 1:
        raise Refusal(op.index, "SOFTMAX of several vectors is not derived", actual=shape)
    if layout.blocks.block != BLOCK_WORDS or layout.blocks.tiles > TILES:
        raise Refusal(op.index, "SOFTMAX needs its input in blocks of 64 on the tiles")
    if shape[-1] % _WORD_CHANNELS == 0 and not is_private(planner, op):
        raise Refusal(op.index, "SOFTMAX works in place, on a vector nothing else reads")


SOFTMAX = Family("softmax", frozenset({"SOFTMAX"}), plan_softmax)
