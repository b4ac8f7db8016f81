"""MEAN, SUM, REDUCE_MAX and REDUCE_MIN over rows and columns: which, and what the result is like.

Reads the Graph level. Facts: docs/format/pooling.md, "Reductions".
"""

from __future__ import annotations

from math import prod

from .graph import Graph, Operator
from .movement import picture

REDUCTIONS = frozenset({"MEAN", "REDUCE_MAX", "REDUCE_MIN", "SUM"})
_PICTURE = 3


def reduced_sides(graph: Graph, op: Operator) -> tuple[bool, bool] | None:
    """Whether rows and columns are reduced; None for other axes, or more than one picture."""
    shape, axes = graph.tensor(op.inputs[0]).shape, graph.tensor(op.inputs[1]).data
    rank = len(shape)
    if axes is None or picture(shape) is None:
        return None
    found = {int(axis) % rank - rank + _PICTURE for axis in axes.reshape(-1)}
    found = {axis for axis in found if axis >= 0 or shape[axis - _PICTURE] != 1}
    return (0 in found, 1 in found) if found and found <= {0, 1} else None


def reduced_picture(graph: Graph, op: Operator) -> tuple[int, int, int] | None:
    """Rows, columns and channels of the result; None where its shape shows another picture."""
    source, sides = picture(graph.tensor(op.inputs[0]).shape), reduced_sides(graph, op)
    if source is None or sides is None:
        return None
    rows, columns = (1 if side else size for side, size in zip(sides, source, strict=False))
    result = rows, columns, source[2]
    shape = graph.tensor(op.outputs[0]).shape
    if rows == columns == 1:
        return result if prod(shape) == source[2] else None
    return result if picture(shape) == result else None


def sums_channels(graph: Graph, op: Operator) -> bool:
    """Whether an operator reduces the channels of a picture, and nothing else, to one."""
    axes, shape = graph.tensor(op.inputs[1]).data, graph.tensor(op.inputs[0]).shape
    if axes is None or len(shape) != _PICTURE + 1 or shape[0] != 1:
        return False
    found = {int(axis) % len(shape) for axis in axes.reshape(-1)}
    return found == {_PICTURE} and graph.tensor(op.outputs[0]).shape == (*shape[:-1], 1)
