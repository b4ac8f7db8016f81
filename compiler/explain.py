"""`--explain`: why an operator runs where it runs, with the values that decided it.

Reads the Partition level; the reasons come from `mapping`, and nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Iterator

from .driver import NO_CUT, Cut, plan_model
from .errors import OptionError, Where
from .frontend.graph import Graph
from .frontend.tflite_reader import read_model
from .mapping.partition import Partition
from .mapping.tensor_names import split_lists
from .options import Request

ALL = "all"


def explain(path: str, request: Request, wanted: str) -> str:
    """The text for the operators that `wanted` names: `all`, an index, the name of an operator
    kind or of a result. Raises OptionError if there is none."""
    graph = read_model(path)
    chosen = find_operators(graph, wanted)
    names = request.intermediate_tensors
    known = [{tensor.name for tensor in graph.tensors}]
    cut = Cut(split_lists(names, known)[0]) if names else NO_CUT
    part = plan_model(graph, request.options, cut).partition
    return "".join(line + "\n" for op in chosen for line in _lines(part, op))


def find_operators(graph: Graph, wanted: str) -> list[int]:
    """Indices of the operators that `wanted` names, ascending."""
    if wanted == ALL:
        return [op.index for op in graph.operators]
    if wanted.isascii() and wanted.isdecimal():
        found = [op.index for op in graph.operators if str(op.index) == wanted]
    else:
        found = [
            op.index
            for op in graph.operators
            if wanted in (op.name, op.custom_code, *(graph.tensors[t].name for t in op.outputs))
        ]
    if not found:
        raise OptionError(
            "no such operator for --explain",
            where=Where(file=graph.source),
            actual=repr(wanted),
            allowed=f"all, 0 to {len(graph.operators) - 1}, an operator's or a result's name",
        )
    return found


def _lines(part: Partition, index: int) -> Iterator[str]:
    op = part.graph.operators[index]
    results = ", ".join(part.graph.tensors[t].name for t in op.outputs)
    yield f"#{index} {op.custom_code or op.name} -> {results}"
    yield f"  {part.status(index).value}"
    reason = part.reasons.get(index)
    if reason is None:
        return
    values = {"found": reason.actual, "allowed": reason.allowed, "tensor": reason.tensor}
    yield f"  why: {reason.message} [{reason.constraint}]"
    yield from (f"  {label}: {value}" for label, value in values.items() if value)
    if reason.hint:
        yield f"  hint: {reason.hint}"
