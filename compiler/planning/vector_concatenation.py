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
from .fully_connected import add_gather, add_matrices, add_parts, matrix_step
from .joint_vector import is_joint, joint_buffer, part_words
from .plan import WIDE_LINES, Step
from .refusal import Refusal
from .requantization import requantization
from .softmax_area import produce_vector
from .vector_copy import move_step
from .vectors import Blocks, VectorLayout, vector_layout

WORD_CHANNELS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinedStep(Step):
    """The parts are in place: a fence for each of `parts`, and one for the whole."""

    parts: int


def is_vector_concatenation(planner: PlanBuilder, op: Operator) -> bool:
    """Vectors that lie side by side, or whose lengths are no whole words."""
    shapes = [planner.graph.tensor(t).shape for t in (*op.inputs, *op.outputs)]
    if any(size != 1 for shape in shapes for size in shape[:-1]):
        return False
    return is_joint(planner, op) or not _whole_words(planner, op)


def _whole_words(planner: PlanBuilder, op: Operator) -> bool:
    """Whether every part but the last ends with a whole word."""
    return all(length % WORD_CHANNELS == 0 for length in _lengths(planner, op)[:-1])


def plan_vector_concatenation(planner: PlanBuilder, op: Operator) -> None:
    """The parts side by side; the layer that packs them."""
    source = planner.dataflow.source(op.outputs[0])
    words, lengths = sum(part_words(planner, op)), _lengths(planner, op)
    layout = _parts(planner, op, words)
    if _whole_words(planner, op):
        planner.record(source, layout)
        return
    blocks = Blocks.spread(-(-sum(lengths) // WORD_CHANNELS))
    vector = add_gather(planner, op, layout, blocks.mask, WIDE_LINES)
    matrices = add_matrices(planner, op, sum(lengths))
    planner.keep(vector)
    output = planner.graph.tensor(op.outputs[0])
    scaling = replace(requantization(scale(output), output), multiplier=1.0)
    size = WORD_CHANNELS * words, sum(lengths)
    step = matrix_step(op, matrices[0], vector, size=size, scaling=scaling, top=WIDE_LINES)
    step = replace(step, input_zero=zero_point(output))
    buffer = produce_vector(planner, source, blocks).buffer
    add_parts(planner, replace(step, output=buffer), matrices)


def _parts(planner: PlanBuilder, op: Operator, words: int) -> VectorLayout:
    """All parts on tile 0: where their layers put them, or moved there."""
    if is_joint(planner, op):
        buffer = planner.keep(joint_buffer(op))
        planner.add(JoinedStep(ops=(op.index,), parts=len(op.inputs)))
        planner.keep(buffer)
        return VectorLayout(Blocks(words), buffer)
    parts, place = [], 0
    for tensor, count in zip(op.inputs, part_words(planner, op), strict=True):
        part = vector_layout(planner, tensor)
        if part is None or planner.graph.tensor(tensor).is_constant:
            raise Refusal(op.index, "CONCATENATION of what is no vector on the tiles")
        planner.keep(part.buffer)
        parts.append((part, place))
        place += count
    blocks = Blocks(words, words)
    buffer = planner.scratch(joint_buffer(op), words, rank=0)
    planner.add(move_step(op, parts, blocks, buffer))
    planner.keep(buffer)
    return VectorLayout(blocks, buffer)


def _lengths(planner: PlanBuilder, op: Operator) -> list[int]:
    return [planner.graph.tensor(t).shape[-1] for t in op.inputs]


VECTOR_CONCATENATION = Family(
    "vector concatenation",
    frozenset({"CONCATENATION"}),
    plan_vector_concatenation,
    accepts=is_vector_concatenation,
)
