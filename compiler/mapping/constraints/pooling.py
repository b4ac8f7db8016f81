"""AVERAGE_POOL_2D, MAX_POOL_2D, and the reductions MEAN, SUM, REDUCE_MAX, REDUCE_MIN."""

from __future__ import annotations

from ...frontend.graph import Graph, Operator
from .base import (
    Context,
    Violation,
    constant_values,
    constraint,
    innermost,
    operand,
    option,
    result,
)
from .convolution import output_size


@constraint()
def no_fused_activation(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """A fused activation function is not supported."""
    fused = option(op, "fused_activation_function")
    if not fused:
        return None
    return Violation(f"fused_activation_function {fused}", "none")


@constraint()
def image_shape(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """Input and output must have four dimensions."""
    for tensor in (operand(graph, op, 0), result(graph, op)):
        if tensor is not None and len(tensor.shape) != 4:
            return Violation(tensor.shape, "4 dimensions", tensor.name)
    return None


@constraint()
def positive_window(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """Window and strides must be 1 or more."""
    for key in ("filter_height", "filter_width", "stride_h", "stride_w"):
        if option(op, key, 1) < 1:
            return Violation(f"{key} {option(op, key, 1)}", "1 or more")
    return None


@constraint()
def fitting_output(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """The output's size must follow from input, window, stride and padding."""
    source, output = operand(graph, op, 0), result(graph, op)
    if source is None:
        return None
    wanted = (
        output_size(
            op, source.shape[1], option(op, "filter_height", 1), option(op, "stride_h", 1), 1
        ),
        output_size(
            op, source.shape[2], option(op, "filter_width", 1), option(op, "stride_w", 1), 1
        ),
        source.shape[3],
    )
    if tuple(output.shape[1:]) != wanted:
        return Violation(output.shape[1:], "x".join(map(str, wanted)), output.name)
    return None


def reduced_axes(graph: Graph, op: Operator) -> tuple[int, ...] | None:
    """The axes of a reduction, counted from the innermost dimension (z 0, x 1, y 2, batch 3),
    ascending; None if they are not constant or out of range."""
    source, axes = operand(graph, op, 0), constant_values(operand(graph, op, 1))
    if source is None or axes is None:
        return None
    rank = len(source.shape)
    if any(not -rank <= axis < rank for axis in axes):
        return None
    return tuple(sorted({rank - 1 - axis % rank for axis in axes}))


@constraint()
def readable_axes(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """The axes must be constant integers within the input's dimensions."""
    if reduced_axes(graph, op) is not None:
        return None
    axes = operand(graph, op, 1)
    return Violation("unreadable axes", tensor="" if axes is None else axes.name)


@constraint()
def no_batch_reduction(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """The batch dimension cannot be reduced."""
    axes = reduced_axes(graph, op) or ()
    return Violation("batch", "y, x or z") if any(axis > 2 for axis in axes) else None


@constraint(until=12)
def reduction_over_x_and_y(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """Only the x and y dimensions can be reduced."""
    if 0 not in (reduced_axes(graph, op) or ()):
        return None
    return Violation("z", "x and y", hint="Compile for a newer runtime (-m 13 or more).")


@constraint(since=13)
def depth_reduction_of_whole_words(
    graph: Graph, op: Operator, _context: Context
) -> Violation | None:
    """A reduction over z needs a z dimension that is a multiple of 4."""
    source = operand(graph, op, 0)
    if source is None or 0 not in (reduced_axes(graph, op) or ()):
        return None
    depth = innermost(source.shape)[2]
    return Violation(f"z {depth}", "a multiple of 4", source.name) if depth % 4 else None


POOL = (no_fused_activation, image_shape, positive_window, fitting_output)
REDUCTION = (readable_axes, no_batch_reduction)
MEAN = (*REDUCTION, reduction_over_x_and_y, depth_reduction_of_whole_words)
