"""Plans of graphs in which operators were taken apart, seen as plans of the graphs they come from.

Reads and writes the Plan level.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from .plan import Plan, Step
from .refusal import Refusal


def with_origins(plan: Plan, origins: Mapping[int, int]) -> Plan:
    """The plan with the operators of the graph. origins: new operator -> the one whose work it
    does."""
    steps = tuple(step_of_origin(step, origins) for step in plan.steps)
    segments = tuple(replace(s, op=origins.get(s.op, s.op)) for s in plan.segments)
    return replace(plan, steps=steps, segments=segments)


def step_of_origin(step: Step, origins: Mapping[int, int]) -> Step:
    """The step, of an operator of the graph."""
    return replace(step, ops=tuple(origins.get(op, op) for op in step.ops))


@contextmanager
def refusals_of_origin(origins: Mapping[int, int]) -> Iterator[None]:
    """Refusals that leave the block are of operators of the graph."""
    try:
        yield
    except Refusal as error:
        if error.op is not None:
            error.op = origins.get(error.op, error.op)
        raise
