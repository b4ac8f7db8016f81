"""Operators that only move bytes: CONCATENATION, SPLIT, PAD, RESHAPE, slices and so on."""

from __future__ import annotations

import math

from ...frontend.graph import Graph, Operator
from ..reasons import Status
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


def _axis(rank: int, axis: int) -> int | None:
    """An axis counted from the innermost dimension, None if out of range."""
    return rank - 1 - axis % rank if -rank <= axis < rank else None


@constraint()
def zero_constant_input(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """If an input is constant, there must be exactly two inputs and the constant must be all
    zeros."""
    constants = [t for t in map(graph.tensor, op.inputs) if t.is_constant]
    if not constants:
        return None
    if len(op.inputs) != 2:
        return Violation(f"{len(op.inputs)} inputs", "2 inputs", constants[0].name)
    zero = constants[0].quantization.zero_points[0] if constants[0].quantization else 0
    values = constant_values(constants[0])
    if values is None or any(value != zero for value in values):
        return Violation("values other than 0", "all zeros", constants[0].name)
    return None


def _no_batch(rank: int, axis: int, name: str) -> Violation | None:
    position = _axis(rank, axis)
    if position is None:
        return Violation(f"axis {axis}", f"-{rank} to {rank - 1}", name)
    return Violation(f"axis {axis} (batch)", "y, x or z", name) if position > 2 else None


@constraint()
def no_batch_concatenation(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """Tensors cannot be joined along the batch dimension."""
    output = result(graph, op)
    return _no_batch(len(output.shape), option(op, "axis"), output.name)


@constraint()
def no_batch_packing(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """Tensors cannot be packed along the batch dimension."""
    output = result(graph, op)
    return _no_batch(len(output.shape), option(op, "axis"), output.name)


@constraint()
def no_batch_split(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """A tensor cannot be split along the batch dimension, unless into one part."""
    source, axis = operand(graph, op, 1), constant_values(operand(graph, op, 0))
    if source is None or axis is None or len(axis) != 1:
        return Violation("unreadable axis")
    refused = _no_batch(len(source.shape), axis[0], source.name)
    position = _axis(len(source.shape), axis[0])
    return None if len(op.outputs) == 1 and position is not None else refused


def paddings(graph: Graph, op: Operator) -> list[tuple[int, int]] | None:
    """(before, after) of each dimension, None if unreadable."""
    source, values = operand(graph, op, 0), constant_values(operand(graph, op, 1))
    if source is None or values is None or len(values) != 2 * len(source.shape):
        return None
    return list(zip(values[::2], values[1::2], strict=True))


@constraint()
def no_batch_padding(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """The paddings must be constant and leave the batch dimension as it is."""
    amounts = paddings(graph, op)
    if amounts is None:
        return Violation("unreadable paddings")
    if any(before < 0 or after < 0 for before, after in amounts):
        return Violation("negative paddings", "0 or more")
    return Violation("batch", "y, x or z") if any(any(pair) for pair in amounts[:-3]) else None


@constraint(until=12)
def padding_of_x_and_y(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """Only the x and y dimensions can be padded."""
    if not any((paddings(graph, op) or [(0, 0)])[-1]):
        return None
    return Violation("z", "x and y", hint="Compile for a newer runtime (-m 13 or more).")


@constraint()
def same_size(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """Input and output must have the same number of elements."""
    source, output = operand(graph, op, 0), result(graph, op)
    if source is None or math.prod(source.shape) == math.prod(output.shape):
        return None
    return Violation(output.shape, f"{math.prod(source.shape)} elements", output.name)


@constraint(until=12)
def no_relayout(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """Only leading dimensions of size 1 can be removed."""
    source, output = operand(graph, op, 0), result(graph, op)
    if source is None or innermost(source.shape) == innermost(output.shape):
        return None
    hint = "Compile for a newer runtime (-m 13 or more)."
    return Violation(source.shape, "leading ones", source.name, hint)


@constraint(Status.STRIDED_SLICE, until=13)
def unit_strides(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """All strides must be 1."""
    strides = constant_values(operand(graph, op, 3))
    if strides is not None and all(stride == 1 for stride in strides):
        return None
    return Violation(strides if strides is not None else "unreadable strides", "1")


@constraint()
def no_new_axes(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """The options ellipsis_mask and new_axis_mask must be 0."""
    for key in ("ellipsis_mask", "new_axis_mask"):
        if option(op, key):
            return Violation(f"{key} {option(op, key)}", "0")
    return None


@constraint()
def no_batch_tiling(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """The multiples must be constant and leave the batch dimension as it is."""
    source, multiples = operand(graph, op, 0), constant_values(operand(graph, op, 1))
    if source is None or multiples is None or len(multiples) != len(source.shape):
        return Violation("unreadable multiples")
    return None if all(count == 1 for count in multiples[:-3]) else Violation("batch", "y, x or z")


@constraint()
def positive_block_size(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """The block size must be 1 or more."""
    size = option(op, "block_size", 1)
    return None if size >= 1 else Violation(size, "1 or more")


PAD = (no_batch_padding, padding_of_x_and_y)
