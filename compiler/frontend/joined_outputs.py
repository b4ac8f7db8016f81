"""Outputs of detectors that are too long for the tiles: maps, one behind the other in one output.

RESHAPE and CONCATENATION along a line of pixels, perhaps an operator on each value, and then the
host: every part can leave by itself, from the map it is computed as, if the output layer's tables
say where its pixels lie. Reads and writes the Graph level. Facts: docs/format/movement.md,
"Outputs in parts".
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from math import prod

from ..fast_dataclass import dataclass
from .graph import Graph, Operator
from .movement import picture, words_of

LONGEST_LINE = 12_000
"""Words on each of the four tiles that share a line of pixels."""
_TILES_OF_A_LINE = 4
_RENAMES = frozenset({"RESHAPE", "SQUEEZE", "EXPAND_DIMS"})
_POINTWISE = frozenset({"LOGISTIC", "QUANTIZE", "RELU", "RELU6", "RELU_N1_TO_1", "TANH"})


@dataclass(frozen=True, slots=True)
class OutputPart:
    """A map that is sent to the host: tensor, rows, columns; each pixel of it is `groups` pixels
    of the output, of `words` words. bands: into how many parts its rows are cut."""

    tensor: int
    rows: int
    columns: int
    groups: int
    words: int
    bands: int = 1

    @property
    def size(self) -> int:
        """Bytes in the host's buffer."""
        return self.rows * self.columns * self.groups * self.words * 4


