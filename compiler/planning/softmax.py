"""SOFTMAX of a vector over the tiles.

y[i] = 256 * exp(beta * scale * (x[i] - max)) / sum. The plan fixes only where the working
vectors and the four parameter tables lie; docs/format/softmax.md has the phases.
"""

from __future__ import annotations

from math import prod

from ..fast_dataclass import dataclass
from ..float32 import single
from ..frontend.graph import Operator
from .builder import PlanBuilder
from .dataflow import scale, zero_point
from .family import Family
from .flatten import FlattenSpreadStep
from .map_collection import FlattenGatherStep
from .plan import Step
from .pooling import IDENTITY_WORDS, RelayoutStep
from .refusal import Refusal
from .softmax_area import (
    AHEAD,
    BEHIND_INPUT,
    BEHIND_WORK,
    CONSUMER_LINES,
    GATHER_LINES,
    blocks_of,
    first_gather_lines,
    has_tables,
    input_words,
    result_offset,
    work_words,
)
from .vector_copy import copy_step
from .vectors import ROW_BYTES, Blocks, VectorLayout, is_private, require_vector
from .wide_memory import IDENTITY_LINE

LOWEST_LINE = IDENTITY_LINE - 40
"""First line of the deepest FIFO with tables, that of the first gather's sender."""
MAX_ELEMENTS = 16384
_TABLE_GATHER = 36
"""Lines from the identity down to the first gather's reader with tables."""
_DEEPEST = 14
"""Lines from the top to the deepest FIFO without tables, that of the maximum's sender."""
_STEPS_SINCE_RELAYOUT = 4
"""Relayout, pool, gather and layer come before a SOFTMAX that uses the relayout's identity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SoftmaxStep(Step):
    """SOFTMAX of `elements` values. input: buffer of the blocks, block b `pitch * b` words
    into it; work: buffer of the working vectors; result: buffer of the result, `result_offset`
    words into it. With tables (`segments`) a last word with unused channels is masked; factor:
    float32 beta * input scale (without tables). identity_line: the byte identity, made from
    buffer `identity` in front, or, with `identity_late`, in the middle, or neither ('') as it is
    there already. gather_line: the FIFO of the first gather's reader. from_host: the blocks
    came by the scatter."""

    elements: int
    input: str
    pitch: int = 0
    work: str
    result: str
    result_offset: int = 0
    input_scale: float
    input_zero: int
    factor: float
    identity_line: int
    identity: str = ""
    identity_late: bool = False
    gather_line: int
    from_host: bool = False

    @property
    def masked(self) -> bool:
        return has_tables(self.elements)

    @property
    def blocks(self) -> Blocks:
        return blocks_of(self.elements)

    @property
    def top(self) -> int:
        """First line above the FIFOs in front of the exponentials."""
        return self.identity_line + int(self.identity_late)


def plan_softmax(planner: PlanBuilder, op: Operator) -> None:
    """Behind a copy, if the input is not where SOFTMAX may work."""
    _check(planner, op)
    layout = _own_input(planner, op)
    source = planner.graph.tensor(op.inputs[0])
    elements = source.shape[-1]
    places = _places(planner, op, layout, elements)
    late = not has_tables(elements) and not _has_identity(planner)
    step = SoftmaxStep(
        ops=(op.index,),
        segments=planner.add_segments(op),
        elements=elements,
        input=layout.buffer,
        pitch=layout.pitch,
        work=places.work,
        result=places.layout.buffer,
        result_offset=places.layout.offset,
        input_scale=scale(source),
        input_zero=zero_point(source),
        factor=single(scale(source) * single(float(op.options.get("beta", 1.0)))),
        identity_line=IDENTITY_LINE,
        identity=_early_identity(planner, op, elements),
        identity_late=late,
        gather_line=_gather_line(layout, elements, IDENTITY_LINE + int(late)),
        from_host=layout.from_host,
        lowest_line=LOWEST_LINE if has_tables(elements) else IDENTITY_LINE - _DEEPEST,
    )
    planner.record(planner.dataflow.source(op.outputs[0]), places.layout)
    planner.add(step)


@dataclass(frozen=True, slots=True)
class _Places:
    work: str
    layout: VectorLayout


def _places(planner: PlanBuilder, op: Operator, layout: VectorLayout, elements: int) -> _Places:
    """The work area and the result's layout: with tables an area of its own, the result inside
    it; without them the input's, the result behind it."""
    blocks = blocks_of(elements)
    if has_tables(elements):
        work = planner.scratch(f"{op.index} work", work_words(elements), rank=AHEAD)
        return _Places(work, VectorLayout(blocks, work, result_offset(elements)))
    tensor = planner.dataflow.source(op.outputs[0])
    result = planner.produce(tensor, blocks.block, rank=BEHIND_INPUT)
    return _Places(layout.buffer, VectorLayout(blocks, result))


def _own_input(planner: PlanBuilder, op: Operator) -> VectorLayout:
    """The input's layout, where SOFTMAX may work; a copy of it where it may not."""
    layout = require_vector(planner, op)
    elements = planner.graph.tensor(op.inputs[0]).shape[-1]
    wanted = blocks_of(elements)
    room = input_words(elements)
    if layout.blocks == wanted and layout.room >= room and is_private(planner, op):
        return layout
    buffer = planner.scratch(f"{op.index} input", room, rank=BEHIND_WORK)
    planner.add(copy_step(op, layout, wanted, buffer))
    planner.keep(buffer)
    return VectorLayout(wanted, buffer, room=room)


def _gather_line(layout: VectorLayout, elements: int, top: int) -> int:
    if has_tables(elements):
        return IDENTITY_LINE - _TABLE_GATHER
    if layout.from_host:
        lines = first_gather_lines(-(-elements // ROW_BYTES))
        return lines["gather"] + GATHER_LINES - CONSUMER_LINES
    return top - CONSUMER_LINES


def _early_identity(planner: PlanBuilder, op: Operator, elements: int) -> str:
    """Scratch for the byte identity where the tables need it first of all."""
    if not has_tables(elements) or _has_identity(planner):
        return ""
    return planner.scratch(f"{op.index} identity", IDENTITY_WORDS)


def _has_identity(planner: PlanBuilder) -> bool:
    """Whether the relayout in front of the pool and the layer left the byte identity, or the
    flattening of a map just before."""
    steps = planner.steps
    if steps and isinstance(steps[-1], FlattenGatherStep | FlattenSpreadStep):
        return steps[-1].identity_line == IDENTITY_LINE
    if len(steps) < _STEPS_SINCE_RELAYOUT:
        return False
    step = steps[-_STEPS_SINCE_RELAYOUT]
    return isinstance(step, RelayoutStep) and step.identity_line == IDENTITY_LINE


def _check(planner: PlanBuilder, op: Operator) -> None:
    source, result = (planner.graph.tensor(t) for t in (op.inputs[0], op.outputs[0]))
    if scale(result) != 1 / 256 or zero_point(result) != 0:
        raise Refusal(op.index, "SOFTMAX with an output unit other than 1/256 from 0 is unknown")
    if prod(source.shape[:-1]) != 1:
        raise Refusal(op.index, "SOFTMAX of several vectors is not derived", actual=source.shape)
    if source.shape[-1] > MAX_ELEMENTS:
        raise Refusal(op.index, "SOFTMAX", actual=source.shape[-1], allowed=MAX_ELEMENTS)


SOFTMAX = Family("softmax", frozenset({"SOFTMAX"}), plan_softmax)
