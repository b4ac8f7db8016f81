"""What the code generator can lower today: one more constraint, visible to the user.

An operator passes if the vendor maps it, and the code generator emits a program for it whose
correctness is proven (docs/format/evidence.md). `LOWERINGS` says for each operator which
limits hold and what the proof is; an operator that is not in it stays on the CPU.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from ..frontend.graph import Graph, Operator, Tensor, TensorType
from .chain import CHAIN, one_activation_input
from .constraints.base import (
    Constraint,
    Context,
    Violation,
    activation_inputs,
    constraint,
    innermost,
    is_vector,
    operand,
    option,
    result,
)
from .constraints.pooling import reduced_axes
from .reasons import Reason

TILE_ROWS = 4
"""The chip's tiles form a 4 x 4 grid; a map is cut over it in both directions."""
POOL_CHANNELS = 1024
"""16 tiles of 64 channels: the widest vector a pool's result is spread over."""
FIRST_VECTOR_STEP = 256
"""Bytes of one ring bus row: vectors from the host come in whole rows."""
MATRIX_INPUTS = 7600
"""A block of 64 outputs takes a wide line for 4 inputs; it must fit a tile's wide memory
(2080 lines) beside the transient buffers."""


class Evidence(enum.Enum):
    """What an operator's programs are held against (docs/format/evidence.md)."""

    VENDOR_BYTES = "vendor bytes"
    EMULATOR = "emulator"
    NO_CODE = "no instructions"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Lowering:
    """evidence: the kind of proof; shown_by: the vendor's file whose bytes must come out;
    limits: what the code generator does not lower yet, whatever is around it; place: what it
    asks of the operators mapped before."""

    evidence: Evidence
    shown_by: str = ""
    limits: tuple[Constraint, ...] = ()
    place: tuple[Constraint, ...] = ()


def _source(graph: Graph, op: Operator) -> Tensor:
    """The one non-constant input (the chain has one); the first where there are several."""
    return activation_inputs(graph, op)[0]


