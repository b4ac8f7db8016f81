"""ADD, SUB, MUL and the other operators that work element by element."""

from __future__ import annotations

from ...frontend.graph import Graph, Operator, TensorType
from .base import Context, Violation, constraint, is_vector, operand, result


def _fixed(
    graph: Graph, op: Operator, scale: float, zero_points: tuple[int, int]
) -> Violation | None:
    """Violation unless the output has `scale` and its type's (int8, uint8) zero point."""
    output = result(graph, op)
    if output.quantization is None:
        return None
    wanted = scale, zero_points[output.type == TensorType.UINT8]
    found = output.quantization.scales[0], output.quantization.zero_points[0]
    if found == wanted:
        return None
    actual, allowed = (f"scale {value}, zero point {point}" for value, point in (found, wanted))
    return Violation(actual, allowed, output.name)


@constraint()
def output_from_0_to_1(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """The output must have the scale 1/256 and the lowest value as zero point, as TensorFlow
    Lite prescribes."""
    return _fixed(graph, op, 1 / 256, (-128, 0))


@constraint()
def output_from_minus_1_to_1(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """The output must have the scale 1/128 and the middle value as zero point, as TensorFlow
    Lite prescribes."""
    return _fixed(graph, op, 1 / 128, (0, 128))


@constraint()
def broadcastable(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """Every dimension of an input must be 1 or that of the output."""
    output = result(graph, op)
    for position in range(2):
        tensor = operand(graph, op, position)
        if tensor is None:
            continue
        if len(tensor.shape) > len(output.shape):
            return Violation(tensor.shape, output.shape, tensor.name)
        pairs = zip(reversed(tensor.shape), reversed(output.shape), strict=False)
        if any(size not in (1, wanted) for size, wanted in pairs):
            return Violation(tensor.shape, "x".join(map(str, output.shape)), tensor.name)
    return None


@constraint()
def one_dimensional_alpha(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """Alpha must be one-dimensional, one value a channel (in Keras: shared_axes=[1, 2])."""
    alpha = operand(graph, op, 1)
    if alpha is None or is_vector(alpha.shape):
        return None
    return Violation(alpha.shape, "1-D", alpha.name, "Set shared_axes=[1, 2].")


@constraint()
def same_shape(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """Input and output must have the same shape."""
    source, output = operand(graph, op, 0), result(graph, op)
    if source is None or source.shape == output.shape:
        return None
    return Violation(output.shape, "x".join(map(str, source.shape)), output.name)


BINARY = (broadcastable,)
UNARY = (same_shape,)
PROBABILITY = (same_shape, output_from_0_to_1)
SYMMETRIC = (same_shape, output_from_minus_1_to_1)
PRELU = (same_shape, one_dimensional_alpha)
