"""Constant operands that are one number, whatever their shape.

Reads the Graph level.
"""

from __future__ import annotations

from ..frontend.graph import SIGNED_OFFSET, Graph, Operator, Tensor, TensorType
from .dataflow import scale


def constant_number(graph: Graph, op: Operator) -> float | None:
    """The real value of the operator's constant operand if all its elements are equal."""
    found = _constant(graph, op)
    if found is None:
        return None
    tensor, value = found
    assert tensor.quantization is not None
    return scale(tensor) * (value - tensor.quantization.zero_points[0])


def constant_code(graph: Graph, op: Operator) -> int | None:
    """The same constant as the chip's byte."""
    found = _constant(graph, op)
    if found is None:
        return None
    tensor, value = found
    return value + SIGNED_OFFSET if tensor.type == TensorType.INT8 else value


def _constant(graph: Graph, op: Operator) -> tuple[Tensor, int] | None:
    """The constant operand and the value of all its elements."""
    for index in op.inputs:
        tensor = graph.tensor(index)
        if tensor.data is None:
            continue
        values = tensor.data.reshape(-1)
        if not values.size or tensor.data.dtype.itemsize != 1 or (values != values[0]).any():
            return None
        return tensor, int(values[0])
    return None


def has_numbers(graph: Graph, op: Operator) -> bool:
    """Whether the operator has a constant operand of several numbers."""
    constants = any(graph.tensor(index).is_constant for index in op.inputs)
    return constants and constant_number(graph, op) is None
