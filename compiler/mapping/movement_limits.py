"""Limits of operators that move bytes between vectors and maps."""

from __future__ import annotations

from math import prod

from ..frontend.channel_layers import moves_channels
from ..frontend.graph import Graph, Operator, Tensor
from ..frontend.movement import WORD, picture
from ..frontend.movements import movements
from ..frontend.padded_groups import grouped_convolution
from ..frontend.reductions import reduced_picture, sums_channels
from ..frontend.slices import single_step
from .constraints.base import (
    Context,
    Violation,
    activation_inputs,
    constraint,
    is_vector,
    result,
)

LONGEST = 65536
"""Values of the longest vector."""
LONGEST_PACKED = 4096
"""Values of the longest vector that a matrix of ones and zeros puts together."""


@constraint()
def host_vector(graph: Graph, op: Operator, context: Context) -> Violation | None:
    """A vector that is the model's input is lowered for up to 65536 values."""
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


def keeps_words(source: tuple[int, ...], output: tuple[int, ...]) -> bool:
    """Whether a new shape leaves every word of four channels as it is."""
    before, after = picture(source), picture(output)
    if before is None or after is None:
        return False
    return before[2] == after[2] or before[2] % WORD == after[2] % WORD == 0


def splits_groups(graph: Graph, op: Operator, context: Context) -> bool:
    """Whether a mapped convolution leaves room between the groups that a RESHAPE reads."""
    convolution = grouped_convolution(graph, op)
    return convolution is not None and convolution.index in context.mapped


@constraint()
def whole_words(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """The operator is lowered where it moves whole words of four channels: it neither cuts nor
    joins channels inside a word, nor turns channels into pixels. SLICE: or on maps of four
    dimensions and vectors; SPACE_TO_DEPTH: or on such maps."""
    if movements(graph, op) is not None or moves_channels(graph, op):
        return None
    return Violation("channels inside a word", "multiples of 4", result(graph, op).name)


@constraint()
def words_or_one_part(graph: Graph, op: Operator, context: Context) -> Violation | None:
    """SPLIT is lowered if it has one part, where it cuts rows, columns or whole words of four
    channels, or on maps of four dimensions and vectors."""
    return None if len(op.outputs) == 1 else whole_words.check(graph, op, context)


@constraint()
def words_or_one_step(graph: Graph, op: Operator, context: Context) -> Violation | None:
    """STRIDED_SLICE is lowered where it takes rows, columns or whole words of four channels, on
    maps of four dimensions and vectors, or where it takes one step of a sequence."""
    if len(op.inputs) == 4 and single_step(graph, op) is not None:
        return None
    return whole_words.check(graph, op, context)


@constraint()
def joined_or_fused(graph: Graph, op: Operator, context: Context) -> Violation | None:
    """CONCATENATION is lowered for vectors, up to 4096 values where one ends inside a word of
    four, and for maps where it joins rows, columns or channels."""
    output = result(graph, op)
    if not is_vector(output.shape):
        return whole_words.check(graph, op, context)
    size, parts = prod(output.shape), activation_inputs(graph, op)
    if size > LONGEST_PACKED and any(prod(part.shape) % WORD for part in parts[:-1]):
        return Violation(f"{size} values", f"up to {LONGEST_PACKED}", output.name)
    return vectors_only.check(graph, op, context)


@constraint()
def rows_or_columns(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """The operator is lowered over rows, columns or both of a picture, with a result that has
    the picture's other dimensions in their order."""
    if reduced_picture(graph, op) is not None:
        return None
    return Violation(result(graph, op).shape, "rows or columns of a picture")


@constraint()
def rows_columns_or_channels(graph: Graph, op: Operator, context: Context) -> Violation | None:
    """The operator is lowered over rows, columns or both of a picture, with a result that has
    the picture's other dimensions in their order, or over its channels alone, with a result that
    has a dimension of one in their place."""
    return None if sums_channels(graph, op) else rows_or_columns.check(graph, op, context)
