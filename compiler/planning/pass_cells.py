"""What spatial passes see as one operator: an operator with one input, or several that lead from
one tensor to one result: those that work value by value, as a value times a function of itself,
and, where the sum at their end does not fit, residual blocks.

Reads the Graph level through the planner. Facts: docs/format/passes.md, "Which operators".
"""

from __future__ import annotations

from collections.abc import Container, Sequence

from ..frontend.graph import Operator
from .builder import PlanBuilder
from .composed import EXTREME, PRELU, SQUARED_DIFFERENCE
from .elementwise import SUM
from .family import Family
from .multiply import PRODUCT
from .pointwise import POINTWISE

LONGEST = 32
"""Operators of a cell."""
_BY_VALUE = (SUM, POINTWISE, PRODUCT, EXTREME, SQUARED_DIFFERENCE, PRELU)


def by_parts(planner: PlanBuilder, op: Operator, families: Sequence[Family]) -> bool:
    """Whether one of the families can run the operator on a part of its maps."""
    return any(op.name in family.operators and family.by_parts(planner, op) for family in families)


def cells(planner: PlanBuilder, joins: Container[int]) -> tuple[range, ...]:
    """The operators, by their places, in cells, in order; `joins`: places of operators that end
    residual blocks, if they do."""
    found: list[range] = []
    for place, op in enumerate(planner.dataflow.operators):
        first = place
        if len(set(planner.dataflow.activations(op))) > 1:
            first = _first(planner, place, _BY_VALUE)
            if first == place and place in joins:
                first = residual_start(planner, place)
        while found and found[-1].stop > first:
            first = min(first, found.pop().start)
        found.append(range(first, place + 1))
    return tuple(found)


def residual_start(planner: PlanBuilder, place: int) -> int:
    """Where the residual block begins that an operator of several inputs ends; its place where
    there is none."""
    return _first(planner, place, planner.families)


def _first(planner: PlanBuilder, place: int, families: Sequence[Family]) -> int:
    """Where the shortest cell begins that ends with an operator; its place where there is none."""
    operators = planner.dataflow.operators
    for first in range(place, max(place - LONGEST, -1), -1):
        if not by_parts(planner, operators[first], families):
            break
        if _is_closed(planner, operators[first : place + 1]):
            return first
    return place


def _is_closed(planner: PlanBuilder, operators: Sequence[Operator]) -> bool:
    """Whether operators read one tensor from outside, and only their last result leaves."""
    flow = planner.dataflow
    results = [op.outputs[0] for op in operators]
    read = {tensor for op in operators for tensor in flow.activations(op)}
    inside = {op.index for op in operators}
    return len(read - set(results)) == 1 and all(
        not flow.is_output(result) and {reader.index for reader in flow.readers(result)} <= inside
        for result in results[:-1]
    )