@constraint()
def lowering_exists(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """The code generator does not lower this operator yet."""
    if op.name in LOWERINGS:
        return None
    return Violation(op.name, hint="It runs on the CPU; the model stays correct.")


@constraint()
def undilated(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """Dilated convolutions are not lowered yet."""
    dilation = option(op, "dilation_h_factor", 1), option(op, "dilation_w_factor", 1)
    return None if dilation == (1, 1) else Violation(dilation, "1x1")


@constraint()
def image_filter(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """On a map of one pixel only a 1x1 filter is lowered."""
    weights = operand(graph, op, 1)
    if weights is None or not is_vector(_source(graph, op).shape):
        return None
    return Violation(weights.shape[1:3], "1x1") if weights.shape[1:3] != (1, 1) else None


@constraint()
def pixel_on_chip(graph: Graph, op: Operator, context: Context) -> Violation | None:
    """On a map of one pixel the operator is lowered if its input is the result of another
    mapped operator."""
    if not context.reads_host or not is_vector(_source(graph, op).shape):
        return None
    return Violation("an input of the mapped part", tensor=_source(graph, op).name)


@constraint()
def several_pixels(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """The operator is lowered on maps of more than one pixel."""
    source = _source(graph, op)
    return Violation(source.shape, tensor=source.name) if is_vector(source.shape) else None


@constraint()
def depth_multiplier_one(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """A depthwise convolution is lowered if it has as many output channels as input channels,
    or one input channel."""
    before, after = _source(graph, op).shape[3], result(graph, op).shape[3]
    return None if before in (1, after) else Violation(f"{before} to {after} channels", "equal")


def _is_global(graph: Graph, op: Operator) -> bool:
    return innermost(result(graph, op).shape)[:2] == (1, 1)


@constraint()
def tile_local_window(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """A pool is lowered over the whole map, or over windows that neither overlap nor cross the
    border between two tiles."""
    if _is_global(graph, op):
        return None
    source, output = innermost(_source(graph, op).shape), innermost(result(graph, op).shape)
    window = option(op, "filter_height", 1), option(op, "filter_width", 1)
    if window != (option(op, "stride_h", 1), option(op, "stride_w", 1)):
        return Violation("overlapping windows", "stride equal to window")
    for before, after, size in zip(source[:2], output[:2], window, strict=True):
        if -(-before // TILE_ROWS) != -(-after // TILE_ROWS) * size or before != after * size:
            return Violation(f"windows of {size} over {before} pixels", "a multiple in each tile")
    return None


@constraint()
def whole_map_window(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """A pool over the whole map is lowered if its window is the map, without padding."""
    if op.name == "MEAN" or not _is_global(graph, op):
        return None
    window = option(op, "filter_height", 1), option(op, "filter_width", 1)
    size = innermost(_source(graph, op).shape)[:2]
    return None if window == size else Violation(window, "x".join(map(str, size)))


@constraint()
def pooled_channels(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """A pool over the whole map is lowered for up to 1024 channels, a multiple of 4."""
    channels = result(graph, op).shape[-1]
    if not _is_global(graph, op) or (channels <= POOL_CHANNELS and channels % 4 == 0):
        return None
    return Violation(f"{channels} channels", f"multiples of 4 up to {POOL_CHANNELS}")


@constraint()
def result_on_chip(graph: Graph, op: Operator, context: Context) -> Violation | None:
    """The operator is lowered if its input is the result of another mapped operator."""
    if not context.reads_host:
        return None
    return Violation("an input of the mapped part", tensor=_source(graph, op).name)


@constraint()
def mean_over_the_map(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """MEAN is lowered over x and y together."""
    axes = reduced_axes(graph, op)
    return None if axes == (1, 2) else Violation(f"axes {axes} from the innermost", "x and y")


@constraint()
def vector_input(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """The operator is lowered for a one-dimensional input."""
    source = _source(graph, op)
    return None if is_vector(source.shape) else Violation(source.shape, "1-D", source.name)


@constraint()
def whole_rows_from_host(graph: Graph, op: Operator, context: Context) -> Violation | None:
    """A fully connected layer that reads the model's input is lowered for multiples of 256."""
    source = _source(graph, op)
    if not context.reads_host:
        return None
    size = source.shape[-1] if source.shape else 1
    return Violation(size, "multiples of 256", source.name) if size % FIRST_VECTOR_STEP else None


@constraint()
def resident_matrix(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """A fully connected layer is lowered if the weights of 64 outputs fit a tile."""
    source = _source(graph, op)
    size = source.shape[-1] if source.shape else 1
    return Violation(f"{size} inputs", f"up to {MATRIX_INPUTS}") if size > MATRIX_INPUTS else None


@constraint()
def spread_vector(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """SOFTMAX is lowered for more than 64 elements, and for lengths that are no multiple of 4
    only from 961 to 1024 elements (all tiles at work)."""
    size = _source(graph, op).shape[-1]
    if size > 64 and (size % 4 == 0 or 960 < size <= 1024):
        return None
    return Violation(f"{size} elements", "above 64; 961 to 1024 if no multiple of 4")


@constraint()
def same_layout(graph: Graph, op: Operator, context: Context) -> Violation | None:
    """The operator is lowered if it moves no data: the three innermost dimensions stay, or it
    reads the model's input as the host sends it."""
    source, output = _source(graph, op), result(graph, op)
    if context.reads_host or innermost(source.shape) == innermost(output.shape):
        return None
    return Violation(source.shape, "no change of layout", source.name)


@constraint()
def one_part(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """SPLIT is lowered if it has one part."""
    return None if len(op.outputs) == 1 else Violation(f"{len(op.outputs)} parts", "1 part")


@constraint()
def same_real_values(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """The operator is lowered if it changes no value: equal scales, and zero points that are
    equal or, between int8 and uint8, 128 apart."""
    source, output = _source(graph, op), result(graph, op)
    if _reading(source) == _reading(output):
        return None
    return Violation("other scale or zero point", "the input's", output.name)


def _reading(tensor: Tensor) -> tuple[tuple[float, ...], tuple[int, ...]]:
    """Scales and the zero points of the byte on the chip (int8 is stored plus 128)."""
    if tensor.quantization is None:
        return (), ()
    offset = 128 if tensor.type == TensorType.INT8 else 0
    points = tuple(point + offset for point in tensor.quantization.zero_points)
    return tensor.quantization.scales, points


_CONVOLUTION = (undilated, image_filter)

LOWERINGS: dict[str, Lowering] = {
    "AVERAGE_POOL_2D": Lowering(
        Evidence.VENDOR_BYTES,
        "mobilenet_v1_1.0_224_quant_embedding_extractor, gabor_64x64_p4",
        (several_pixels, tile_local_window, whole_map_window, pooled_channels),
        (result_on_chip,),
    ),
    "CONV_2D": Lowering(
        Evidence.VENDOR_BYTES,
        "mobilenet_v1_1.0_224_quant_embedding_extractor, conv2d_12x128x128_to_128_k3_s1_same",
        _CONVOLUTION,
        (pixel_on_chip,),
    ),
    "DEPTHWISE_CONV_2D": Lowering(
        Evidence.VENDOR_BYTES,
        "mobilenet_v1_1.0_224_quant_embedding_extractor, gabor_64x64_7k_4o_2s",
        (*_CONVOLUTION, several_pixels, depth_multiplier_one),
    ),
    "FULLY_CONNECTED": Lowering(
        Evidence.VENDOR_BYTES,
        "dense_256, dense_1024",
        (vector_input, resident_matrix),
        (whole_rows_from_host,),
    ),
    "LOGISTIC": Lowering(
        Evidence.VENDOR_BYTES, "yamnet_spectra_in", (vector_input,), (result_on_chip,)
    ),
    "MEAN": Lowering(
        Evidence.VENDOR_BYTES,
        "yamnet_spectra_in",
        (several_pixels, mean_over_the_map, pooled_channels),
        (result_on_chip,),
    ),
    "QUANTIZE": Lowering(Evidence.VENDOR_BYTES, "dense_256", (same_real_values,)),
    "RESHAPE": Lowering(
        Evidence.VENDOR_BYTES,
        "mobilenet_v1_0.25_128_quant, yamnet_spectra_in",
        (same_real_values,),
        (same_layout,),
    ),
    "SOFTMAX": Lowering(
        Evidence.VENDOR_BYTES,
        "mobilenet_v1_0.25_128_quant",
        (vector_input, spread_vector),
        (result_on_chip,),
    ),
    "SPLIT": Lowering(
        Evidence.VENDOR_BYTES, "yamnet_spectra_in", (one_part, same_real_values), (same_layout,)
    ),
    "SQUEEZE": Lowering(Evidence.NO_CODE, "", (same_real_values,), (same_layout,)),
}


def supports_alone(graph: Graph, op: Operator, context: Context) -> Reason | None:
    """Why the code generator cannot lower `op` whatever is mapped around it; None: it can.
    `op` keeps every other constraint."""
    limits = LOWERINGS[op.name].limits if op.name in LOWERINGS else ()
    return _first(graph, op, context, (lowering_exists, one_activation_input, *limits))


def supports(graph: Graph, op: Operator, context: Context) -> Reason | None:
    """Why the code generator cannot lower `op` after the operators `context.mapped`; None: it
    can. `op` has passed `supports_alone`."""
    return _first(graph, op, context, (*CHAIN, *LOWERINGS[op.name].place))


def _first(
    graph: Graph, op: Operator, context: Context, checks: tuple[Constraint, ...]
) -> Reason | None:
    for check in checks:
        if reason := check.reason(graph, op, context):
            return reason
    return None
