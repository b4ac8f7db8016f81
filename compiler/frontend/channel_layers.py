"""Operators that move channels inside words, as layers whose weights are ones and zeros.

SPLIT, SLICE and STRIDED_SLICE choose channels, SPACE_TO_DEPTH makes channels of pixels, and a
CONCATENATION joins its inputs in words of their own and drops what is between them; in large
maps it is the sum of its inputs, each spread over the channels of the result. Reads and writes
the Graph level. Facts: docs/format/movement.md, "Channels inside words".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING

from ..fast_dataclass import dataclass
from .graph import Graph, Operator, Quantization, Tensor
from .movement import WORD, words_of
from .movements import cut_ranges, movements, split_axis

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_MAP_RANK = 4
_CHANNELS = 2
"""What `split_axis` calls the channels."""
_MOST_WEIGHTS = 1 << 24
"""More than the chip holds."""
_LARGEST_JOINT_MAP = 1 << 20
"""Bytes, a third of the chip's narrow memory. Larger maps may run in spatial passes, which know
sums and no joint maps."""
_VALID = 1
"""Padding.VALID of the schema."""
_PLAIN = {"fused_activation_function": 0}
_NAMES = frozenset({"CONCATENATION", "SLICE", "SPACE_TO_DEPTH", "SPLIT", "STRIDED_SLICE"})


@dataclass(frozen=True, slots=True)
class Expanded:
    """The graph with such operators taken apart. operators: of the mapped part; origins: new
    operator -> the one whose work it does."""

    graph: Graph
    operators: tuple[int, ...]
    origins: Mapping[int, int]


def moves_channels(graph: Graph, op: Operator) -> bool:
    """Whether an operator is taken apart: it moves channels inside words, of single pictures of
    four dimensions or, SPLIT and slices, of vectors."""
    moved = [t for t in (*op.inputs, *op.outputs) if t >= 0 and not graph.tensors[t].is_constant]
    shapes = [graph.tensors[t].shape for t in moved]
    whole = len(shapes) > len(op.outputs) > 0 and all(map(prod, shapes))
    if op.name not in _NAMES or not whole or movements(graph, op) is not None:
        return False
    maps = all(len(shape) == _MAP_RANK and shape[0] == 1 for shape in shapes)
    if op.name == "CONCATENATION":
        return maps and len(moved) == len(op.inputs) + 1 and _joins(op, shapes)
    if op.name == "SPACE_TO_DEPTH":
        return maps and _deepens(op, shapes)
    return (maps or all(map(_is_vector, shapes))) and _cuts(graph, op, shapes)


def _cuts(graph: Graph, op: Operator, shapes: Sequence[tuple[int, ...]]) -> bool:
    """Whether a SPLIT cuts channels, or a slice keeps all dimensions."""
    if shapes[0][-1] * max(shape[-1] for shape in shapes[1:]) > _MOST_WEIGHTS:
        return False
    if op.name == "SPLIT":
        part = (*shapes[0][:-1], shapes[0][-1] // len(op.outputs))
        even = shapes[0][-1] % len(op.outputs) == 0 and set(shapes[1:]) == {part}
        return split_axis(graph, op) == _CHANNELS and even
    ranges = cut_ranges(graph, op)
    return ranges is not None and not ranges[1]


def _is_vector(shape: tuple[int, ...]) -> bool:
    return len(shape) not in (0, _MAP_RANK) and prod(shape[:-1]) == 1


def _joins(op: Operator, shapes: Sequence[tuple[int, ...]]) -> bool:
    """Whether a CONCATENATION of maps joins channels, and does nothing else."""
    if op.options.get("fused_activation_function"):
        return False
    axis, output = int(op.options.get("axis", 0)), shapes[-1]
    same = {shape[:-1] for shape in shapes} == {output[:-1]}
    return axis in (-1, _MAP_RANK - 1) and same and sum(s[-1] for s in shapes[:-1]) == output[-1]


def _deepens(op: Operator, shapes: Sequence[tuple[int, ...]]) -> bool:
    """Whether a SPACE_TO_DEPTH has the shapes its block asks for."""
    block = int(op.options.get("block_size", 0))
    _, rows, columns, channels = shapes[0]
    if block < 1 or rows % block or columns % block:
        return False
    return shapes[1] == (1, rows // block, columns // block, channels * block**2)


def expand_channels(graph: Graph, operators: Sequence[int]) -> Expanded | None:
    """None where there is no such operator."""
    found = [index for index in operators if moves_channels(graph, graph.operators[index])]
    if not found:
        return None
    writer = _Writer(graph, operators)
    for index in found:
        writer.take_apart(graph.operators[index])
    return writer.result()


class _Writer:
    """The new graph: the last layer of an operator has its number, the others new ones."""

    def __init__(self, graph: Graph, operators: Sequence[int]) -> None:
        self.graph = graph
        self.tensors = list(graph.tensors)
        self.all_operators = list(graph.operators)
        self.order = list(operators)
        self.origins: dict[int, int] = {}

    def take_apart(self, op: Operator) -> None:
        """Replace one operator by layers."""
        layers = {
            "CONCATENATION": self._join,
            "SPACE_TO_DEPTH": self._deepen,
            "SPLIT": self._split,
        }.get(op.name, self._cut)(op)
        place = self.order.index(op.index)
        self.all_operators[op.index] = replace(layers[-1], index=op.index)
        for layer in layers[:-1]:
            index = len(self.all_operators)
            self.all_operators.append(replace(layer, index=index))
            self.origins[index] = op.index
            self.order.insert(place, index)
            place += 1

    def result(self) -> Expanded:
        """Everything that was written."""
        graph = replace(
            self.graph, tensors=tuple(self.tensors), operators=tuple(self.all_operators)
        )
        return Expanded(graph, tuple(self.order), self.origins)

    def _split(self, op: Operator) -> list[Operator]:
        layers, first = [], 0
        for output in op.outputs:
            count = self.tensors[output].shape[-1]
            pairs = [(channel, first + channel) for channel in range(count)]
            layers.append(self._layer(op, op.inputs[1], output, pairs))
            first += count
        return layers

    def _cut(self, op: Operator) -> list[Operator]:
        """Rows and columns with all channels first, where it cuts them too."""
        ranges = cut_ranges(self.graph, op)
        assert ranges is not None
        triples = ranges[0]
        source, output = self.tensors[op.inputs[0]], self.tensors[op.outputs[0]]
        layers, tensor = [], source.index
        if output.shape[:-1] != source.shape[:-1]:
            tensor = self._result(output, (*output.shape[:-1], source.shape[-1]))
            layers.append(self._cut_pixels(op, triples, tensor))
        first, step, count = triples[-1]
        pairs = [(channel, first + step * channel) for channel in range(count)]
        return [*layers, self._layer(op, tensor, output.index, pairs)]

    def _cut_pixels(
        self, op: Operator, triples: Sequence[tuple[int, int, int]], output: int
    ) -> Operator:
        """A STRIDED_SLICE of all channels."""
        channels = 0, 1, self.tensors[op.inputs[0]].shape[-1]
        ranges = [*triples[:-1], channels]
        numbers = (
            [first for first, _, _ in ranges],
            [first + step * (count - 1) + 1 for first, step, count in ranges],
            [step for _, step, _ in ranges],
        )
        constants = [self._constant(op.inputs[1], values) for values in numbers]
        inputs = op.inputs[0], *constants
        return replace(op, name="STRIDED_SLICE", inputs=inputs, outputs=(output,), options={})

    def _deepen(self, op: Operator) -> list[Operator]:
        block = int(op.options["block_size"])
        channels = self.tensors[op.inputs[0]].shape[-1]
        pairs = [(channel, channel) for channel in range(channels)]
        return [self._layer(op, op.inputs[0], op.outputs[0], pairs, block)]

    def _join(self, op: Operator) -> list[Operator]:
        """In a joint map where that may be, by sums elsewhere."""
        output = self.tensors[op.outputs[0]]
        words = sum(words_of(self.tensors[source].shape[-1]) for source in op.inputs)
        shape = (*output.shape[:-1], WORD * words)
        equal = all(self.tensors[t].quantization == output.quantization for t in op.inputs)
        if not equal or prod(shape) > _LARGEST_JOINT_MAP:
            return self._add_up(op)
        pairs: list[tuple[int, int]] = []
        first = 0
        for source in op.inputs:
            count = self.tensors[source].shape[-1]
            pairs += [(len(pairs) + channel, first + channel) for channel in range(count)]
            first += WORD * words_of(count)
        joint = self._result(output, shape)
        layer = self._layer(op, joint, output.index, pairs)
        return [replace(op, outputs=(joint,)), layer]

    def _add_up(self, op: Operator) -> list[Operator]:
        output = self.tensors[op.outputs[0]]
        layers: list[Operator] = []
        first, total = 0, -1
        for number, source in enumerate(op.inputs):
            count = self.tensors[source].shape[-1]
            pairs = [(first + channel, channel) for channel in range(count)]
            spread = self._result(output, output.shape)
            layers.append(self._layer(op, source, spread, pairs))
            first += count
            if number:
                last = number == len(op.inputs) - 1
                result = output.index if last else self._result(output, output.shape)
                layers.append(
                    replace(
                        op, name="ADD", inputs=(total, spread), outputs=(result,), options=_PLAIN
                    )
                )
                spread = result
            total = spread
        return layers

    def _layer(
        self,
        op: Operator,
        source: int,
        output: int,
        pairs: Sequence[tuple[int, int]],
        block: int = 1,
    ) -> Operator:
        """Output channel a is input channel b for the pairs (a, b); with a block, of each of its
        pixels, one group of channels behind the other."""
        import numpy as np  # noqa: PLC0415 - imported late

        tensor = self.tensors[source]
        channels = tensor.shape[-1], self.tensors[output].shape[-1]
        shape: tuple[int, ...] = channels[1], block, block, channels[0]
        data: NDArray[np.generic] = np.zeros(shape, tensor.type.name.lower())
        for down in range(block):
            for right in range(block):
                group = (down * block + right) * len(pairs)
                for to, origin in pairs:
                    data[group + to, down, right, origin] = 1
        unit = Quantization((1.0,), (0,))
        vector = _is_vector(tensor.shape)
        if vector:
            shape, data = channels[::-1], data.reshape(channels[::-1])
        weights = replace(
            tensor, name="channels", shape=shape, data=data, quantization=unit, is_variable=False
        )
        self.tensors.append(replace(weights, index=len(self.tensors)))
        strides = {"stride_h": block, "stride_w": block}
        return replace(
            op,
            name="FULLY_CONNECTED" if vector else "CONV_2D",
            inputs=(source, self.tensors[-1].index),
            outputs=(output,),
            options={**_PLAIN, **strides, "padding": _VALID},
        )

    def _result(self, like: Tensor, shape: tuple[int, ...]) -> int:
        """A tensor between two layers."""
        index = len(self.tensors)
        name = f"{like.name};{index}"
        self.tensors.append(replace(like, index=index, name=name, shape=shape, shape_signature=()))
        return index

    def _constant(self, like: int, values: Sequence[int]) -> int:
        import numpy as np  # noqa: PLC0415 - imported late

        index = len(self.tensors)
        data = np.array(values, np.int32)
        self.tensors.append(replace(self.tensors[like], index=index, shape=data.shape, data=data))
        return index
