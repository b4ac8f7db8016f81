"""LOGISTIC of a vector: one pass through the activation table, in place.

Facts: docs/format/activation.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..frontend.graph import Operator
from .builder import PlanBuilder
from .dataflow import scale, zero_point
from .family import Family
from .plan import Step
from .pooling import RelayoutStep
from .refusal import Refusal
from .vectors import BLOCK_WORDS, Blocks, require_vector

OUTPUT_SCALE = 1 / 256
"""The table's own unit; an output in another unit would take a second pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogisticStep(Step):
    """output = 256 * sigmoid(multiplier * (input - input_zero)) + output_zero, blocks of 16
    words, input and output in the same place; identity_line: the byte identity."""

    blocks: Blocks
    input: str
    offset: int = 0
    multiplier: float
    input_zero: int
    output_zero: int
    identity_line: int


def plan_logistic(planner: PlanBuilder, op: Operator) -> None:
    """In place: the output takes the input's buffer."""
    layout = require_vector(planner, op)
    before = planner.dataflow.source(op.inputs[0])
    source, result = (planner.graph.tensor(t) for t in (op.inputs[0], op.outputs[0]))
    if scale(result) != OUTPUT_SCALE:
        raise Refusal(
            op.index,
            "LOGISTIC with another output scale than 1/256 is not derived",
            actual=scale(result),
            allowed=OUTPUT_SCALE,
        )
    if layout.blocks.block != BLOCK_WORDS or len(planner.dataflow.readers(before)) > 1:
        raise Refusal(op.index, "LOGISTIC works in place, on a vector nothing else reads")
    line = keep_identity(planner, op)
    planner.layouts[planner.dataflow.source(op.outputs[0])] = layout
    planner.add(
        LogisticStep(
            ops=(op.index,),
            blocks=layout.blocks,
            input=layout.buffer,
            offset=layout.offset,
            multiplier=scale(source),
            input_zero=zero_point(source),
            output_zero=zero_point(result),
            identity_line=line,
        )
    )


def keep_identity(planner: PlanBuilder, op: Operator) -> int:
    """Move the byte identity that a relayout made below every other transient block, so that
    it is still there; returns its line."""
    made = [i for i, step in enumerate(planner.steps) if isinstance(step, RelayoutStep)]
    if not made:
        raise Refusal(op.index, f"{op.name} without a pool over a whole map is not derived")
    index = made[-1]
    step = planner.steps[index]
    assert isinstance(step, RelayoutStep)
    planner.steps[index] = replace(step, lowest_line=step.copy_line)
    line = planner.lowest_line - 1
    planner.steps[index] = replace(step, identity_line=line, lowest_line=line)
    return line


LOGISTIC = Family("logistic", frozenset({"LOGISTIC"}), plan_logistic)
