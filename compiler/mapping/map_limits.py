"""What the code generator asks of operators that work on whole maps, value by value."""

from __future__ import annotations

from ..frontend.graph import Graph, Operator
from ..frontend.movement import picture
from .constraints.base import (
    Context,
    Violation,
    activation_inputs,
    activations,
    constraint,
    innermost,
    is_vector,
    operand,
    option,
    result,
)
from .program_parts import keeps_values

WORD = 4
"""Bytes of a narrow word."""
GATHERED = 64
"""Channels of the largest picture from the host whose pixels are no whole words."""
TILE_ROWS = 4
"""Tile rows and tile columns: each needs a pixel of its own."""


@constraint()
def maps_of_one_picture(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """The operator is lowered on maps of one picture."""
    for tensor in activations(graph, op):
        if picture(tensor.shape) is None:
            return Violation(tensor.shape, tensor=tensor.name)
    return None


@constraint()
def nothing_spread(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """The operator is lowered for two maps of the output's size, or for one such map and a
    constant whose elements are all the same number. MUL: or a constant of the map's size with
    up to four channels, or a multiple of four."""
    wanted = result(graph, op).shape
    for tensor in activation_inputs(graph, op):
        if tensor.shape != wanted:
            return Violation(tensor.shape, "x".join(map(str, wanted)), tensor.name)
    for position in range(len(op.inputs)):
        constant = operand(graph, op, position)
        if constant is None or constant.data is None:
            continue
        if op.name == "MUL" and _as_large(constant.shape, wanted):
            continue
        values = constant.data.reshape(-1)
        if not values.size or (values != values[0]).any():
            return Violation("several numbers", "one number", constant.name)
    return None


def _as_large(shape: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    """Whether a constant has the rows, columns and channels of the result, whole words or less
    than one a pixel."""
    whole = wanted[-1] < WORD or wanted[-1] % WORD == 0
    return whole and picture(shape) == picture(wanted)


@constraint()
def requantised_on_a_map(graph: Graph, op: Operator, context: Context) -> Violation | None:
    """A QUANTIZE that changes values is lowered on maps of one picture."""
    if keeps_values(graph, op):
        return None
    return maps_of_one_picture.check(graph, op, context)


@constraint()
def doubled_or_same(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """RESIZE_BILINEAR is lowered to the same size, or from 4 pixels on to twice the size in both
    directions with half-pixel centers; the quantisation stays."""
    source, output = activation_inputs(graph, op)[0], result(graph, op)
    sizes, doubled = source.shape[1:3], output.shape[1:3]
    if not keeps_values(graph, op):
        return Violation("other scale or zero point", "the input's", output.name)
    if sizes == doubled:
        return None
    if tuple(2 * size for size in sizes) != doubled or min(sizes) < TILE_ROWS:
        return Violation(doubled, "x".join(str(2 * size) for size in sizes), output.name)
    if option(op, "align_corners") or not option(op, "half_pixel_centers"):
        return Violation("other positions of the pixels", "half-pixel centers")
    return None


@constraint()
def picture_from_host(graph: Graph, op: Operator, context: Context) -> Violation | None:
    """An operator that reads the model's input is lowered for 1 to 64 channels or a multiple of
    4: more lanes than a wide line has cannot gather the bytes of a pixel that is no whole
    words."""
    if not context.reads_host:
        return None
    for source in activation_inputs(graph, op):
        channels = innermost(source.shape)[2]
        if not is_vector(source.shape) and channels > GATHERED and channels % WORD:
            return Violation(f"{channels} channels", "1 to 64 or a multiple of 4", source.name)
    return None
