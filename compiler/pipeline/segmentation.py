"""Where `--num_segments` cuts a model: by parameter bytes, as the vendor's tool does.

Reads the Graph level. The rule is that of the open partitioner in libcoral
(docs/usage.md, "Pipelines").
"""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import OptionError, Where
from ..frontend.graph import Graph


def execution_order(graph: Graph) -> list[int]:
    """All operators, depth first: the readers of a result come right behind it, the last
    reader first; operators whose results nobody reads come as late as possible."""
    readers = _readers(graph)
    waiting = [0] * len(graph.operators)
    for children in readers:
        for child in children:
            waiting[child] += 1
    pending = [op for op, count in enumerate(waiting) if not count]
    order: list[int] = []
    while pending:
        op = pending.pop()
        order.append(op)
        for child in readers[op]:
            waiting[child] -= 1
            if waiting[child]:
                continue
            if readers[child]:
                pending.append(child)
            else:
                pending.insert(0, child)
    return order


def parameter_bytes(graph: Graph) -> list[int]:
    """Bytes of the constant inputs of each operator in the source model; custom operators
    count as 0."""
    return [
        0 if op.custom_code else sum(_constant_bytes(graph, index) for index in op.inputs)
        for op in graph.operators
    ]


def first_output(graph: Graph, order: Sequence[int]) -> int:
    """Position in `order` of the first operator whose results nobody reads: from here on all
    belongs to the last segment."""
    readers = _readers(graph)
    return next(position for position, op in enumerate(order) if not readers[op])


def cut_by_parameters(sizes: Sequence[int], segments: int, last_start: int) -> tuple[int, ...]:
    """Operators of each segment; `sizes` are parameter bytes in execution order, and the last
    segment begins at `last_start` or before.

    A segment ends before the operator with which it would exceed an equal share. It has at
    least one operator, also where that alone exceeds the share.
    """
    share = sum(sizes) // segments + 1
    counts: list[int] = []
    position = 0
    for segment in range(segments - 1):
        end = last_start - (segments - segment - 1)
        size = count = 0
        while position <= end and (not count or size + sizes[position] <= share):
            size += sizes[position]
            count += 1
            position += 1
        counts.append(count)
    return (*counts, len(sizes) - position)


def most_segments(last_start: int) -> int:
    """How many segments a model can be cut into."""
    return last_start + 1


def cut_model(graph: Graph, segments: int) -> list[list[int]]:
    """Operators of each segment in execution order. Raises OptionError if there are not
    enough operators."""
    order = execution_order(graph)
    last_start = first_output(graph, order) if order else -1
    if segments > most_segments(last_start):
        raise OptionError(
            "the model cannot be cut into so many segments",
            where=Where(file=graph.source),
            actual=segments,
            allowed=f"1 to {most_segments(last_start)}",
            hint="Every segment needs an operator, and the last one all outputs.",
        )
    sizes = parameter_bytes(graph)
    counts = cut_by_parameters([sizes[op] for op in order], segments, last_start)
    return split_order(order, counts)


def split_order(order: Sequence[int], counts: Sequence[int]) -> list[list[int]]:
    """Consecutive runs of `order`."""
    runs, start = [], 0
    for count in counts:
        runs.append(list(order[start : start + count]))
        start += count
    return runs


def _constant_bytes(graph: Graph, index: int) -> int:
    data = graph.tensors[index].data if index >= 0 else None
    return 0 if data is None else data.nbytes


def _readers(graph: Graph) -> list[list[int]]:
    """For each operator the operators that read its results, one entry for each reading."""
    consumers: dict[int, list[int]] = {}
    for op in graph.operators:
        for index in op.inputs:
            consumers.setdefault(index, []).append(op.index)
    return [
        [reader for index in sorted(op.outputs) for reader in consumers.get(index, ())]
        for op in graph.operators
    ]
