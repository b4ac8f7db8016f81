"""Limits of operators that move bytes between vectors and maps."""

from __future__ import annotations

from math import prod

from ..frontend.graph import Graph, Operator, Tensor
from .constraints.base import (
    Context,
    Violation,
    activation_inputs,
    constraint,
    is_vector,
    result,
)

HOST_ITEM = 8
"""Bytes of an item of the host's stream."""
LONGEST = 16384
"""Values of the longest vector."""


@constraint()
def whole_items_from_host(graph: Graph, op: Operator, context: Context) -> Violation | None:
    """A vector that is the model's input is lowered for multiples of 8 up to 16384."""
    source = activation_inputs(graph, op)[0]
    if not context.reads_host:
        return None
    size = prod(source.shape)
    if size % HOST_ITEM or size > LONGEST:
        return Violation(size, f"multiples of {HOST_ITEM} up to {LONGEST}", source.name)
    return None


@constraint()
def vectors_only(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """The operator is lowered for one-dimensional tensors."""
    for tensor in (*activation_inputs(graph, op), result(graph, op)):
        if not is_vector(tensor.shape):
            return Violation(tensor.shape, "1-D", tensor.name)
    return None


@constraint()
def same_units(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """All inputs have the output's scale and zero point."""
    output = result(graph, op)
    for tensor in activation_inputs(graph, op):
        if tensor.type != output.type or _unit(tensor) != _unit(output):
            return Violation("other scale or zero point", "the output's", tensor.name)
    return None


def _unit(tensor: Tensor) -> tuple[tuple[float, ...], tuple[int, ...]]:
    quantization = tensor.quantization
    return ((), ()) if quantization is None else (quantization.scales, quantization.zero_points)
