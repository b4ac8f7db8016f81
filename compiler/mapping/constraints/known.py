"""Whether the compiler knows the operator, its version, and whether the runtime has it."""

from __future__ import annotations

from ...frontend.graph import Graph, Operator
from ..reasons import Status
from .base import Context, Violation, constraint
from .registry import OPERATORS


@constraint(Status.NOT_SUPPORTED)
def known_operator(_graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """The Edge TPU does not have this operator."""
    if op.name in OPERATORS:
        return None
    return Violation(f"{op.name} {op.custom_code}".strip(), hint="It runs on the CPU.")


@constraint(Status.NOT_SUPPORTED)
def runtime_has_operator(_graph: Graph, op: Operator, context: Context) -> Violation | None:
    """The operator needs a newer Edge TPU runtime than the one compiled for."""
    since = OPERATORS[op.name].since
    if context.runtime >= since:
        return None
    hint = f"Compile for a newer runtime (-m {since} or more)."
    return Violation(f"runtime {context.runtime}", f"{since} and newer", hint=hint)


@constraint(Status.UNSUPPORTED_VERSION)
def known_version(_graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """The version of the operator must be known to the compiler."""
    newest = OPERATORS[op.name].version
    if 1 <= op.version <= newest:
        return None
    hint = "Convert the model with an older TensorFlow, or without the operator's new options."
    return Violation(f"version {op.version}", f"1 to {newest}", hint=hint)
