"""What the code generator can lower today: one more constraint, visible to the user.

An operator passes if the vendor maps it, and the code generator emits a program for it whose
correctness is proven (docs/format/evidence.md). `LOWERINGS` says for each operator which
limits hold and what the proof is; an operator that is not in it stays on the CPU.
"""

from __future__ import annotations

import enum
from math import prod

from ..fast_dataclass import dataclass
from ..frontend.equivalent_layers import dense_weights
from ..frontend.graph import Graph, Operator, Tensor
from .constraints.base import (
    Constraint,
    Context,
    Violation,
    activation_inputs,
    constraint,
    innermost,
    is_vector,
    result,
)
from .lstm_limits import (
    is_lstm_result,
    lstm_sizes,
    lstm_types,
    own_states,
    sequence_alone,
    sequence_from_host_or_lstm,
    whole_lstm,
)
from .map_limits import (
    doubled_or_same,
    few_phases,
    maps_of_one_picture,
    one_unit,
    pairs_of_channels,
    picture_from_host,
    quantised_constant,
    repeated_pixels,
    requantised_on_a_map,
    root_of_zero_saturates,
)
from .movement_limits import (
    LONGEST,
    host_vector,
    joined_or_fused,
    keeps_words,
    rows_columns_or_channels,
    rows_or_columns,
    same_units,
    splits_groups,
    whole_words,
    words_or_one_part,
    words_or_one_step,
)
from .program_parts import keeps_values, one_activation_input
from .reasons import Reason

WORD = 4
"""Bytes of a narrow word."""
MAP_RANK = 4
MOST_WEIGHTS = 1 << 24
"""Weights of an ordinary convolution in a depthwise one's place: more than the chip holds."""


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
    """The one non-constant input; the first where there are several."""
    return activation_inputs(graph, op)[0]


