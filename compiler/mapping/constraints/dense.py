"""FULLY_CONNECTED, SOFTMAX and UNIDIRECTIONAL_SEQUENCE_LSTM."""

from __future__ import annotations

from ...frontend.graph import Graph, Operator
from ..reasons import Status
from .base import Context, Violation, constraint, is_vector, operand, option, result
from .convolution import clamping_activation, filter_quantisation, quantised_filter

SOFTMAX_ELEMENTS = 16384
"""Longest vector the vendor maps in the public models; its page says 16000."""


@constraint()
def default_weight_format(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """Only the default weight format is supported."""
    value = option(op, "weights_format")
    return None if value == 0 else Violation(f"weights_format {value}", "DEFAULT")


@constraint(Status.TWO_DIMENSIONAL_OUTPUT)
def one_dimensional_output(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """The output must be one-dimensional (only its innermost dimension larger than 1)."""
    output = result(graph, op)
    if is_vector(output.shape):
        return None
    hint = "Flatten the input first, or use a 1x1 convolution."
    return Violation(output.shape, "1-D", output.name, hint)


@constraint()
def matching_matrix(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """The weights must have two dimensions, outputs by inputs, that fit input and output."""
    source, weights, output = operand(graph, op, 0), operand(graph, op, 1), result(graph, op)
    if source is None or weights is None:
        return None
    length = 1
    for size in source.shape:
        length *= size
    wanted = (output.shape[-1] if output.shape else 1, length)
    if tuple(weights.shape) != wanted:
        return Violation(weights.shape, "x".join(map(str, wanted)), weights.name)
    return None


@constraint(Status.TWO_DIMENSIONAL_OUTPUT)
def one_dimensional_input(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """The input must be one-dimensional (only its innermost dimension larger than 1)."""
    source = operand(graph, op, 0)
    if source is None or is_vector(source.shape):
        return None
    return Violation(source.shape, "1-D", source.name)


@constraint()
def at_most_16384_elements(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """The input must not have more than 16384 elements."""
    source = operand(graph, op, 0)
    size = source.shape[-1] if source is not None and source.shape else 1
    if source is None or size <= SOFTMAX_ELEMENTS:
        return None
    return Violation(f"{size} elements", f"up to {SOFTMAX_ELEMENTS}", source.name)


@constraint()
def plain_lstm(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """Only an LSTM without peephole connections and without projection is supported."""
    for position, name in {9: "peephole", 10: "peephole", 11: "peephole", 16: "projection"}.items():
        tensor = operand(graph, op, position)
        if tensor is not None:
            return Violation(f"{name} weights", "none", tensor.name)
    return None


FULLY_CONNECTED = (
    quantised_filter,
    default_weight_format,
    one_dimensional_output,
    matching_matrix,
    filter_quantisation,
    clamping_activation,
)
SOFTMAX = (one_dimensional_input, at_most_16384_elements)
LSTM = (plain_lstm,)
