"""LOGISTIC of a vector: one pass through the activation table, in place.

Facts: docs/format/activation.md.
"""

from __future__ import annotations

from dataclasses import replace

from ..fast_dataclass import dataclass
from ..frontend.graph import Operator
from .builder import PlanBuilder
from .dataflow import scale, zero_point
from .family import Family
from .fully_connected import FullyConnectedStep, GatherStep
from .plan import Step
from .pooling import IDENTITY_WORDS, GlobalPoolStep, RelayoutStep
from .refusal import Refusal
from .vectors import BLOCK_WORDS, Blocks, is_private, require_vector
from .wide_memory import IDENTITY_LINE

OUTPUT_SCALE = 1 / 256
"""The table's own unit; an output in another unit would take a second pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogisticStep(Step):
    """output = 256 * sigmoid(multiplier * (input - input_zero)) + output_zero, blocks of 16
    words, input and output in the same place. identity_line: the byte identity, made from
    buffer `identity` unless it is there already ('')."""

    blocks: Blocks
    input: str
    offset: int = 0
    multiplier: float
    input_zero: int
    output_zero: int
    identity_line: int
    identity: str


def plan_logistic(planner: PlanBuilder, op: Operator) -> None:
    """In place: the output takes the input's buffer."""
    layout = require_vector(planner, op)
    source, result = (planner.graph.tensor(t) for t in (op.inputs[0], op.outputs[0]))
    if scale(result) != OUTPUT_SCALE:
        raise Refusal(
            op.index,
            "LOGISTIC with another output scale than 1/256 is not derived",
            actual=scale(result),
            allowed=OUTPUT_SCALE,
        )
    if layout.blocks.block != BLOCK_WORDS or not is_private(planner, op):
        raise Refusal(op.index, "LOGISTIC works in place, on a vector nothing else reads")
    line, scratch = _identity(planner, op)
    planner.record(planner.dataflow.source(op.outputs[0]), layout)
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
            identity=scratch,
            lowest_line=line,
        )
    )


def _identity(planner: PlanBuilder, op: Operator) -> tuple[int, str]:
    """(line, scratch to make it from) of the byte identity. One that a relayout made moves
    below every other transient block, so that it is still there (no scratch then)."""
    index = _relayout_before(planner)
    if index is None:
        return IDENTITY_LINE, planner.scratch(f"{op.index} identity", IDENTITY_WORDS)
    step = planner.steps[index]
    assert isinstance(step, RelayoutStep)
    planner.steps[index] = replace(step, lowest_line=step.copy_line)
    line = planner.lowest_line - 1
    planner.steps[index] = replace(step, identity_line=line, lowest_line=line)
    return line, ""


def _relayout_before(planner: PlanBuilder) -> int | None:
    """Number of the last relayout, if only its pool and layers have run since."""
    for index in reversed(range(len(planner.steps))):
        step = planner.steps[index]
        if isinstance(step, RelayoutStep):
            return index
        if not isinstance(step, GlobalPoolStep | GatherStep | FullyConnectedStep):
            return None
    return None


LOGISTIC = Family("logistic", frozenset({"LOGISTIC"}), plan_logistic)
