"""What the code generator asks of operators that work on whole maps, value by value."""

from __future__ import annotations

from math import isfinite

from ..frontend.graph import Graph, Operator, Tensor
from ..frontend.inverse_roots import argument_factor, largest_root, steps_above
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
from .constraints.generic import QUANTISED
from .program_parts import keeps_values

WORD = 4
"""Bytes of a narrow word."""
GATHERED = 64
"""Channels of the largest picture from the host whose pixels are no whole words."""
LARGEST_STRIDE = 8
"""Stride of a transposed convolution: 64 steps with both."""
MOST_NORMALISED = 8192
"""Channels of which every norm has an inverse root of 2 and more."""
MOST_FACTOR = 16
"""Root of the largest factor of an argument of RSQRT."""
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
def repeated_pixels(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """The operator is lowered for operands with the channels of the result, and each with its
    rows or one row, its columns or one column; with one channel, and the rows and columns of the
    result; or with a constant whose elements are all the same number."""
    wanted = picture(result(graph, op).shape)
    for position in range(len(op.inputs)):
        tensor = operand(graph, op, position)
        if tensor is None or wanted is None or _is_number(tensor):
            continue
        found = picture(tensor.shape)
        if found == (*wanted[:2], 1):
            continue
        if found is None or found[2] != wanted[2]:
            return Violation(tensor.shape, f"{wanted[2]} channels", tensor.name)
        if any(found[axis] not in (1, wanted[axis]) for axis in (0, 1)):
            return Violation(tensor.shape, "x".join(map(str, wanted)), tensor.name)
    return None


def _is_number(tensor: Tensor) -> bool:
    """Whether all elements of a constant are equal."""
    if tensor.data is None or not tensor.data.size:
        return False
    values = tensor.data.reshape(-1)
    return bool((values == values[0]).all())


@constraint()
def quantised_constant(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """A constant operand must be int8 or uint8, filled, with one scale and one zero point."""
    for position in range(len(op.inputs)):
        tensor = operand(graph, op, position)
        if tensor is None or tensor.data is None:
            continue
        found = tensor.quantization
        if tensor.type not in QUANTISED or tuple(tensor.data.shape) != tensor.shape:
            return Violation(tensor.type.name.lower(), "int8 or uint8", tensor.name)
        if found is None or len(found.scales) != 1 or len(found.zero_points) != 1:
            return Violation("its quantisation", "1 scale", tensor.name)
        low, high = QUANTISED[tensor.type]
        if not (isfinite(found.scales[0]) and found.scales[0] > 0):
            return Violation(f"scale {found.scales[0]}", "finite, above 0", tensor.name)
        if not low <= found.zero_points[0] <= high:
            return Violation(f"zero point {found.zero_points[0]}", f"{low}..{high}", tensor.name)
    return None


@constraint()
def one_unit(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """All operands, constant ones too, have the type, scale and zero point of the result."""
    return _same_quantisation(graph, op, result(graph, op))


def _same_quantisation(graph: Graph, op: Operator, wanted: Tensor) -> Violation | None:
    for position in range(len(op.inputs)):
        tensor = operand(graph, op, position)
        if tensor is not None and _unit(tensor) != _unit(wanted):
            return Violation("other scale or zero point", f"that of '{wanted.name}'", tensor.name)
    return None


def _unit(tensor: Tensor) -> tuple[object, ...]:
    found = tensor.quantization
    return (tensor.type,) if found is None else (tensor.type, found.scales, found.zero_points)


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
def pairs_of_channels(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """L2_NORMALIZATION is lowered over an even number of channels, up to 8192."""
    channels = result(graph, op).shape[-1]
    if channels % 2 or channels > MOST_NORMALISED:
        return Violation(channels, f"even, up to {MOST_NORMALISED}", result(graph, op).name)
    return None


@constraint()
def root_of_zero_saturates(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """RSQRT is lowered if the root of a sixteenth of an input step is beyond the result's range:
    an input of 0 then gives the largest value, as in TensorFlow Lite."""
    if argument_factor(graph, op) is not None:
        return None
    steps = f"{MOST_FACTOR * largest_root(graph, op):.1f} steps"
    return Violation(steps, f"more than {steps_above(graph, op)} steps", result(graph, op).name)


@constraint()
def few_phases(_graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """TRANSPOSE_CONV is lowered for strides up to 8: outputs a stride apart are a convolution of
    their own."""
    strides = tuple(option(op, f"stride_{side}", 1) for side in "hw")
    if all(1 <= stride <= LARGEST_STRIDE for stride in strides):
        return None
    return Violation(strides, f"1 to {LARGEST_STRIDE}")


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
