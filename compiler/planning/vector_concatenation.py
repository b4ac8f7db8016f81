"""CONCATENATION of vectors.

Parts that lie side by side on one tile (`joint_vector.py`) are packed by a layer whose weights
are ones and zeros. Facts: docs/format/movement.md, "Joint vectors".
"""

from __future__ import annotations

from dataclasses import replace

from ..fast_dataclass import dataclass
from ..frontend.graph import Operator
from .builder import PlanBuilder
from .dataflow import scale, zero_point
from .family import Family
from .fully_connected import add_gather, add_matrix, matrix_step
from .joint_vector import is_joint, joint_buffer, part_words
from .plan import WIDE_LINES, Step
from .refusal import Refusal
from .requantization import requantization
from .softmax_area import produce_vector
from .vectors import Blocks, VectorLayout

WORD_CHANNELS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinedStep(Step):
    """The parts are in place: a fence for each of `parts`, and one for the whole."""

    parts: int


def is_vector_concatenation(planner: PlanBuilder, op: Operator) -> bool:
    """Vectors, joined along their channels."""
    shapes = [planner.graph.tensor(t).shape for t in (*op.inputs, *op.outputs)]
    return all(size == 1 for shape in shapes for size in shape[:-1])


def plan_vector_concatenation(planner: PlanBuilder, op: Operator) -> None:
    """Fences; gather of the parts; the layer that packs them."""
    if not is_joint(planner, op):
        raise Refusal(op.index, "CONCATENATION of vectors that do not come from layers")
    words, lengths = part_words(planner, op), _lengths(planner, op)
    buffer = planner.keep(joint_buffer(op))
    planner.add(JoinedStep(ops=(op.index,), parts=len(words)))
    layout = VectorLayout(Blocks(sum(words)), buffer)
    planner.keep(buffer)
    source = planner.dataflow.source(op.outputs[0])
    if all(length % WORD_CHANNELS == 0 for length in lengths[:-1]):
        planner.layouts[source] = layout
        return
    vector = add_gather(planner, op, layout, 1, WIDE_LINES)
    matrix = add_matrix(planner, op, sum(lengths))
    planner.keep(vector)
    output = planner.graph.tensor(op.outputs[0])
    scaling = replace(requantization(scale(output), output), multiplier=1.0)
    size = WORD_CHANNELS * sum(words), sum(lengths)
    step = matrix_step(op, matrix, vector, size=size, scaling=scaling, top=WIDE_LINES)
    step = replace(step, input_zero=zero_point(output))
    planner.add(replace(step, output=produce_vector(planner, source, step.blocks).buffer))


def _lengths(planner: PlanBuilder, op: Operator) -> list[int]:
    return [planner.graph.tensor(t).shape[-1] for t in op.inputs]


VECTOR_CONCATENATION = Family(
    "vector concatenation",
    frozenset({"CONCATENATION"}),
    plan_vector_concatenation,
    accepts=is_vector_concatenation,
)
