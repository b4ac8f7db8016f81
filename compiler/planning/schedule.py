"""Execution order of the mapped operators: chains, smallest growth of live bytes first.

Reads the Graph level, writes the order the planners and the parameter data follow.
Facts: docs/format/parameters.md, "Order of layers".
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from math import prod

from ..fast_dataclass import dataclass
from ..frontend.graph import SIGNED_OFFSET, Graph, Operator, TensorType

_RESIZES = frozenset({"RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"})
_RESHAPES = ("RESHAPE", "SQUEEZE", "EXPAND_DIMS")
_WORD_CHANNELS = 4


@dataclass(frozen=True, slots=True)
class Schedule:
    """The mapped operators in execution order; operators that only rename their input
    follow its producer. `aliases`: renamed tensor -> the tensor that holds its bytes."""

    operators: tuple[Operator, ...]
    aliases: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class _Prefix:
    """The best place to stop in a chain: change and peak of live bytes, operators run."""

    change: int
    peak: int
    length: int


def schedule(graph: Graph, operators: Iterable[Operator], parked: Collection[int] = ()) -> Schedule:
    """Order `operators` (mapped ones, in file order) for execution.

    A chain is a run of operators, each the only consumer of the one before. Of the chains
    that can start, the one with the smallest change of live bytes runs, up to the place
    where that change is smallest; then the smaller peak, then file order decides. `parked`:
    tensors that wait in the host's memory for their readers; they count for nothing.
    """
    given = tuple(operators)
    aliases = _aliases(graph, given)
    order = _Scheduler(graph, given, aliases, frozenset(parked)).order()
    return Schedule(tuple(_with_renames(given, order, aliases)), aliases)


def renamed_input(graph: Graph, op: Operator) -> int | None:
    """The input whose bytes the operator's single output is, or None if it computes.

    RESHAPE, SQUEEZE and EXPAND_DIMS; QUANTIZE between int8 and uint8 with equal scale;
    SPLIT into one part and CONCATENATION of one part; a resize to the same size; a
    tensor plus or minus a constant zero.
    """
    if op.name in _RESHAPES or (op.name == "CONCATENATION" and len(op.inputs) == 1):
        source = op.inputs[0]
    elif op.name == "SPLIT" and len(op.outputs) == 1:
        source = op.inputs[1]
    elif op.name == "QUANTIZE" or _resizes_nothing(graph, op) or _adds_nothing(graph, op):
        source = op.inputs[0]
    else:
        return None
    return source if _same_values(graph, source, op.outputs[0]) else None


def _resizes_nothing(graph: Graph, op: Operator) -> bool:
    """A resize to the same size."""
    return op.name in _RESIZES and (
        graph.tensor(op.inputs[0]).shape == graph.tensor(op.outputs[0]).shape
    )


def _adds_nothing(graph: Graph, op: Operator) -> bool:
    """The first operand plus or minus zeros, without a fused activation."""
    if op.name not in ("ADD", "SUB") or op.options.get("fused_activation_function"):
        return False
    shapes = graph.tensor(op.inputs[0]).shape, graph.tensor(op.outputs[0]).shape
    second = graph.tensor(op.inputs[1])
    if second.data is None or second.quantization is None or shapes[0] != shapes[1]:
        return False
    return bool((second.data == second.quantization.zero_points[0]).all())


def _same_values(graph: Graph, a: int, b: int) -> bool:
    """Both hold 8-bit values of one scale and, on unsigned bytes, one zero point."""
    keys = []
    for tensor in (graph.tensor(a), graph.tensor(b)):
        q = tensor.quantization
        if q is None or not q.scales or tensor.type not in (TensorType.INT8, TensorType.UINT8):
            return False
        offset = SIGNED_OFFSET if tensor.type == TensorType.INT8 else 0
        keys.append((q.scales[0], (q.zero_points or (0,))[0] + offset))
    return keys[0] == keys[1]


def _aliases(graph: Graph, operators: tuple[Operator, ...]) -> dict[int, int]:
    aliases: dict[int, int] = {}
    for op in operators:
        source = renamed_input(graph, op)
        if source is not None:
            aliases[op.outputs[0]] = aliases.get(source, source)
    return aliases


def _outputs(
    graph: Graph, operators: tuple[Operator, ...], aliases: Mapping[int, int]
) -> frozenset[int]:
    """Tensors (sources) that operators elsewhere read, or that are the graph's results."""
    mapped = {op.index for op in operators}
    outside = (t for op in graph.operators if op.index not in mapped for t in op.inputs)
    return frozenset(aliases.get(t, t) for t in (*graph.outputs, *outside))


