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
    """The values lie one behind the other in a single block, and become a vector."""
    layout = vector_layout(planner, op.inputs[0])
    source, output = (planner.graph.tensor(t).shape for t in (op.inputs[0], op.outputs[0]))
    if layout is None or prod(output[:-1]) != 1:
        return False
    return layout.blocks.tiles == 1 and 4 * layout.blocks.words == prod(source)


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
