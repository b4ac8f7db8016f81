"""Operators that are convolutions by another name: sums over channels, products with one constant
for each channel, depthwise layers that make several channels of each, and convolutions whose filter
reaches beyond a map of which they make one pixel.

Reads and writes the Graph level. Facts: docs/format/convolution.md, "Operators that are layers".
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, Any

from ..fast_dataclass import dataclass
from .graph import Graph, Operator, Quantization, Tensor
from .movement import WORD, picture
from .reductions import sums_channels

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_MAP_RANK = 4
_VALID = 1
"""Padding.VALID of the schema."""
_OPTIONS = {"padding": _VALID, "stride_h": 1, "stride_w": 1}
_DILATION = {"dilation_h_factor": 1, "dilation_w_factor": 1}


@dataclass(frozen=True, slots=True)
class _Layer:
    """A convolution of `source` with `weights`; more: its bias, if it has one."""

    name: str
    source: int
    weights: Tensor
    options: Mapping[str, Any]
    more: tuple[int, ...] = ()


def as_layers(graph: Graph, operators: Collection[int]) -> Graph:
    """The graph with such operators among `operators` as convolutions; tensors and operators keep
    their indices."""
    tensors, changed = list(graph.tensors), list(graph.operators)
    for index in sorted(operators):
        op = graph.operators[index]
        found = _layer(graph, op)
        if found is None:
            continue
        tensors.append(replace(found.weights, index=len(tensors)))
        inputs = found.source, tensors[-1].index, *found.more
        changed[index] = replace(op, name=found.name, inputs=inputs, options=found.options)
    if len(tensors) == len(graph.tensors):
        return graph
    return replace(graph, tensors=tuple(tensors), operators=tuple(changed))


def _layer(graph: Graph, op: Operator) -> _Layer | None:
    fused = op.options.get("fused_activation_function", 0)
    options = {**_OPTIONS, **_DILATION, "fused_activation_function": fused}
    if op.name in ("MEAN", "SUM") and sums_channels(graph, op):
        return _Layer("CONV_2D", op.inputs[0], _ones(graph, op), options)
    cut = _cut_filter(graph, op)
    if cut is not None:
        options = {**op.options, "padding": _VALID}
        return _Layer("CONV_2D", op.inputs[0], cut, options, op.inputs[2:])
    if dense_weights(graph, op) and _is_whole(graph.tensor(op.inputs[1])):
        return _Layer("CONV_2D", op.inputs[0], _dense(graph, op), op.options, op.inputs[2:])
    factors = channel_factors(graph, op)
    if factors is None:
        return None
    source = next(tensor for tensor in op.inputs if tensor != factors.index)
    assert factors.data is not None
    shape = 1, 1, 1, graph.tensor(source).shape[-1]
    weights = replace(factors, shape=shape, data=factors.data.reshape(shape))
    return _Layer("DEPTHWISE_CONV_2D", source, weights, options)


def _cut_filter(graph: Graph, op: Operator) -> Tensor | None:
    """The weights of a CONV_2D with one pixel of output that do not only see padding, where its
    filter is larger than the map."""
    if op.name != "CONV_2D" or op.options.get("padding") == _VALID:
        return None
    source, output = (graph.tensor(t).shape for t in (op.inputs[0], op.outputs[0]))
    weights = graph.tensor(op.inputs[1])
    dilated = any(op.options.get(name, 1) != 1 for name in _DILATION)
    if len(source) != _MAP_RANK or output[1:3] != (1, 1) or dilated or weights.data is None:
        return None
    kernel = weights.shape[1:3]
    if all(size >= taps for size, taps in zip(source[1:3], kernel, strict=True)):
        return None
    rows, columns = (
        slice(max(taps - size, 0) // 2, max(taps - size, 0) // 2 + min(taps, size))
        for size, taps in zip(source[1:3], kernel, strict=True)
    )
    data = weights.data[:, rows, columns]
    return replace(weights, shape=tuple(data.shape), data=data)


def dense_weights(graph: Graph, op: Operator) -> int:
    """Weights of the ordinary convolution that does what a DEPTHWISE_CONV_2D does which makes
    several channels of each of several; 0 for any other operator."""
    if op.name != "DEPTHWISE_CONV_2D":
        return 0
    inputs = graph.tensor(op.inputs[0]).shape[-1]
    outputs = graph.tensor(op.outputs[0]).shape[-1]
    return inputs * prod(graph.tensor(op.inputs[1]).shape) if 1 < inputs < outputs else 0


def _is_whole(constant: Tensor) -> bool:
    return constant.data is not None and constant.data.shape == constant.shape


def _dense(graph: Graph, op: Operator) -> Tensor:
    """Weights with the zero point between an output and all inputs but its own."""
    import numpy as np  # noqa: PLC0415 - imported late

    weights, inputs = graph.tensor(op.inputs[1]), graph.tensor(op.inputs[0]).shape[-1]
    assert weights.data is not None
    assert weights.quantization is not None
    _, height, width, outputs = weights.shape
    shape = outputs, height, width, inputs
    points = np.broadcast_to(np.array(weights.quantization.zero_points), (outputs,))
    data = np.empty(shape, weights.data.dtype)
    data[:] = points[:, None, None, None]
    channels = np.arange(outputs)
    own = channels // (outputs // inputs)
    data[channels, :, :, own] = weights.data[0].transpose(2, 0, 1)
    quantization = replace(weights.quantization, axis=0)
    return replace(weights, shape=shape, data=data, quantization=quantization)


def _ones(graph: Graph, op: Operator) -> Tensor:
    """Weights of one, in a unit that makes a MEAN of the sum."""
    import numpy as np  # noqa: PLC0415 - imported late

    source = graph.tensor(op.inputs[0])
    channels = source.shape[-1]
    unit = float(np.float32(1) / np.float32(channels if op.name == "MEAN" else 1))
    shape = 1, 1, 1, channels
    data: NDArray[np.generic] = np.ones(shape, f"{source.type.name.lower()}")
    quantization = Quantization((unit,), (0,))
    return replace(source, name="ones", shape=shape, data=data, quantization=quantization)


def channel_factors(graph: Graph, op: Operator) -> Tensor | None:
    """The constant by which a MUL multiplies a map of several pixels, if it is one number for
    each channel, and not the same for all."""
    if op.name != "MUL":
        return None
    constants = [graph.tensor(t) for t in op.inputs if graph.tensor(t).is_constant]
    shape = graph.tensor(op.outputs[0]).shape
    others = [graph.tensor(t).shape for t in op.inputs if not graph.tensor(t).is_constant]
    if len(constants) != 1 or others != [shape] or len(shape) != _MAP_RANK:
        return None
    (constant,) = constants
    whole = shape[-1] >= WORD and prod(shape[:-1]) > 1
    if not whole or picture(constant.shape) != (1, 1, shape[-1]) or constant.data is None:
        return None
    values = constant.data.reshape(-1)
    return constant if (values != values[0]).any() else None
