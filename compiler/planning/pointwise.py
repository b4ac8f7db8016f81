"""Operators on one map, value by value: requantisation, clamps, activation tables, and sums,
products and limits with one constant number.

All are `output = clamp(multiplier * (weight * x + initial)) + zero point`, then perhaps a table.
With weight 1 the words run through the identity matrix; other weights are 16-bit values in two
wide lines of their own. Facts: docs/format/elementwise.md, "One operand".
"""

from __future__ import annotations

import enum
import math
from math import prod

from ..fast_dataclass import dataclass
from ..float32 import single
from ..frontend.graph import Operator, Tensor
from .builder import PlanBuilder
from .constant_number import constant_code, constant_number
from .dataflow import scale, zero_point
from .elementwise import fused
from .family import Family
from .map_layout import MapLayout
from .patches import (
    MAP_RANK,
    Operand,
    PatchClass,
    compact_operands,
    maps_alike,
    most_pixels,
    own_part,
    patch_classes,
    result_map,
    same_maps,
)
from .plan import WIDE_LINES, Step
from .refusal import Refusal
from .requantization import SIGMOID_LIMIT, Requantization, raw_bytes
from .wide_memory import top_line

WEIGHT_LINES = 2
WORD_CHANNELS = 4
WEIGHT_WORDS = 8
LARGEST_SUM = 1 << 23
"""Sums that float32 holds with a bit to spare."""
LARGEST_WEIGHT = 1 << 14
BIAS_LINES = 34
"""Lines kept free for a bias vector: two slots of one line, and a chunk behind."""
MIDDLE = 128
"""Zero point of a TANH's output on the chip."""
_ACTIVATIONS = {"RELU": 1, "RELU_N1_TO_1": 2, "RELU6": 3}
"""The numbers the schema gives the same functions where they are fused."""


class Table(enum.Enum):
    """Activation table behind the clamp."""

    NONE = "none"
    SIGMOID = "256 / (1 + exp(-x))"


@dataclass(frozen=True, slots=True, kw_only=True)
class PointwiseStep(Step):
    """output = table(clamp(multiplier * (weight * x - zero + initial))) + zero point.

    weight: 1 through the identity line, which is made from scratch `constants` unless that is
    ''; any other through two lines at `line`, made from `constants`. `zero` is subtracted from
    x with weight 1; otherwise `initial` holds it. bias: numbers added to the channels, which the
    host sends into wide line `line`; () for none.
    """

    input: str
    output: str
    channel_words: int
    classes: tuple[PatchClass, ...]
    weight: int
    input_zero: int
    initial: int
    requantization: Requantization
    table: Table
    constants: str
    bias: tuple[int, ...] = ()

    @property
    def line(self) -> int:
        """First line of the weights or of the bias vector."""
        return self.lowest_line

    @property
    def longest_loop(self) -> int:
        return most_pixels(self.classes) * (1 if self.weight == 1 else self.channel_words)


@dataclass(frozen=True, slots=True)
class Function:
    """What a step computes (see `PointwiseStep`)."""

    requantization: Requantization
    weight: int = 1
    initial: int = 0
    table: Table = Table.NONE
    bias: tuple[int, ...] = ()


def _source(planner: PlanBuilder, op: Operator) -> Tensor:
    """The one map, as the operator itself names it."""
    tensors = (planner.graph.tensor(index) for index in op.inputs)
    return next(tensor for tensor in tensors if not tensor.is_constant)


def _requantised(planner: PlanBuilder, op: Operator) -> Function:
    """QUANTIZE, RELU, RELU6, RELU_N1_TO_1."""
    return Function(fused(planner, op, scale(_source(planner, op)), _ACTIVATIONS.get(op.name)))


def _sigmoid(planner: PlanBuilder, op: Operator) -> Function:
    output = planner.graph.tensor(op.outputs[0])
    if scale(output) != 1 / 256 or zero_point(output):
        raise Refusal(
            op.index, "LOGISTIC with this output scale", actual=scale(output), allowed=1 / 256
        )
    limits = Requantization(scale(_source(planner, op)), SIGMOID_LIMIT, -SIGMOID_LIMIT, 0)
    return Function(limits, table=Table.SIGMOID)


def _hyperbolic(planner: PlanBuilder, op: Operator) -> Function:
    """TANH: 128 tanh(x) + 128 = 256 / (1 + exp(-2 x)), the sigmoid's table."""
    output = planner.graph.tensor(op.outputs[0])
    if scale(output) != 1 / 128 or zero_point(output) != MIDDLE:
        raise Refusal(
            op.index, "TANH with this output scale", actual=scale(output), allowed=1 / 128
        )
    unit = single(2 * scale(_source(planner, op)))
    limits = Requantization(unit, SIGMOID_LIMIT, -SIGMOID_LIMIT, 0)
    return Function(limits, table=Table.SIGMOID)


def _sum(planner: PlanBuilder, op: Operator) -> Function:
    """x + c, x - c, c - x, or x + x."""
    source = _source(planner, op)
    exact = constant_number(planner.graph, op)
    unit, zero = scale(source), zero_point(source)
    if exact is None:
        if op.name == "SUB":
            raise Refusal(op.index, "a tensor minus itself")
        return Function(fused(planner, op, single(2 * unit)))
    negative = op.name == "SUB" and planner.graph.tensor(op.inputs[0]).is_constant
    sign = -1 if op.name == "SUB" and not negative else 1
    steps = sign * single(exact) / unit
    if abs(steps) >= LARGEST_SUM / 2:
        raise Refusal(op.index, "the constant is too large", actual=exact)
    if not negative and unit == scale(planner.graph.tensor(op.outputs[0])):
        result = fused(planner, op, unit)
        return _with_number(planner, op, result, _nearest(sign * exact / unit))
    weight = LARGEST_WEIGHT
    while weight > 1 and (255 + abs(steps)) * weight > LARGEST_SUM:
        weight //= 2
    factor = -weight if negative else weight
    result = fused(planner, op, single(unit / weight))
    return Function(result, factor, _nearest(steps * weight) - factor * zero)


