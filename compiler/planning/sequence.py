"""RESHAPE of a sequence that lies on one tile: the same bytes under another name.

Reads VectorLayouts, writes no step. Facts: docs/format/lstm.md, "Sequence".
"""

from __future__ import annotations

from math import prod

from ..frontend.graph import Operator
from .builder import PlanBuilder
from .family import Family
from .vectors import vector_layout


def is_on_one_tile(planner: PlanBuilder, op: Operator) -> bool:
    """The values lie one behind the other in a single block."""
    layout = vector_layout(planner, op.inputs[0])
    values = prod(planner.graph.tensor(op.inputs[0]).shape)
    return layout is not None and layout.blocks.tiles == 1 and 4 * layout.blocks.words == values


def rename_sequence(planner: PlanBuilder, op: Operator) -> None:
    """The result lives where the input does."""
    layout = vector_layout(planner, op.inputs[0])
    assert layout is not None
    planner.layouts[planner.dataflow.source(op.outputs[0])] = layout


SEQUENCE_RENAME = Family(
    "sequence rename",
    frozenset({"RESHAPE", "SQUEEZE", "EXPAND_DIMS"}),
    rename_sequence,
    accepts=is_on_one_tile,
)
