"""CONV_2D, DEPTHWISE_CONV_2D and TRANSPOSE_CONV."""

from __future__ import annotations

from ...frontend.graph import Graph, Operator, TensorType
from ..reasons import Status
from .base import Context, Violation, constraint, operand, option, result

FUSED_ACTIVATIONS = {0: "none", 1: "RELU", 2: "RELU_N1_TO_1", 3: "RELU6"}
"""The schema's ActivationFunctionType values that are clamps of the output."""
_FUSED_NAMES = FUSED_ACTIVATIONS | {4: "TANH", 5: "SIGN_BIT"}
_SIDES = ("h", "w")


def _filter_position(op: Operator) -> int:
    return 1


def _input_position(op: Operator) -> int:
    return 2 if op.name == "TRANSPOSE_CONV" else 0


@constraint(Status.UNSUPPORTED_DATA_TYPE)
def quantised_filter(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """The filter must be int8 or uint8, the bias int32."""
    weights = operand(graph, op, _filter_position(op))
    if weights is not None and weights.type not in (TensorType.INT8, TensorType.UINT8):
        return Violation(weights.type.name.lower(), "int8 or uint8", weights.name)
    bias = operand(graph, op, 3 if op.name == "TRANSPOSE_CONV" else 2)
    if bias is not None and bias.type != TensorType.INT32:
        return Violation(bias.type.name.lower(), "int32", bias.name)
    return None


@constraint()
def image_operands(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """Input, filter and output must have four dimensions."""
    for tensor in (
        operand(graph, op, _input_position(op)),
        operand(graph, op, _filter_position(op)),
        result(graph, op),
    ):
        if tensor is not None and len(tensor.shape) != 4:
            return Violation(tensor.shape, "4 dimensions", tensor.name)
    return None


@constraint()
def matching_filter(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """The filter must reach over all input channels and make all output channels (no grouped
    convolution)."""
    source, weights = operand(graph, op, _input_position(op)), operand(graph, op, 1)
    if source is None or weights is None:
        return None
    out_channels, in_channels = result(graph, op).shape[3], source.shape[3]
    wanted = (out_channels, *weights.shape[1:3], in_channels)
    if op.name == "DEPTHWISE_CONV_2D":
        wanted = (1, *weights.shape[1:3], out_channels)
    if tuple(weights.shape) != wanted or any(size <= 0 for size in wanted):
        return Violation(weights.shape, "x".join(map(str, wanted)), weights.name)
    return None


@constraint()
def whole_depth_multiplier(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """The number of output channels must be a multiple of the number of input channels."""
    source = operand(graph, op, 0)
    if source is not None and result(graph, op).shape[3] % source.shape[3]:
        actual = f"{source.shape[3]} to {result(graph, op).shape[3]} channels"
        return Violation(actual, "a whole multiple", result(graph, op).name)
    return None


@constraint()
def filter_quantisation(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """The filter must have finite scales above 0, one in all or one for each output channel,
    with as many zero points."""
    weights = operand(graph, op, _filter_position(op))
    if weights is None:
        return None
    quantization = weights.quantization
    if quantization is None:
        return Violation("no quantisation", "one scale or more", weights.name)
    scales, channels = quantization.scales, result(graph, op).shape[-1]
    if len(scales) not in (1, channels) or len(quantization.zero_points) != len(scales):
        actual = f"{len(scales)} scales, {len(quantization.zero_points)} zero points"
        return Violation(actual, f"1 or {channels} of each", weights.name)
    if not all(0 < scale < float("inf") for scale in scales):
        return Violation("a scale of 0, below 0 or not finite", "above 0", weights.name)
    return None


@constraint()
def clamping_activation(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """The fused activation must be none, RELU, RELU6 or RELU_N1_TO_1."""
    fused = option(op, "fused_activation_function")
    if fused in FUSED_ACTIVATIONS:
        return None
    return Violation(_FUSED_NAMES.get(fused, fused), ", ".join(FUSED_ACTIVATIONS.values()))


@constraint()
def positive_strides(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """Strides and dilations must be 1 or more."""
    for name in ("stride", "dilation"):
        for side in _SIDES:
            key = f"stride_{side}" if name == "stride" else f"dilation_{side}_factor"
            if option(op, key, 1) < 1:
                return Violation(f"{key} {option(op, key, 1)}", "1 or more")
    return None


def output_size(op: Operator, size: int, window: int, stride: int, dilation: int) -> int:
    """Output pixels along one axis, as TensorFlow Lite computes them (padding 0 SAME, 1 VALID)."""
    if option(op, "padding") == 1:
        size -= (window - 1) * dilation
    return -(-size // stride)


@constraint()
def fitting_output(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """The output's size must follow from input, filter, stride, dilation and padding."""
    source, weights, output = operand(graph, op, 0), operand(graph, op, 1), result(graph, op)
    if source is None or weights is None:
        return None
    wanted = tuple(
        output_size(
            op,
            source.shape[axis],
            weights.shape[axis],
            option(op, f"stride_{side}", 1),
            option(op, f"dilation_{side}_factor", 1),
        )
        for axis, side in ((1, "h"), (2, "w"))
    )
    if tuple(output.shape[1:3]) != wanted:
        return Violation(output.shape[1:3], f"{wanted[0]}x{wanted[1]}", output.name)
    return None


def _dilation(op: Operator) -> tuple[int, int]:
    return option(op, "dilation_h_factor", 1), option(op, "dilation_w_factor", 1)


@constraint()
def square_dilation(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """The dilation must be the same in x and y."""
    rows, columns = _dilation(op)
    return None if rows == columns else Violation(f"{columns} in x, {rows} in y", "equal")


@constraint(until=11)
def depthwise_without_dilation(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """A depthwise convolution must not be dilated."""
    if _dilation(op) == (1, 1):
        return None
    hint = "Compile for a newer runtime (-m 12 or more)."
    return Violation(_dilation(op), "1x1", hint=hint)


CONVOLUTION = (
    quantised_filter,
    image_operands,
    matching_filter,
    filter_quantisation,
    clamping_activation,
    positive_strides,
    fitting_output,
    square_dilation,
)
DEPTHWISE = (
    *CONVOLUTION,
    whole_depth_multiplier,
    depthwise_without_dilation,
)
TRANSPOSED = (quantised_filter, image_operands, matching_filter, filter_quantisation)
