"""The result of an LSTM under another name: RESHAPE of all steps, STRIDED_SLICE of one. The bytes
stay where they are, unless somebody else needs them too.

Reads VectorLayouts, adds VectorCopySteps. Facts: docs/format/lstm.md, "Sequence".
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

from ..frontend.graph import Operator
from ..frontend.slices import single_step
from .builder import PlanBuilder
from .family import Family
from .refusal import Refusal
from .vector_copy import copy_step
from .vectors import BLOCK_WORDS, Blocks, VectorLayout, is_private, require_vector, vector_layout


def is_on_one_tile(planner: PlanBuilder, op: Operator) -> bool:
    """The values lie one behind the other in a single block, and become a vector."""
    layout = vector_layout(planner, op.inputs[0])
    source, output = (planner.graph.tensor(t).shape for t in (op.inputs[0], op.outputs[0]))
    if layout is None or prod(output[:-1]) != 1:
        return False
    return layout.blocks.tiles == 1 and 4 * layout.blocks.words == prod(source)


def plan_rename(planner: PlanBuilder, op: Operator) -> None:
    """All of it."""
    _take(planner, op, require_vector(planner, op))


def plan_step(planner: PlanBuilder, op: Operator) -> None:
    """The words of one step."""
    layout = require_vector(planner, op)
    step = single_step(planner.graph, op)
    words = planner.graph.tensor(op.inputs[0]).shape[-1] // 4
    if step is None:
        raise Refusal(op.index, "STRIDED_SLICE of more than one step of a sequence")
    part = Blocks(words, max(words, BLOCK_WORDS))
    _take(planner, op, replace(layout, blocks=part, offset=layout.offset + step * words))


def _take(planner: PlanBuilder, op: Operator, layout: VectorLayout) -> None:
    """The part itself where nothing else needs the sequence, else a copy: some readers work in
    place."""
    tensor = planner.dataflow.source(op.outputs[0])
    if not is_private(planner, op):
        buffer = planner.produce(tensor, layout.blocks.block)
        planner.add(copy_step(op, layout, layout.blocks, buffer))
        layout = VectorLayout(layout.blocks, buffer)
    planner.record(tensor, layout)


SEQUENCE_RENAME = Family(
    "sequence rename",
    frozenset({"RESHAPE", "SQUEEZE", "EXPAND_DIMS"}),
    plan_rename,
    accepts=is_on_one_tile,
)
SEQUENCE_STEP = Family(
    "sequence step", frozenset({"STRIDED_SLICE"}), plan_step, accepts=is_on_one_tile
)
