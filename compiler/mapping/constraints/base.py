"""What a constraint is: a function whose docstring is what the user reads.

A constraint returns None if the operator keeps it, else a Violation with the values it
compared. It is only asked once every constraint before it in the operator's list holds, so it
may rely on them (the operand count comes first, then ranks, then values).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import Any

from ...fast_dataclass import dataclass
from ...frontend.graph import Graph, Operator, Tensor
from ...release import RUNTIME_VERSIONS
from ..reasons import Reason, Status

OLDEST, NEWEST = RUNTIME_VERSIONS[0], RUNTIME_VERSIONS[-1]


@dataclass(frozen=True, slots=True)
class Context:
    """What a constraint may ask besides the graph: the lowest runtime that must run the
    result, who reads each tensor and, for the lowering constraints, the operators accepted so
    far and whether the next one still reads the host's bytes as they came."""

    runtime: int = NEWEST
    consumers: Mapping[int, Sequence[int]] = field(default_factory=dict)
    mapped: Sequence[int] = ()
    reads_host: bool = True


@dataclass(frozen=True, slots=True)
class Violation:
    """What was found, what is allowed, on which tensor, and what the user can do about it."""

    actual: object = ""
    allowed: object = ""
    tensor: str = ""
    hint: str = ""


Check = Callable[[Graph, Operator, Context], "Violation | None"]


@dataclass(frozen=True, slots=True)
class Constraint:
    """A check, its user-facing text, the status it gives, and the runtimes it binds."""

    name: str
    message: str
    status: Status
    check: Check
    since: int = OLDEST
    until: int = NEWEST

    def reason(self, graph: Graph, op: Operator, context: Context) -> Reason | None:
        """None if the operator keeps the constraint or the runtime is not bound by it."""
        if not self.since <= context.runtime <= self.until:
            return None
        violation = self.check(graph, op, context)
        return None if violation is None else self.reason_of(op, violation)

    def reason_of(self, op: Operator, violation: Violation) -> Reason:
        return Reason(
            self.status,
            self.name,
            self.message,
            _text(violation.actual),
            _text(violation.allowed),
            op.index,
            violation.tensor,
            violation.hint,
        )

    def runtimes(self) -> str:
        """The bound as the documentation prints it, "" if every runtime is bound."""
        if self.since > OLDEST and self.until < NEWEST:
            return f"runtime {self.since} to {self.until}"
        if self.since > OLDEST:
            return f"runtime {self.since} and newer"
        return f"runtime {self.until} and older" if self.until < NEWEST else ""


def constraint(
    status: Status = Status.UNSPECIFIED, *, since: int = OLDEST, until: int = NEWEST
) -> Callable[[Check], Constraint]:
    """Make a Constraint of a check function: its name and its docstring are the user's text."""

    def make(check: Check) -> Constraint:
        name = getattr(check, "__name__", "constraint")
        return Constraint(
            name, " ".join((check.__doc__ or "").split()), status, check, since, until
        )

    return make


def with_text(check: Check, name: str, message: str, status: Status) -> Constraint:
    """A Constraint of a check made for one operator (operand numbers, positions)."""
    return Constraint(name, message, status, check)


def _text(value: object) -> str:
    if isinstance(value, (tuple, list)):
        return "x".join(str(size) for size in value) or "scalar"
    return str(value)


def option(op: Operator, name: str, default: int = 0) -> int:
    """An integer, enum or boolean builtin option; `default` where the options are absent."""
    value: Any = op.options.get(name, default)
    return int(value) if isinstance(value, (int, float)) else default


def operand(graph: Graph, op: Operator, position: int) -> Tensor | None:
    """The input at `position`, None if it is absent."""
    if position >= len(op.inputs) or op.inputs[position] < 0:
        return None
    return graph.tensors[op.inputs[position]]


def result(graph: Graph, op: Operator) -> Tensor:
    """The first output; the operand count holds, so there is one."""
    return graph.tensors[op.outputs[0]]


def activation_inputs(graph: Graph, op: Operator) -> list[Tensor]:
    """The inputs that are no constants, in order."""
    tensors = (graph.tensors[t] for t in op.inputs if t >= 0)
    return [tensor for tensor in tensors if not tensor.is_constant]


def activations(graph: Graph, op: Operator) -> list[Tensor]:
    """The non-constant inputs, then the outputs."""
    return activation_inputs(graph, op) + [graph.tensors[t] for t in op.outputs]


def constant_values(tensor: Tensor | None) -> list[int] | None:
    """Elements of an integer parameter tensor in order, None if it is absent, not constant or
    its data does not fit its shape."""
    if tensor is None or tensor.data is None:
        return None
    if tuple(tensor.data.shape) != tensor.shape or tensor.data.dtype.kind not in "iu":
        return None
    return [int(value) for value in tensor.data.reshape(-1)]


def innermost(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """(y, x, z): the three innermost dimensions, missing ones 1."""
    y, x, z = (1, 1, 1, *shape)[-3:]
    return y, x, z


def is_vector(shape: tuple[int, ...]) -> bool:
    """Whether only the innermost dimension is larger than 1."""
    return all(size == 1 for size in shape[:-1])
