"""Partition level: for each operator, where it runs and why.

Reads the Graph level, writes the Partition level. Rules: docs/format/mapping.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace

from ..errors import InternalError, OptionError, Where
from ..fast_dataclass import dataclass
from ..frontend.graph import Graph
from .constraints import Context, check_operator
from .lowering_support import supports, supports_alone
from .program_parts import computes, part_of_a_program
from .reasons import Reason, Status
from .subsets import Subset, cut, split


@dataclass(frozen=True, slots=True)
class Options:
    """ignore_lowering_support: map what the vendor maps, whether or not it can be lowered (for
    tests and reports; such a partition cannot be planned); all_subsets: keep every subset, not
    just the first; intermediate_tensors: names of tensors that must leave the Edge TPU, what
    follows them stays on the CPU; cuts: operators before which a subset is cut, so that it
    becomes several custom operators."""

    ignore_lowering_support: bool = False
    all_subsets: bool = False
    intermediate_tensors: tuple[str, ...] = ()
    cuts: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, eq=False)
class Partition:
    """subsets: all of them in execution order; kept: those that become custom operators;
    reasons: operator index -> why it stays on the CPU."""

    graph: Graph
    runtime_version: int
    subsets: tuple[Subset, ...]
    kept: tuple[Subset, ...]
    reasons: Mapping[int, Reason] = field(default_factory=dict)

    @property
    def mapped(self) -> tuple[int, ...]:
        """Operators of the first custom operator, in execution order."""
        return self.kept[0].operators if self.kept else ()

    @property
    def inputs(self) -> tuple[int, ...]:
        """Inputs of the first custom operator: tensor indices, ascending."""
        return self.kept[0].inputs(self.graph) if self.kept else ()

    @property
    def outputs(self) -> tuple[int, ...]:
        """Outputs of the first custom operator: tensor indices, ascending."""
        return self.kept[0].outputs(self.graph) if self.kept else ()

    def on_edge_tpu(self, op: int) -> bool:
        return op not in self.reasons

    def status(self, op: int) -> Status:
        """The status column of the `.log` file."""
        reason = self.reasons.get(op)
        return Status.MAPPED if reason is None else reason.status

    def verify(self) -> None:
        """Raise InternalError unless every operator is in one subset, exactly those of kept
        subsets have no reason, and no kept subset waits for its own results."""
        placed = [op for subset in self.subsets for op in subset.operators]
        if sorted(placed) != list(range(len(self.graph.operators))):
            raise InternalError("the subsets do not hold every operator once")
        on_chip = {op for subset in self.kept for op in subset.operators}
        if on_chip & set(self.reasons) or len(on_chip) + len(self.reasons) != len(placed):
            raise InternalError("an operator has no reason, or one too many")
        done: set[int] = set()
        written = {t for op in self.graph.operators for t in op.outputs}
        for subset in self.subsets:
            early = set(subset.inputs(self.graph)) & written - done
            if early:
                raise InternalError(f"a subset reads tensor {min(early)} before it is written")
            done.update(t for op in subset.operators for t in self.graph.operators[op].outputs)

    def text(self) -> str:
        """The level's printed form (`--dump-ir=partition`)."""
        lines = [f'partition "{self.graph.name}" runtime {self.runtime_version}']
        for subset in self.subsets:
            target = "edge_tpu" if subset in self.kept else "cpu"
            lines.append(f"  {target} " + " ".join(f"#{op}" for op in subset.operators))
            if subset in self.kept:
                for label in ("inputs", "outputs"):
                    tensors = getattr(subset, label)(self.graph)
                    lines.append(f"    {label} " + " ".join(f"%{t}" for t in tensors))
        for op in self.graph.operators:
            line = f"  #{op.index} {op.name}: {self.status(op.index).value}"
            if reason := self.reasons.get(op.index):
                line += f" [{reason.constraint}] {reason}"
            lines.append(line)
        return "\n".join(lines) + "\n"


def partition(
    graph: Graph,
    runtime_version: int,
    *,
    options: Options | None = None,
    refused: Mapping[int, Reason] | None = None,
) -> Partition:
    """Decide where every operator runs.

    refused: operators that a later stage could not handle (`refusal`), with the reason.
    Raises OptionError for an unknown intermediate tensor, InvalidModelError for a graph that is
    not in execution order.
    """
    options = options or Options()
    context = Context(runtime_version, graph.consumers())
    reasons = dict(refused or {})
    for op in graph.operators:
        reason = None if op.index in reasons else check_operator(graph, op, context)
        if reason is None and not options.ignore_lowering_support and op.index not in reasons:
            reason = supports_alone(graph, op, context)
        if reason is not None:
            reasons[op.index] = reason
    for index in _after(graph, options.intermediate_tensors):
        reasons.setdefault(index, _CUT.at(index))
    subsets, kept = _settle(graph, context, reasons, options)
    mapped = {op for subset in kept for op in subset.operators}
    for op in graph.operators:
        if op.index not in mapped:
            reasons.setdefault(op.index, _LATER.at(op.index))
    return Partition(graph, runtime_version, subsets, kept, reasons)