def _with_renames(
    given: tuple[Operator, ...], order: list[Operator], aliases: Mapping[int, int]
) -> list[Operator]:
    """`order` with each renaming operator after the producer of the bytes (first of all
    when they come from the host)."""
    producers = {t: op.index for op in order for t in op.outputs}
    renames: dict[int, list[Operator]] = {}
    for op in given:
        if op.outputs[0] in aliases:
            renames.setdefault(producers.get(aliases[op.outputs[0]], -1), []).append(op)
    result = renames.get(-1, [])
    for op in order:
        result.append(op)
        result += renames.get(op.index, ())
    return result


def _arrivals(
    graph: Graph, computing: Iterable[Operator], aliases: Mapping[int, int]
) -> list[Operator]:
    """An operator, numbered downward from -1, for every tensor that comes from the host: it takes
    memory from the moment it is brought in."""
    read = dict.fromkeys(aliases.get(t, t) for op in computing for t in op.inputs if t >= 0)
    made = {t for op in computing for t in op.outputs}
    tensors = [t for t in read if t not in made and not graph.tensor(t).is_constant]
    return [Operator(-1 - number, "", 1, (), (t,)) for number, t in enumerate(tensors)]


class _Scheduler:
    """State of one run: which operators are done, who reads and writes which bytes."""

    def __init__(
        self,
        graph: Graph,
        given: tuple[Operator, ...],
        aliases: Mapping[int, int],
        parked: frozenset[int],
    ) -> None:
        computing = [op for op in given if op.outputs[0] not in aliases]
        arrivals = _arrivals(graph, computing, aliases)
        operators = [*arrivals, *computing]
        self.graph = graph
        self.operators = operators
        self.parked = frozenset(aliases.get(t, t) for t in parked)
        self.done: set[int] = set()
        self.outputs = _outputs(graph, given, aliases) - {op.outputs[0] for op in arrivals}
        self.inputs = {
            op.index: sorted({aliases.get(t, t) for t in op.inputs if t >= 0}) for op in operators
        }
        self.producer = {t: op for op in operators for t in op.outputs}
        self.consumers: dict[int, list[Operator]] = {}
        for op in operators:
            for t in self.inputs[op.index]:
                if t in self.producer:
                    self.consumers.setdefault(t, []).append(op)
        self.before = {
            op.index: {self.producer[t].index for t in self.inputs[op.index] if t in self.producer}
            for op in operators
        }

    def order(self) -> list[Operator]:
        result: list[Operator] = []
        while len(result) < len(self.operators):
            ready = [
                op
                for op in self.operators
                if op.index not in self.done and self.before[op.index] <= self.done
            ]
            chains = [self._chain(op) for op in ready]
            stops = [self._best_prefix(chain) for chain in chains]
            best = min(range(len(ready)), key=lambda i: (stops[i].change, stops[i].peak, i))
            run = chains[best][: stops[best].length]
            result += run
            self.done.update(op.index for op in run)
        return [op for op in result if op.index >= 0]

    def _chain(self, op: Operator) -> list[Operator]:
        chain = [op]
        while True:
            readers = {r.index: r for t in chain[-1].outputs for r in self.consumers.get(t, ())}
            if len(readers) != 1:
                return chain
            (reader,) = readers.values()
            if len(self.before[reader.index]) != 1:
                return chain
            chain.append(reader)

    def _best_prefix(self, chain: list[Operator]) -> _Prefix:
        """Results that leave the chip cost nothing, even if they are read on it, too; an input is
        freed by its last reader. The latest of equally small changes counts."""
        change = peak = 0
        best: _Prefix | None = None
        ran: set[int] = set()
        for length, op in enumerate(chain, 1):
            change += sum(self._bytes(t) for t in op.outputs if t not in self.outputs)
            peak = max(peak, change)
            ran.add(op.index)
            for t in self.inputs[op.index]:
                readers = self.consumers.get(t, ())
                if readers and all(r.index in self.done or r.index in ran for r in readers):
                    change -= self._bytes(t)
            if best is None or change <= best.change:
                best = _Prefix(change, peak, length)
        assert best is not None
        return best

    def _bytes(self, tensor: int) -> int:
        """Bytes of an activation on the chip, channels in whole words."""
        if tensor in self.parked:
            return 0
        shape = self.graph.tensor(tensor).shape or (1,)
        return prod(shape[:-1]) * -(-shape[-1] // _WORD_CHANNELS) * _WORD_CHANNELS
