"""ADD and SUB of two operands, with any fused clamp: both operands times 16-bit weights.

The weights are the best ratio of two 15-bit integers to the ratio of the scales, so that the
sum has one unit. Facts: docs/format/elementwise.md, "Sums".
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from ..fast_dataclass import dataclass
from ..float32 import single
from ..frontend.graph import Operator
from .builder import PlanBuilder
from .constant_number import has_numbers
from .dataflow import scale, zero_point
from .family import Family
from .map_operands import whole_operands
from .patches import (
    Operand,
    PatchClass,
    maps_alike,
    own_part,
    patch_classes,
    result_map,
)
from .plan import Step
from .refusal import Refusal
from .requantization import Requantization, activation_range, requantization
from .wide_memory import top_line

LARGEST_WEIGHT = 32767
SUM_LINES = 4
"""Wide lines of the weights: two for each operand."""
SUM_WORDS = 16
"""Scratch words the weights are made in."""


@dataclass(frozen=True, slots=True)
class Term:
    """One operand of a sum: its buffer, and its weight (negative where it is subtracted)."""

    buffer: str
    weight: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SumStep(Step):
    """output = clamp(multiplier * (initial + sum of weight * operand)) + zero point.

    classes: own pixels in every operand (in the order of `terms`) and in the output; scratch:
    the words that `line` and the three lines behind it are made from.
    """

    terms: tuple[Term, Term]
    initial: int
    output: str
    channel_words: int
    classes: tuple[PatchClass, ...]
    requantization: Requantization
    scratch: str

    @property
    def line(self) -> int:
        """First line of the weights."""
        return self.lowest_line


def best_ratio(value: Fraction, limit: int = LARGEST_WEIGHT) -> tuple[int, int]:
    """Numerator and denominator, both at most `limit`, of the closest fraction on the
    continued fraction of a positive value: the last convergent, or the semiconvergent behind
    it where that is closer."""
    before, last = (0, 1), (1, 0)
    numerator, denominator = value.numerator, value.denominator
    while denominator:
        whole = numerator // denominator
        taken = min([whole, *((limit - b) // x for b, x in zip(before, last, strict=True) if x)])
        following = taken * last[0] + before[0], taken * last[1] + before[1]
        if taken < whole:
            return _closer(value, last, following) if taken else last
        before, last = last, following
        numerator, denominator = denominator, numerator - whole * denominator
    return last


def _closer(value: Fraction, first: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    if not first[1] or abs(Fraction(*other) - value) < abs(Fraction(*first) - value):
        return other
    return first


def plan_sum(planner: PlanBuilder, op: Operator) -> None:
    """Copies of operands that are not compact, then the sum."""
    planner.lay_out_map(op.outputs[0])
    operands = whole_operands(planner, op)
    weights = _weights(planner, op)
    zeros = [zero_point(planner.graph.tensor(tensor)) for tensor in op.inputs]
    add_sum(
        planner,
        op,
        operands,
        weights,
        result_map(planner, op, operands),
        initial=-sum(weight * zero for weight, zero in zip(weights, zeros, strict=True)),
        requantization=_requantization(planner, op, weights),
    )


def add_sum(
    planner: PlanBuilder,
    op: Operator,
    operands: Sequence[Operand],
    weights: tuple[int, int],
    target: Operand,
    *,
    initial: int,
    requantization: Requantization,
) -> None:
    """The step that adds two operands of one layout, times weights, for `op`."""
    line = planner.block_line(SUM_LINES, top_line(planner, op))
    first, second = (
        Term(planner.keep(operand.buffer), weight)
        for operand, weight in zip(operands, weights, strict=True)
    )
    planner.add(
        SumStep(
            ops=(op.index,),
            lowest_line=line,
            small=SUM_LINES,
            terms=(first, second),
            initial=initial,
            output=target.buffer,
            channel_words=target.layout.channel_words,
            classes=patch_classes([operand.layout for operand in operands], target.layout),
            requantization=requantization,
            scratch=planner.scratch(planner.unused(f"{op.index} weights"), SUM_WORDS),
        )
    )


def is_sum(planner: PlanBuilder, op: Operator) -> bool:
    """Whether two different tensors are added, or one and a constant of several numbers."""
    return len(set(planner.dataflow.activations(op))) == 2 or has_numbers(planner.graph, op)


def _weights(planner: PlanBuilder, op: Operator) -> tuple[int, int]:
    first, second = (scale(planner.graph.tensor(tensor)) for tensor in op.inputs)
    weights = best_ratio(Fraction(first) / Fraction(second))
    return (weights[0], -weights[1]) if op.name == "SUB" else weights


def difference_weights(planner: PlanBuilder, op: Operator) -> tuple[tuple[int, int], float]:
    """Of a difference of the operator's operands; and its unit."""
    first, second = (scale(planner.graph.tensor(tensor)) for tensor in op.inputs)
    one, other = best_ratio(Fraction(first) / Fraction(second))
    return (one, -other), _sum_unit(planner, op, (one, other))


def _requantization(planner: PlanBuilder, op: Operator, weights: tuple[int, int]) -> Requantization:
    return fused(planner, op, _sum_unit(planner, op, weights))


def _sum_unit(planner: PlanBuilder, op: Operator, weights: tuple[int, int]) -> float:
    largest = max(scale(planner.graph.tensor(tensor)) for tensor in op.inputs)
    return single(largest / single(max(map(abs, weights))))


def fused(
    planner: PlanBuilder, op: Operator, unit: float, activation: int | None = None
) -> Requantization:
    """From an accumulator in `unit` to the output, with the clamp of an activation (default:
    the operator's fused one)."""
    if activation is None:
        activation = op.options.get("fused_activation_function", 0)
    limits = activation_range(activation)
    if limits is None:
        raise Refusal(
            op.index,
            "fused activation function",
            actual=activation,
            allowed="NONE, RELU, RELU_N1_TO_1 or RELU6",
        )
    return requantization(unit, planner.graph.tensor(op.outputs[0]), limits)


SUM = Family(
    "sum",
    frozenset({"ADD", "SUB"}),
    plan_sum,
    accepts=is_sum,
    needs=own_part,
    by_parts=maps_alike,
)
