"""Constant operands that are one number, whatever their shape.

Reads the Graph level.
"""

from __future__ import annotations

from ..frontend.graph import Graph, Operator
from .dataflow import scale


def constant_number(graph: Graph, op: Operator) -> float | None:
    """The real value of the operator's constant operand if all its elements are equal."""
    for index in op.inputs:
        tensor = graph.tensor(index)
        if tensor.data is None:
            continue
        values = tensor.data.reshape(-1)
        if not values.size or tensor.data.dtype.itemsize != 1 or (values != values[0]).any():
            return None
        assert tensor.quantization is not None
        zero = tensor.quantization.zero_points[0]
        return scale(tensor) * (int(values[0]) - zero)
    return None


def has_numbers(graph: Graph, op: Operator) -> bool:
    """Whether the operator has a constant operand of several numbers."""
    constants = any(graph.tensor(index).is_constant for index in op.inputs)
    return constants and constant_number(graph, op) is None
