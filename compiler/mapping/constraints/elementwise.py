"""ADD, SUB, MUL and the other operators that work element by element."""

from __future__ import annotations

from ...frontend.graph import Graph, Operator, TensorType
from .base import Context, Violation, constraint, is_vector, operand, result

FIXED_SCALES = {
    "LOGISTIC": 1 / 256,
    "SOFTMAX": 1 / 256,
    "TANH": 1 / 128,
    "L2_NORMALIZATION": 1 / 128,
}
_FROM_MINUS_ONE = frozenset({"TANH", "L2_NORMALIZATION"})


@constraint()
def fixed_output_quantisation(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """The output's quantisation must be the one TensorFlow Lite prescribes: scale 1/256 from
    the lowest value for LOGISTIC and SOFTMAX, scale 1/128 around the middle value for TANH and
    L2_NORMALIZATION."""
    output = result(graph, op)
    if output.quantization is None:
        return None
    low, middle = (-128, 0) if output.type == TensorType.INT8 else (0, 128)
    wanted = (FIXED_SCALES[op.name], middle if op.name in _FROM_MINUS_ONE else low)
    found = (output.quantization.scales[0], output.quantization.zero_points[0])
    if found == wanted:
        return None
    return Violation(
        f"scale {found[0]}, zero point {found[1]}",
        f"scale {wanted[0]}, zero point {wanted[1]}",
        output.name,
    )


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
TABLE = (same_shape, fixed_output_quantisation)
PRELU = (same_shape, one_dimensional_alpha)
