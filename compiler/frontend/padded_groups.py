"""Convolutions whose channels a RESHAPE splits into groups: box and class predictors of detectors.

[1, h, w, groups * size] -> [.., h * w * groups, size] moves no byte on the chip if every group
begins at a word of its own. So the convolution gets more outputs: each group is filled up to a
multiple of four. The values may be requantised in between. Reads and writes the Graph level.
Facts: docs/format/movement.md, "Reshaping".
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING

from .graph import Graph, Operator, Quantization, Tensor

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WORD = 4
_MAP_RANK = 4


def grouped_convolution(graph: Graph, reshape: Operator) -> Operator | None:
    """The CONV_2D whose channels `reshape` alone reads, in groups that are no whole words."""
    path = _path(graph, reshape)
    return path[0] if path else None


def _path(graph: Graph, reshape: Operator) -> list[Operator]:
    """Such a convolution and the QUANTIZEs between it and `reshape`, in order; or nothing."""
    if reshape.name != "RESHAPE" or _group(graph, reshape) is None:
        return []
    producers, consumers = graph.producers(), graph.consumers()
    path: list[Operator] = []
    reader = reshape
    while True:
        tensor = reader.inputs[0]
        producer = producers.get(tensor)
        alone = consumers.get(tensor) == [reader.index] and tensor not in graph.outputs
        if producer is None or not alone:
            return []
        reader = graph.operators[producer]
        path.insert(0, reader)
        if reader.name == "CONV_2D":
            constant = all(graph.tensors[t].is_constant for t in reader.inputs[1:] if t >= 0)
            return path if constant else []
        if reader.name != "QUANTIZE":
            return []


def _group(graph: Graph, reshape: Operator) -> int | None:
    """Channels of a group."""
    source, output = (graph.tensors[t].shape for t in (reshape.inputs[0], reshape.outputs[0]))
    if len(source) != _MAP_RANK or not output or prod(source) != prod(output):
        return None
    size = output[-1]
    if size < 1 or size % WORD == 0 or source[-1] % size or source[-1] == size:
        return None
    return size


def pad_groups(graph: Graph, operators: Collection[int]) -> Graph:
    """The graph with more outputs for every such convolution, if it and its RESHAPE are among
    `operators`; other tensors and operators keep their indices."""
    mapped = frozenset(operators)
    found = []
    for index in sorted(mapped):
        path, size = _path(graph, graph.operators[index]), _group(graph, graph.operators[index])
        if path and size is not None and mapped.issuperset(op.index for op in path):
            found.append((path, size))
    if not found:
        return graph
    tensors, changed = list(graph.tensors), list(graph.operators)
    for path, size in found:
        op = path[0]
        inputs = [op.inputs[0]]
        for constant in op.inputs[1:]:
            inputs.append(constant if constant < 0 else len(tensors))
            if constant >= 0:
                tensors.append(_padded(tensors[constant], len(tensors), size))
        changed[op.index] = replace(op, inputs=tuple(inputs))
        for between in path:
            output = tensors[between.outputs[0]]
            channels = output.shape[-1] // size * _whole(size)
            tensors[output.index] = replace(output, shape=(*output.shape[:-1], channels))
    return replace(graph, tensors=tuple(tensors), operators=tuple(changed))


def _padded(tensor: Tensor, index: int, size: int) -> Tensor:
    """A constant with one slice an output, filled up: weights with their zero point, so that the
    new outputs are zero."""
    assert tensor.data is not None
    quantization = tensor.quantization
    points = (
        (0,) if quantization is None or not quantization.zero_points else quantization.zero_points
    )
    data = _filled(tensor.data, size, points[0])
    if quantization is not None and quantization.per_channel:
        quantization = _filled_quantization(quantization, size)
    return replace(
        tensor, index=index, shape=tuple(data.shape), data=data, quantization=quantization
    )


def _filled(data: NDArray[np.generic], size: int, value: int) -> NDArray[np.generic]:
    """Slices of the first axis, group by group."""
    import numpy as np  # noqa: PLC0415 - imported late

    groups = len(data) // size
    shape = (groups, _whole(size), *data.shape[1:])
    result = np.full(shape, value, data.dtype)
    result[:, :size] = data.reshape(groups, size, *data.shape[1:])
    return result.reshape(groups * shape[1], *data.shape[1:])


def _filled_quantization(quantization: Quantization, size: int) -> Quantization:
    def filled(values: tuple[float, ...]) -> tuple[float, ...]:
        if len(values) <= 1:
            return values
        groups = (values[first : first + size] for first in range(0, len(values), size))
        extra = _whole(size) - size
        return tuple(value for group in groups for value in (*group, *group[-1:] * extra))

    points = tuple(int(point) for point in filled(quantization.zero_points))
    return replace(quantization, scales=filled(quantization.scales), zero_points=points)


def _whole(size: int) -> int:
    return -(-size // WORD) * WORD
