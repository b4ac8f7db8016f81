"""TensorFlow Lite's delegate partitioning, so that the vendor's choice comes out.

The rule is that of TFLite's PartitionGraphIntoIndependentNodeSubsets (docs/format/mapping.md):
a subset takes its kind from the first operator whose inputs are all there, and absorbs every
operator of that kind whose inputs are there, until none is left; then the next one starts.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Sequence

from ..errors import InvalidModelError, Where
from ..fast_dataclass import dataclass
from ..frontend.graph import Graph


@dataclass(frozen=True, slots=True)
class Subset:
    """Operators of one kind, in execution order, that can run without leaving the subset."""

    on_edge_tpu: bool
    operators: tuple[int, ...]

    def inputs(self, graph: Graph) -> tuple[int, ...]:
        """Tensors that enter: no constants, not written inside; ascending. An LSTM's variable
        tensors are among them."""
        inside = {t for index in self.operators for t in graph.operators[index].outputs}
        read = {t for index in self.operators for t in graph.operators[index].inputs if t >= 0}
        return tuple(sorted(t for t in read - inside if not graph.tensors[t].is_constant))

    def outputs(self, graph: Graph) -> tuple[int, ...]:
        """Tensors written inside that an operator outside or the caller reads; ascending."""
        inside = set(self.operators)
        written = {t for index in inside for t in graph.operators[index].outputs}
        wanted = set(graph.outputs)
        for op in graph.operators:
            if op.index not in inside:
                wanted.update(op.inputs)
        return tuple(sorted(written & wanted))


def cut(subset: Subset, before: Collection[int]) -> tuple[Subset, ...]:
    """The subset in pieces, one behind the other, of which all but the first begin with an
    operator of `before`."""
    pieces: list[list[int]] = [[]]
    for op in subset.operators:
        if op in before and pieces[-1]:
            pieces.append([])
        pieces[-1].append(op)
    return tuple(Subset(subset.on_edge_tpu, tuple(piece)) for piece in pieces)


def split(graph: Graph, supported: Sequence[bool]) -> tuple[Subset, ...]:
    """All subsets in execution order; `supported[i]` is the kind of operator i.

    Raises InvalidModelError if an operator does not come after those whose results it reads.
    """
    waiting = _unwritten_inputs(graph)
    consumers = graph.consumers()
    ready: tuple[list[int], list[int]] = ([], [])
    for op in graph.operators:
        if not waiting[op.index]:
            ready[supported[op.index]].append(op.index)
    subsets: list[Subset] = []
    while ready[0] or ready[1]:
        kind = not ready[0] or (bool(ready[1]) and ready[1][0] < ready[0][0])
        taken: list[int] = []
        while ready[kind]:
            index = heapq.heappop(ready[kind])
            taken.append(index)
            for tensor in graph.operators[index].outputs:
                for reader in consumers.get(tensor, ()):
                    waiting[reader] -= 1
                    if not waiting[reader]:
                        heapq.heappush(ready[supported[reader]], reader)
        subsets.append(Subset(kind, tuple(taken)))
    return tuple(subsets)


def _unwritten_inputs(graph: Graph) -> list[int]:
    """For each operator, how many of its input tensors other operators write."""
    producers = graph.producers()
    counts: list[int] = []
    for op in graph.operators:
        written = {t for t in op.inputs if t in producers}
        if any(producers[t] >= op.index for t in written):
            where = Where(graph.source, f"operator {op.index} ({op.name})")
            raise InvalidModelError("the operators are not in execution order", where=where)
        counts.append(len(written))
    return counts