@dataclass(frozen=True, slots=True)
class JoinedOutput:
    """An output of the graph that leaves in parts."""

    tensor: int
    parts: tuple[OutputPart, ...]

    def offsets(self) -> list[int]:
        """Byte at which each part begins, and their end: multiples of 8."""
        places = [0]
        for part in self.parts:
            places.append(places[-1] + -(-part.size // 8) * 8)
        return places


@dataclass(frozen=True, slots=True)
class SplitOutputs:
    """The graph in which the parts are outputs. operators, outputs: of the mapped part; origins:
    new operator -> the one whose work it does."""

    graph: Graph
    operators: tuple[int, ...]
    outputs: tuple[int, ...]
    joined: tuple[JoinedOutput, ...]
    origins: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class _Chain:
    """sources: the maps, and how many pixels of the output each of their pixels is; tail: what
    is done to each value; superfluous: the operators that the parts replace."""

    output: int
    sources: tuple[int, ...]
    groups: tuple[int, ...]
    tail: tuple[Operator, ...]
    superfluous: tuple[Operator, ...]


def split_outputs(
    graph: Graph, operators: Sequence[int], outputs: Sequence[int]
) -> SplitOutputs | None:
    """None where no output is long enough."""
    finder = _Finder(graph, operators, outputs)
    chains = [chain for tensor in outputs if (chain := finder.chain(tensor)) is not None]
    if not chains:
        return None
    writer = _Writer(graph, operators, outputs)
    for chain in chains:
        writer.add(chain)
    return writer.result()


class _Finder:
    def __init__(self, graph: Graph, operators: Iterable[int], outputs: Collection[int]) -> None:
        self.graph = graph
        self.outputs = frozenset(outputs)
        self.mapped = frozenset(operators)
        self.producers = graph.producers()
        self.consumers = graph.consumers()

    def chain(self, output: int) -> _Chain | None:
        """Backwards from an output."""
        if self.mapped.intersection(self.consumers.get(output, ())):
            return None
        tail: list[Operator] = []
        tensor = output
        while (op := self._producer(tensor)) is not None and op.name != "CONCATENATION":
            if op.name not in _POINTWISE | _RENAMES or not self._is_line(tensor):
                return None
            tail.insert(0, op)
            tensor = op.inputs[0]
            if not self._is_private(tensor):
                return None
        if op is None or op.options.get("fused_activation_function"):
            return None
        return self._joined(output, op, tail)

    def _joined(self, output: int, join: Operator, tail: list[Operator]) -> _Chain | None:
        rows, columns, channels = self._picture(join.outputs[0])
        pixels = max(rows, columns)
        long = -(-pixels // _TILES_OF_A_LINE) * words_of(channels) > LONGEST_LINE
        if min(rows, columns) != 1 or not long or not self._is_line(join.outputs[0]):
            return None
        axis = int(join.options.get("axis", 0)) % len(self.graph.tensors[join.outputs[0]].shape)
        if self.graph.tensors[join.outputs[0]].shape[axis] != pixels:
            return None
        sources, groups, renames = [], [], []
        for tensor in join.inputs:
            found = self._part(tensor, channels)
            if found is None or self._unit(tensor) != self._unit(join.outputs[0]):
                return None
            sources.append(found[0])
            groups.append(found[1])
            renames += found[2]
        if len(set(sources)) < len(sources) or self.outputs.intersection(sources):
            return None
        pointwise = tuple(op for op in tail if op.name in _POINTWISE)
        superfluous = (*renames, join, *tail)
        return _Chain(output, tuple(sources), tuple(groups), pointwise, superfluous)

    def _part(self, tensor: int, channels: int) -> tuple[int, int, list[Operator]] | None:
        """The map behind an operand, how many pixels its pixels are, and what renames it. What
        is made of a map of one pixel is a map of its own."""
        line, pixels = tensor, prod(self._picture(tensor)[:2])
        renames: list[Operator] = []
        while self._is_private(tensor):
            op = self._producer(tensor)
            if op is None:
                return None
            if op.name not in _RENAMES:
                break
            renames.append(op)
            tensor = op.inputs[0]
        size = picture(self.graph.tensors[tensor].shape)
        if size is None or not self._is_private(tensor):
            return None
        if size[:2] == (1, 1):
            return (line, 1, []) if pixels > 1 and renames else None
        groups, rest = divmod(pixels, size[0] * size[1])
        whole = groups * words_of(channels) == words_of(size[2])
        if rest or not whole or (groups > 1 and size[2] % 4):
            return None
        return tensor, groups, renames

    def _producer(self, tensor: int) -> Operator | None:
        index = self.producers.get(tensor)
        return None if index not in self.mapped else self.graph.operators[index]

    def _is_private(self, tensor: int) -> bool:
        """Whether one operator reads it, and the host does not."""
        return len(self.consumers.get(tensor, ())) == 1 and tensor not in self.outputs

    def _is_line(self, tensor: int) -> bool:
        size = picture(self.graph.tensors[tensor].shape)
        return size is not None and min(size[:2]) == 1

    def _picture(self, tensor: int) -> tuple[int, int, int]:
        return picture(self.graph.tensors[tensor].shape) or (0, 0, 0)

    def _unit(self, tensor: int) -> object:
        found = self.graph.tensors[tensor]
        return found.type, found.quantization


class _Writer:
    """The new graph. Superfluous operators stay where they are, without inputs and outputs."""

    def __init__(self, graph: Graph, operators: Sequence[int], outputs: Sequence[int]) -> None:
        self.graph = graph
        self.tensors = list(graph.tensors)
        self.all_operators = list(graph.operators)
        self.order = list(operators)
        self.outputs = list(outputs)
        self.ends = list(graph.outputs)
        self.joined: list[JoinedOutput] = []
        self.origins: dict[int, int] = {}

    def add(self, chain: _Chain) -> None:
        """One output in parts."""
        place = min(self.order.index(op.index) for op in chain.superfluous)
        parts = []
        for source, groups in zip(chain.sources, chain.groups, strict=True):
            tensor = source
            for op in chain.tail:
                tensor = self._repeat(op, tensor, place)
                place += 1
            rows, columns, channels = picture(self.tensors[source].shape) or (0, 0, 0)
            words = words_of(channels) // groups
            parts.append(OutputPart(tensor, rows, columns, groups, words))
        names = [part.tensor for part in parts]
        for found in (self.outputs, self.ends):
            if chain.output in found:
                at = found.index(chain.output)
                found[at : at + 1] = names
        self.joined.append(JoinedOutput(chain.output, tuple(parts)))
        for op in chain.superfluous:
            self.all_operators[op.index] = replace(op, inputs=(), outputs=())
            self.order.remove(op.index)

    def _repeat(self, op: Operator, source: int, place: int) -> int:
        """The operator on one part."""
        index, tensor = len(self.all_operators), len(self.tensors)
        result = self.graph.tensors[op.outputs[0]]
        name = f"{result.name};{self.tensors[source].name}"
        shape = self.tensors[source].shape
        self.tensors.append(
            replace(result, index=tensor, name=name, shape=shape, shape_signature=())
        )
        self.all_operators.append(replace(op, index=index, inputs=(source,), outputs=(tensor,)))
        self.order.insert(place, index)
        self.origins[index] = op.index
        return tensor

    def result(self) -> SplitOutputs:
        """Everything that was added."""
        graph = replace(
            self.graph,
            tensors=tuple(self.tensors),
            operators=tuple(self.all_operators),
            outputs=tuple(self.ends),
        )
        return SplitOutputs(
            graph, tuple(self.order), tuple(self.outputs), tuple(self.joined), self.origins
        )
