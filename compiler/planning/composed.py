"""Operators that are made of sums, products and functions of each value: MAXIMUM, MINIMUM,
SQUARED_DIFFERENCE and PRELU.

Reads the Graph level through the planner, adds the steps of those. Facts:
docs/format/elementwise.md, "Composed operators".
"""

from __future__ import annotations

from math import prod

from ..float32 import single
from ..frontend.graph import Operator
from .builder import PlanBuilder
from .constant_number import constant_number
from .dataflow import scale, zero_point
from .elementwise import add_sum, fused
from .family import Family
from .map_layout import MapLayout
from .map_operands import map_operands, whole_operands
from .multiply import add_product, writes_whole_words
from .patches import (
    MAP_RANK,
    Operand,
    compact_operands,
    maps_alike,
    own_part,
    result_map,
    same_maps,
    scratch_map,
    settled,
)
from .pointwise import Function, add_function
from .refusal import Refusal
from .requantization import Requantization, raw_bytes
from .vectors import VectorLayout
from .wide_squares import add_squares

RELU = 1
"""The schema's number of the activation."""


def plan_extreme(planner: PlanBuilder, op: Operator) -> None:
    """max(a, b) = b + max(a - b, 0); min(a, b) = a - max(a - b, 0), in bytes."""
    planner.lay_out_map(op.outputs[0])
    first, second = whole_operands(planner, op)
    excess = _excess(planner, op, first, second)
    one, weight = (second, 1) if op.name == "MAXIMUM" else (first, -1)
    target = result_map(planner, op, [one, excess])
    add_sum(
        planner,
        op,
        (settled(planner, one), excess),
        (1, weight),
        target,
        initial=0,
        requantization=raw_bytes(0),
    )


def _excess(planner: PlanBuilder, op: Operator, first: Operand, second: Operand) -> Operand:
    """max(first - second, 0) in bytes."""
    result = scratch_map(planner, op, "excess", first.layout)
    pair = settled(planner, first), settled(planner, second)
    add_sum(planner, op, pair, (1, -1), result, initial=0, requantization=raw_bytes(0))
    return result


def plan_squared_difference(planner: PlanBuilder, op: Operator) -> None:
    """|a - b| = max(a - b, 0) + max(b - a, 0), in bytes; its square. In two units, with 16 bits."""
    writes_whole_words(planner, op)
    first, second = whole_operands(planner, op)
    if first == second:
        raise Refusal(op.index, f"{op.name} of a tensor and itself")
    one, other = (planner.graph.tensor(tensor) for tensor in op.inputs)
    if (scale(one), zero_point(one)) != (scale(other), zero_point(other)):
        add_squares(planner, op, first, second)
        return
    over, under = _excess(planner, op, first, second), _excess(planner, op, second, first)
    distance = scratch_map(planner, op, "distance", first.layout)
    add_sum(planner, op, (over, under), (1, 1), distance, initial=0, requantization=raw_bytes(0))
    unit = scale(planner.graph.tensor(op.inputs[0]))
    add_product(
        planner,
        op,
        (distance, distance),
        result_map(planner, op, [distance]),
        zeros=(0, 0),
        requantization=fused(planner, op, single(unit * unit)),
    )


def plan_prelu(planner: PlanBuilder, op: Operator) -> None:
    """What is above zero, plus alpha times what is below, both in the unit of the result."""
    same_maps(planner, op)
    writes_whole_words(planner, op)
    source, zero = (
        planner.graph.tensor(op.inputs[0]),
        zero_point(planner.graph.tensor(op.inputs[0])),
    )
    number = constant_number(planner.graph, op)
    alpha = None
    if number is None:
        operand, alpha = map_operands(planner, op)
    else:
        (operand,) = compact_operands(planner, op)
    positive = scratch_map(planner, op, "positive", operand.layout)
    function = Function(fused(planner, op, scale(source), RELU))
    add_function(planner, op, settled(planner, operand), positive, function=function, zero=zero)
    if alpha is None:
        negative = _times_number(planner, op, settled(planner, operand), number or 0.0)
    else:
        negative = _times_channels(planner, op, settled(planner, operand), alpha)
    point = zero_point(planner.graph.tensor(op.outputs[0]))
    add_sum(
        planner,
        op,
        (positive, negative),
        (1, 1),
        result_map(planner, op, [positive, negative]),
        initial=-2 * point,
        requantization=raw_bytes(point),
    )


def _times_number(planner: PlanBuilder, op: Operator, operand: Operand, number: float) -> Operand:
    """alpha * min(x, 0): the product with a number, on one side of the result's zero."""
    source = planner.graph.tensor(op.inputs[0])
    product = fused(planner, op, single(scale(source) * single(abs(number))))
    point = product.zero_point
    if number >= 0:
        function = Function(Requantization(product.multiplier, 0.0, product.clamp_min, point))
    else:
        limits = Requantization(product.multiplier, product.clamp_max, 0.0, point)
        function = Function(limits, -1, zero_point(source))
    result = scratch_map(planner, op, "negative", operand.layout)
    add_function(planner, op, operand, result, function=function, zero=zero_point(source))
    return result


def _times_channels(
    planner: PlanBuilder, op: Operator, operand: Operand, alpha: Operand
) -> Operand:
    """alpha * min(x, 0) with an alpha for each channel."""
    source, factors = (planner.graph.tensor(tensor) for tensor in op.inputs)
    zeros = zero_point(source), zero_point(factors)
    below = scratch_map(planner, op, "below", operand.layout)
    function = Function(raw_bytes(zeros[0], highest=zeros[0]))
    add_function(planner, op, operand, below, function=function, zero=zeros[0])
    result = scratch_map(planner, op, "negative", operand.layout)
    add_product(
        planner,
        op,
        (below, settled(planner, alpha)),
        result,
        zeros=zeros,
        requantization=fused(planner, op, single(scale(source) * scale(factors))),
    )
    return result


def is_composed(planner: PlanBuilder, op: Operator) -> bool:
    """Whether all operands are on the chip."""
    return all(
        isinstance(planner.layouts.get(tensor), MapLayout | VectorLayout)
        for tensor in planner.dataflow.activations(op)
    )


def is_slope_of_channels(planner: PlanBuilder, op: Operator) -> bool:
    """Whether a PRELU reads a map of several pixels."""
    source, output = (planner.graph.tensor(t).shape for t in (op.inputs[0], op.outputs[0]))
    return source == output and len(source) == MAP_RANK and prod(source[:-1]) > 1


EXTREME = Family(
    "extreme",
    frozenset({"MAXIMUM", "MINIMUM"}),
    plan_extreme,
    is_composed,
    needs=own_part,
    by_parts=maps_alike,
)
SQUARED_DIFFERENCE = Family(
    "squared difference",
    frozenset({"SQUARED_DIFFERENCE"}),
    plan_squared_difference,
    is_composed,
    needs=own_part,
    by_parts=maps_alike,
)
PRELU = Family(
    "prelu",
    frozenset({"PRELU"}),
    plan_prelu,
    is_composed,
    needs=own_part,
    by_parts=is_slope_of_channels,
)