def refusal(
    op: int,
    message: str,
    *,
    actual: object = None,
    allowed: object = None,
    hint: str = "",
    constraint: str = "plannable",
) -> Reason:
    """The reason of an operator that a stage after mapping refuses (for example: it does not
    fit the chip's memory)."""
    values = ["" if value is None else str(value) for value in (actual, allowed)]
    return Reason(Status.UNSPECIFIED, constraint, message, values[0], values[1], op, hint=hint)


def _settle(
    graph: Graph, context: Context, reasons: dict[int, Reason], options: Options
) -> tuple[tuple[Subset, ...], tuple[Subset, ...]]:
    """All subsets and the kept ones, after every operator that cannot be lowered has got its
    reason. What can be lowered depends on what is mapped before it: hence a fixed point. Each
    round takes operators away, so there are at most as many rounds as operators."""
    while True:
        whole = split(graph, [op.index not in reasons for op in graph.operators])
        pieces = [cut(subset, options.cuts) for subset in whole]
        kept = [group for group in pieces if group[0].on_edge_tpu]
        found: dict[int, Reason] = {}
        for group in () if options.ignore_lowering_support else kept:
            refused: dict[int, Reason] = {}
            for subset in group:
                refused |= _not_lowered(graph, subset, context)
            found.update(refused)
            if len(refused) < sum(len(s.operators) for s in group) and not options.all_subsets:
                break
        if not found:
            subsets = tuple(subset for group in pieces for subset in group)
            chosen = kept if options.all_subsets else kept[:1]
            return subsets, tuple(subset for group in chosen for subset in group)
        reasons.update(found)


def _not_lowered(graph: Graph, subset: Subset, context: Context) -> dict[int, Reason]:
    """The operators of a subset that cannot be lowered. What follows one of them is not asked:
    it will be in a later subset."""
    found: dict[int, Reason] = {}
    mapped: list[int] = []
    tainted: set[int] = set()
    as_sent = set(subset.inputs(graph))  # tensors whose bytes are those of the host
    for index in subset.operators:
        op = graph.operators[index]
        if tainted.isdisjoint(op.inputs):
            reads_host = not as_sent.isdisjoint(op.inputs)
            reason = supports(graph, op, replace(context, mapped=mapped, reads_host=reads_host))
            if reason is None:
                mapped.append(index)
                if reads_host and not computes(graph, op):
                    as_sent.update(op.outputs)
                continue
            found[index] = reason
        tainted.update(op.outputs)
    if not any(computes(graph, graph.operators[index]) for index in mapped):
        for index in mapped:
            reason = part_of_a_program.reason(graph, graph.operators[index], context)
            if reason is not None:
                found[index] = reason
    return found


def _after(graph: Graph, names: tuple[str, ...]) -> list[int]:
    """Operators that read one of the named tensors, or what follows from it."""
    by_name = {tensor.name: tensor.index for tensor in graph.tensors}
    for name in names:
        if name not in by_name:
            raise OptionError(
                "no such tensor for --intermediate_tensors",
                where=Where(graph.source),
                actual=repr(name),
                hint="Tensor names are those of the .tflite file.",
            )
    behind = {by_name[name] for name in names}
    found: list[int] = []
    for op in graph.operators:
        if not behind.isdisjoint(op.inputs):
            found.append(op.index)
            behind.update(op.outputs)
    return found


@dataclass(frozen=True, slots=True)
class _Later:
    """Why a supported operator is not in the kept subset."""

    constraint: str
    message: str
    hint: str

    def at(self, op: int) -> Reason:
        status = Status.MORE_THAN_ONE_SUBGRAPH
        return Reason(status, self.constraint, self.message, op=op, hint=self.hint)


_LATER = _Later(
    "first_subgraph",
    "The operator needs the result of an operator that runs on the CPU, and only the first "
    "Edge TPU subgraph is kept.",
    "Replace the operator on the CPU before it by one that is supported.",
)
_CUT = _Later(
    "intermediate_tensors",
    "The operator follows a tensor that is named as an intermediate tensor.",
    "",
)
