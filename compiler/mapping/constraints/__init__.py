"""Constraints, one module an operator family, and the question they answer together.

Precedence of the reasons: rank, data type, operator, version, the operator's own constraints
(docs/format/mapping.md).
"""

from __future__ import annotations

from ...frontend.graph import Graph, Operator
from ..reasons import Reason
from .base import Constraint, Context, Violation, constraint
from .generic import AFTER_OPERATOR, BEFORE_OPERATOR
from .known import known_operator, known_version, runtime_has_operator
from .registry import OPERATORS

__all__ = ["OPERATORS", "Constraint", "Context", "Violation", "check_operator", "constraint"]

_COMMON = (*BEFORE_OPERATOR, known_operator, runtime_has_operator, known_version)


def check_operator(graph: Graph, op: Operator, context: Context) -> Reason | None:
    """The first constraint `op` breaks, whether or not a lowering exists; None: supported."""
    for generic in _COMMON:
        if reason := generic.reason(graph, op, context):
            return reason
    first, *own = OPERATORS[op.name].constraints
    for check in (first, *AFTER_OPERATOR, *own):
        if reason := check.reason(graph, op, context):
            return reason
    return None
