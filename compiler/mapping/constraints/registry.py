"""The table of operators: lowest runtime, newest known version, and constraints in order.

Sources of the facts: docs/format/mapping.md.
"""

from __future__ import annotations

from ...fast_dataclass import dataclass
from . import convolution, data_movement, dense, elementwise, pooling, resize
from .base import OLDEST, Constraint
from .generic import MANY, constant_parameters, operands, same_type


@dataclass(frozen=True, slots=True)
class OperatorRule:
    """since: lowest runtime that has the operator; version: the newest operator version with
    8-bit kernels this compiler knows; constraints: asked in order after the generic ones."""

    since: int
    version: int
    constraints: tuple[Constraint, ...]


def _rule(*constraints: Constraint, since: int = OLDEST, version: int = 2) -> OperatorRule:
    return OperatorRule(since, version, constraints)


_UNARY = (operands(1), same_type())
_BINARY = (operands(2), same_type(), *elementwise.BINARY)
_AXES = (operands(2), constant_parameters({1: "the axes"}), same_type(0))
_POOL = (operands(1), same_type(), *pooling.POOL)
_WEIGHTS = constant_parameters({1: "the filter", 2: "the bias"})
_RESIZE = (operands(2), constant_parameters({1: "the size"}), same_type(0))
_LSTM_WEIGHTS = constant_parameters(
    dict.fromkeys((*range(1, 18), *range(20, 24)), "weights and biases")
)

OPERATORS: dict[str, OperatorRule] = {
    "ADD": _rule(*_BINARY, version=3),
    "AVERAGE_POOL_2D": _rule(*_POOL),
    "CONCATENATION": _rule(
        operands(1, MANY),
        same_type(),
        pooling.no_fused_activation,
        data_movement.no_batch_concatenation,
        data_movement.zero_constant_input,
    ),
    "CONV_2D": _rule(operands(2, 3), _WEIGHTS, same_type(0), *convolution.CONVOLUTION, version=5),
    "DEPTHWISE_CONV_2D": _rule(
        operands(2, 3), _WEIGHTS, same_type(0), *convolution.DEPTHWISE, version=6
    ),
    "EXPAND_DIMS": _rule(
        operands(2),
        constant_parameters({1: "the axis"}),
        same_type(0),
        data_movement.same_size,
        since=13,
    ),
    "FULLY_CONNECTED": _rule(
        operands(2, 3), _WEIGHTS, same_type(0), *dense.FULLY_CONNECTED, version=9
    ),
    "L2_NORMALIZATION": _rule(*_UNARY, *elementwise.SYMMETRIC),
    "LOGISTIC": _rule(*_UNARY, *elementwise.PROBABILITY),
    "MAXIMUM": _rule(*_BINARY),
    "MAX_POOL_2D": _rule(*_POOL),
    "MEAN": _rule(*_AXES, *pooling.MEAN),
    "MINIMUM": _rule(*_BINARY),
    "MUL": _rule(*_BINARY, version=3),
    "PACK": _rule(operands(1, MANY), same_type(), data_movement.no_batch_packing, since=13),
    "PAD": _rule(
        operands(2), constant_parameters({1: "the paddings"}), same_type(0), *data_movement.PAD
    ),
    "PRELU": _rule(
        operands(2), constant_parameters({1: "alpha"}), same_type(0), *elementwise.PRELU, since=13
    ),
    "QUANTIZE": _rule(operands(1), *elementwise.UNARY, since=12),
    "REDUCE_MAX": _rule(*_AXES, *pooling.REDUCTION, since=14),
    "REDUCE_MIN": _rule(*_AXES, *pooling.REDUCTION, since=14),
    "RELU": _rule(*_UNARY, *elementwise.UNARY),
    "RELU6": _rule(*_UNARY, *elementwise.UNARY),
    "RELU_N1_TO_1": _rule(*_UNARY, *elementwise.UNARY),
    "RESHAPE": _rule(
        operands(1, 2), constant_parameters({1: "the shape"}), same_type(0), data_movement.same_size
    ),
    "RESIZE_BILINEAR": _rule(*_RESIZE, *resize.BILINEAR, version=3),
    "RESIZE_NEAREST_NEIGHBOR": _rule(*_RESIZE, *resize.NEAREST, version=3),
    "RSQRT": _rule(*_UNARY, *elementwise.UNARY, since=14),
    "SLICE": _rule(
        operands(3), constant_parameters({1: "begin", 2: "size"}), same_type(0), version=3
    ),
    "SOFTMAX": _rule(*_UNARY, *dense.SOFTMAX, *elementwise.PROBABILITY),
    "SPACE_TO_DEPTH": _rule(*_UNARY, data_movement.positive_block_size),
    "SPLIT": _rule(
        operands(2, outputs=0),
        constant_parameters({0: "the axis"}),
        same_type(1),
        data_movement.no_batch_split,
        version=3,
    ),
    "SQUARED_DIFFERENCE": _rule(*_BINARY, since=14),
    "SQUEEZE": _rule(operands(1), same_type(), data_movement.same_size, data_movement.no_relayout),
    "STRIDED_SLICE": _rule(
        operands(4),
        constant_parameters({1: "begin", 2: "end", 3: "strides"}),
        same_type(0),
        data_movement.no_new_axes,
        data_movement.unit_strides,
        version=4,
    ),
    "SUB": _rule(*_BINARY, version=3),
    "SUM": _rule(*_AXES, *pooling.REDUCTION, since=13),
    "TANH": _rule(*_UNARY, *elementwise.SYMMETRIC),
    "TILE": _rule(
        operands(2),
        constant_parameters({1: "the multiples"}),
        same_type(0),
        data_movement.no_batch_tiling,
        since=12,
        version=3,
    ),
    "TRANSPOSE": _rule(
        operands(2), constant_parameters({1: "the permutation"}), same_type(0), since=14, version=4
    ),
    "TRANSPOSE_CONV": _rule(
        operands(3, 4),
        constant_parameters({0: "the output shape", 1: "the filter", 3: "the bias"}),
        same_type(2),
        *convolution.TRANSPOSED,
        since=13,
        version=3,
    ),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _rule(
        operands(1, MANY), _LSTM_WEIGHTS, *dense.LSTM, since=14, version=3
    ),
}