@constraint()
def lowering_exists(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """The code generator does not lower this operator yet."""
    if op.name in LOWERINGS:
        return None
    return Violation(op.name, hint="It runs on the CPU; the model stays correct.")


@constraint()
def several_pixels(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """The operator is lowered on maps of more than one pixel."""
    source = _source(graph, op)
    return Violation(source.shape, tensor=source.name) if is_vector(source.shape) else None


@constraint()
def dense_multiplier(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """A depthwise convolution that makes several channels of each of several is lowered as an
    ordinary one, of up to 16777216 weights."""
    weights = dense_weights(graph, op)
    if weights <= MOST_WEIGHTS:
        return None
    return Violation(f"{weights} weights", f"up to {MOST_WEIGHTS}", _source(graph, op).name)


@constraint()
def vector_input(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """The operator is lowered for a one-dimensional input."""
    source = _source(graph, op)
    return None if is_vector(source.shape) else Violation(source.shape, "1-D", source.name)


@constraint()
def vector_in_blocks(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """A fully connected layer, or a convolution of one pixel, is lowered for up to 65536 inputs
    and up to 65536 outputs."""
    source, output = _source(graph, op), result(graph, op)
    if not is_vector(source.shape) and op.name != "FULLY_CONNECTED":
        return None
    for tensor in (source, output):
        size = prod(tensor.shape)
        if size > LONGEST:
            return Violation(f"{size} values", f"up to {LONGEST}", tensor.name)
    return None


@constraint()
def same_layout(graph: Graph, op: Operator, context: Context) -> Violation | None:
    """The operator is lowered if the three innermost dimensions stay, if it reads the model's
    input as the host sends it, if it flattens a map of up to 65536 values or the result of an
    LSTM, if every pixel keeps its channels or is whole words of four before and after, or if it
    alone reads a CONV_2D and splits its channels into groups."""
    source, output = _source(graph, op), result(graph, op)
    if context.reads_host or innermost(source.shape) == innermost(output.shape):
        return None
    if op.name != "SPLIT" and is_vector(output.shape) and len(source.shape) == MAP_RANK:
        size = output.shape[-1]
        return None if size <= LONGEST else Violation(size, f"up to {LONGEST}", source.name)
    if is_vector(output.shape) and is_lstm_result(graph, source.index, context):
        return None
    if keeps_words(source.shape, output.shape) or splits_groups(graph, op, context):
        return None
    return Violation(source.shape, "a map to a vector", source.name)


@constraint()
def same_real_values(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """The operator is lowered if it changes no value: equal scales, and zero points that are
    equal or, between int8 and uint8, 128 apart."""
    if keeps_values(graph, op):
        return None
    return Violation("other scale or zero point", "the input's", result(graph, op).name)


_OPERANDS = (maps_of_one_picture, quantised_constant, repeated_pixels)
_SUM = Lowering(
    Evidence.VENDOR_BYTES,
    "movenet_single_pose_lightning_ptq, deeplabv3_mnv2_dm05_pascal_quant",
    _OPERANDS,
    (picture_from_host,),
)
_EXTREME = Lowering(Evidence.EMULATOR, "", (*_OPERANDS, one_unit), (picture_from_host,))
_REDUCED_EXTREME = Lowering(
    Evidence.EMULATOR,
    "",
    (several_pixels, rows_or_columns, same_real_values),
    (picture_from_host,),
)
_CLAMP = Lowering(Evidence.EMULATOR, "", (maps_of_one_picture,), (picture_from_host,))
_MOVE = Lowering(Evidence.EMULATOR, "", (whole_words, same_units), (picture_from_host,))
_CONVOLUTION = (vector_in_blocks,)

LOWERINGS: dict[str, Lowering] = {
    "ADD": _SUM,
    "AVERAGE_POOL_2D": Lowering(
        Evidence.VENDOR_BYTES,
        "mobilenet_v1_1.0_224_quant_embedding_extractor, gabor_64x64_p4, looming_64x64_3x3, "
        "deeplab_mobilenet_edgetpu_slim_cityscapes_quant",
        (),
        (picture_from_host,),
    ),
    "CONCATENATION": Lowering(
        Evidence.VENDOR_BYTES,
        "bright_16x16, posenet_mobilenet_v1_075_353_481_16_quant_decoder",
        (joined_or_fused, same_units),
        (picture_from_host,),
    ),
    "CONV_2D": Lowering(
        Evidence.VENDOR_BYTES,
        "mobilenet_v1_1.0_224_quant_embedding_extractor, conv2d_12x128x128_to_128_k3_s1_same",
        _CONVOLUTION,
        (picture_from_host,),
    ),
    "DEPTHWISE_CONV_2D": Lowering(
        Evidence.VENDOR_BYTES,
        "mobilenet_v1_1.0_224_quant_embedding_extractor, gabor_64x64_7k_4o_2s",
        (dense_multiplier,),
        (picture_from_host,),
    ),
    "EXPAND_DIMS": Lowering(Evidence.NO_CODE, "", (same_real_values,), (same_layout,)),
    "FULLY_CONNECTED": Lowering(
        Evidence.VENDOR_BYTES,
        "dense_256, dense_1024",
        (vector_in_blocks,),
        (host_vector,),
    ),
    "L2_NORMALIZATION": Lowering(
        Evidence.EMULATOR, "", (maps_of_one_picture, pairs_of_channels), (picture_from_host,)
    ),
    "LOGISTIC": Lowering(
        Evidence.VENDOR_BYTES,
        "yamnet_spectra_in, movenet_single_pose_lightning_ptq",
        (maps_of_one_picture,),
        (picture_from_host,),
    ),
    "MEAN": Lowering(
        Evidence.VENDOR_BYTES,
        "yamnet_spectra_in",
        (several_pixels, rows_columns_or_channels),
        (picture_from_host,),
    ),
    "MAXIMUM": _EXTREME,
    "MAX_POOL_2D": Lowering(Evidence.EMULATOR, "", (same_real_values,), (picture_from_host,)),
    "MINIMUM": _EXTREME,
    "MUL": Lowering(
        Evidence.VENDOR_BYTES,
        "looming_64x64_3x3, movenet_single_pose_lightning_ptq",
        _OPERANDS,
        (picture_from_host,),
    ),
    "PACK": _MOVE,
    "PAD": Lowering(
        Evidence.VENDOR_BYTES,
        "posenet_mobilenet_v1_075_353_481_16_quant_decoder",
        (whole_words, same_real_values),
        (picture_from_host,),
    ),
    "PRELU": Lowering(Evidence.EMULATOR, "", _OPERANDS, (picture_from_host,)),
    "QUANTIZE": Lowering(
        Evidence.VENDOR_BYTES,
        "dense_256, movenet_single_pose_lightning_ptq",
        (requantised_on_a_map,),
        (picture_from_host,),
    ),
    "REDUCE_MAX": _REDUCED_EXTREME,
    "REDUCE_MIN": _REDUCED_EXTREME,
    "RELU": _CLAMP,
    "RELU6": _CLAMP,
    "RELU_N1_TO_1": _CLAMP,
    "RESHAPE": Lowering(
        Evidence.VENDOR_BYTES,
        "mobilenet_v1_0.25_128_quant, yamnet_spectra_in",
        (same_real_values,),
        (same_layout,),
    ),
    "RESIZE_NEAREST_NEIGHBOR": _MOVE,
    "RESIZE_BILINEAR": Lowering(
        Evidence.VENDOR_BYTES,
        "movenet_single_pose_lightning_ptq",
        (maps_of_one_picture, doubled_or_same),
        (picture_from_host,),
    ),
    "RSQRT": Lowering(
        Evidence.EMULATOR, "", (maps_of_one_picture, root_of_zero_saturates), (picture_from_host,)
    ),
    "SLICE": _MOVE,
    "SOFTMAX": Lowering(
        Evidence.VENDOR_BYTES,
        "mobilenet_v1_0.25_128_quant",
        (vector_input,),
        (host_vector,),
    ),
    "SPACE_TO_DEPTH": _MOVE,
    "SPLIT": Lowering(
        Evidence.VENDOR_BYTES,
        "yamnet_spectra_in",
        (words_or_one_part, same_real_values),
        (picture_from_host,),
    ),
    "SQUARED_DIFFERENCE": Lowering(Evidence.EMULATOR, "", _OPERANDS, (picture_from_host,)),
    "SQUEEZE": Lowering(Evidence.NO_CODE, "", (same_real_values,), (same_layout,)),
    "STRIDED_SLICE": Lowering(
        Evidence.EMULATOR, "", (words_or_one_step, same_real_values), (picture_from_host,)
    ),
    "SUB": _SUM,
    "SUM": Lowering(
        Evidence.EMULATOR, "", (several_pixels, rows_columns_or_channels), (picture_from_host,)
    ),
    "TANH": _CLAMP,
    "TILE": Lowering(
        Evidence.VENDOR_BYTES,
        "deeplab_mobilenet_edgetpu_slim_cityscapes_quant",
        _MOVE.limits,
        _MOVE.place,
    ),
    "TRANSPOSE": _MOVE,
    "TRANSPOSE_CONV": Lowering(
        Evidence.EMULATOR, "", (maps_of_one_picture, few_phases), (picture_from_host,)
    ),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": Lowering(
        Evidence.EMULATOR,
        "",
        (whole_lstm, lstm_types, lstm_sizes, own_states),
        (sequence_from_host_or_lstm, sequence_alone),
    ),
}


_SEVERAL_INPUTS = frozenset(
    {
        "ADD",
        "CONCATENATION",
        "MAXIMUM",
        "MINIMUM",
        "MUL",
        "PACK",
        "SQUARED_DIFFERENCE",
        "SUB",
        "UNIDIRECTIONAL_SEQUENCE_LSTM",
    }
)


def supports_alone(graph: Graph, op: Operator, context: Context) -> Reason | None:
    """Why the code generator cannot lower `op` whatever is mapped around it; None: it can.
    `op` keeps every other constraint."""
    limits = LOWERINGS[op.name].limits if op.name in LOWERINGS else ()
    single = () if op.name in _SEVERAL_INPUTS else (one_activation_input,)
    return _first(graph, op, context, (lowering_exists, *single, *limits))


def supports(graph: Graph, op: Operator, context: Context) -> Reason | None:
    """Why the code generator cannot lower `op` after the operators `context.mapped`; None: it
    can. `op` has passed `supports_alone`."""
    return _first(graph, op, context, LOWERINGS[op.name].place)


def _first(
    graph: Graph, op: Operator, context: Context, checks: tuple[Constraint, ...]
) -> Reason | None:
    for check in checks:
        if reason := check.reason(graph, op, context):
            return reason
    return None