def _with_number(
    planner: PlanBuilder, op: Operator, result: Requantization, number: int
) -> Function:
    """A number of the input's steps is added: as a bias vector where a pixel is one word."""
    channels = planner.map_shape(planner.dataflow.source(op.outputs[0]))[2]
    if channels > WORD_CHANNELS:
        return Function(result, initial=number)
    return Function(result, bias=(number,) * channels)


def _limited(planner: PlanBuilder, op: Operator) -> Function:
    """MAXIMUM and MINIMUM of x and c in the unit of x, or of x and itself."""
    zero, code = zero_point(_source(planner, op)), constant_code(planner.graph, op)
    if code is None:
        return Function(raw_bytes(zero))
    if op.name == "MAXIMUM":
        return Function(raw_bytes(zero, lowest=code))
    return Function(raw_bytes(zero, highest=code))


def _product(planner: PlanBuilder, op: Operator) -> Function:
    """x * c."""
    source = _source(planner, op)
    exact = constant_number(planner.graph, op)
    if exact is None:
        raise Refusal(op.index, "a product that is not with one number")
    number = single(exact)
    result = fused(planner, op, single(scale(source) * abs(number)))
    return Function(result) if number >= 0 else Function(result, -1, zero_point(source))


def _nearest(value: float) -> int:
    """The nearest integer, halves away from zero."""
    return int(math.copysign(math.floor(abs(value) + 0.5), value))


_FUNCTIONS = {
    "ADD": _sum,
    "LOGISTIC": _sigmoid,
    "MAXIMUM": _limited,
    "MINIMUM": _limited,
    "MUL": _product,
    "QUANTIZE": _requantised,
    "RELU": _requantised,
    "RELU6": _requantised,
    "RELU_N1_TO_1": _requantised,
    "SUB": _sum,
    "TANH": _hyperbolic,
}


def is_pointwise(planner: PlanBuilder, op: Operator) -> bool:
    """One map, and nothing else but a constant number."""
    tensors = planner.dataflow.activations(op)
    if len(set(tensors)) != 1 or not isinstance(planner.layouts.get(tensors[0]), MapLayout):
        return False
    constants = any(planner.graph.tensor(index).is_constant for index in op.inputs)
    if not constants:
        return op.name not in ("MUL", "SQUARED_DIFFERENCE")
    return constant_number(planner.graph, op) is not None


def plan_pointwise(planner: PlanBuilder, op: Operator) -> None:
    """The step, behind a copy if the map is not compact."""
    same_maps(planner, op)
    function = _FUNCTIONS[op.name](planner, op)
    planner.lay_out_map(op.outputs[0])
    (operand,) = compact_operands(planner, op)
    target = result_map(planner, op, [operand])
    zero = zero_point(_source(planner, op))
    add_function(planner, op, operand, target, function=function, zero=zero)


def add_function(
    planner: PlanBuilder,
    op: Operator,
    operand: Operand,
    target: Operand,
    *,
    function: Function,
    zero: int,
) -> None:
    """The step that computes a function of every value of an operand with zero point `zero`, for
    `op`."""
    add_function_of(
        planner,
        op,
        (operand.buffer, target.buffer),
        patch_classes([operand.layout], target.layout),
        channel_words=target.layout.channel_words,
        function=function,
        zero=zero,
    )


def add_function_of(
    planner: PlanBuilder,
    op: Operator,
    buffers: tuple[str, str],
    classes: tuple[PatchClass, ...],
    *,
    channel_words: int,
    function: Function,
    zero: int,
) -> None:
    """As `add_function`, of pixels of `channel_words` words in the first of two buffers, to the
    second."""
    weighted = function.weight != 1
    lines = WEIGHT_LINES if weighted else BIAS_LINES if function.bias else 0
    line = planner.block_line(lines, top_line(planner, op)) if lines else WIDE_LINES
    weights = planner.unused(f"{op.index} weights")
    planner.add(
        PointwiseStep(
            ops=(op.index,),
            lowest_line=line,
            small=lines,
            input=planner.keep(buffers[0]),
            output=planner.keep(buffers[1]),
            channel_words=channel_words,
            classes=classes,
            weight=function.weight,
            input_zero=0 if weighted else zero,
            initial=function.initial,
            requantization=function.requantization,
            table=function.table,
            constants=planner.scratch(weights, WEIGHT_WORDS) if weighted else planner.identity(),
            bias=function.bias,
        )
    )


def is_function_of_a_map(planner: PlanBuilder, op: Operator) -> bool:
    """Whether the operator reads one map of the result's shape, and nothing else but a constant
    number."""
    if len(op.inputs) == 1:
        return maps_alike(planner, op)
    graph = planner.graph
    sources = [graph.tensor(t).shape for t in op.inputs if not graph.tensor(t).is_constant]
    shape = graph.tensor(op.outputs[0]).shape
    several = len(shape) == MAP_RANK and prod(shape[:-1]) > 1
    return sources == [shape] and several and constant_number(graph, op) is not None


POINTWISE = Family(
    "pointwise",
    frozenset(_FUNCTIONS),
    plan_pointwise,
    accepts=is_pointwise,
    needs=own_part,
    by_parts=is_function_of_a_map,
)
