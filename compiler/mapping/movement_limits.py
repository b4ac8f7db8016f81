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

LONGEST = 16384
"""Values of the longest vector."""


@constraint()
def host_vector(graph: Graph, op: Operator, context: Context) -> Violation | None:
    """A vector that is the model's input is lowered for up to 16384 values."""
    source = activation_inputs(graph, op)[0]
    size = prod(source.shape)
    if not context.reads_host or size <= LONGEST:
        return None
    return Violation(size, f"up to {LONGEST}", source.name)


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
