"""Weights and header vectors of one operator, read out of the graph and checked.

Reads the Graph level, writes arrays for `layout`. Facts: docs/format/parameters.md.
"""

from __future__ import annotations

import numpy as np

from ...errors import UnsupportedModelError, Where
from ...frontend.graph import SIGNED_OFFSET, Graph, Operator, Tensor, TensorType
from .layout import Array, HeaderVector, bias_header, scale_header, zero_point_header
from .rules import PackingRules


def place_of(graph: Graph, op: Operator, tensor: Tensor | None = None) -> Where:
    """Where an error about the operator, or one of its tensors, happened."""
    return Where(graph.source, f"operator {op.index} {op.name}", tensor.name if tensor else "")


def unsigned_bytes(graph: Graph, op: Operator, tensor: Tensor) -> Array:
    """The constant's elements as the chip stores them, in the tensor's shape."""
    data = tensor.data
    if data is None or tensor.type not in (TensorType.INT8, TensorType.UINT8):
        raise UnsupportedModelError(
            "parameters must be constant 8-bit integers",
            where=place_of(graph, op, tensor),
            actual="no constant" if data is None else tensor.type.name.lower(),
            allowed="int8 or uint8",
        )
    if data.shape != tensor.shape or data.size == 0:
        raise UnsupportedModelError(
            "the stored constant does not fill its shape",
            where=place_of(graph, op, tensor),
            actual=data.size,
            allowed=tensor.shape,
        )
    if tensor.type == TensorType.UINT8:
        return data
    return data.view(np.uint8) ^ np.uint8(SIGNED_OFFSET)


def scales(graph: Graph, op: Operator, tensor: Tensor) -> Array:
    """float32 scales of the tensor: one, or one a channel."""
    quantization = tensor.quantization
    values = np.array(quantization.scales if quantization else (), np.float32)
    if values.size == 0 or not bool((np.isfinite(values) & (values > 0)).all()):
        raise UnsupportedModelError(
            "quantisation scales must be positive numbers",
            where=place_of(graph, op, tensor),
            actual=quantization.scales[:4] if quantization else "none",
            allowed="> 0",
        )
    return values


def zero_points(graph: Graph, op: Operator, weights: Tensor, outputs: int) -> Array:
    """uint8[outputs]: the weight zero points as stored."""
    quantization = weights.quantization
    values = np.array(quantization.zero_points if quantization else (), np.int64)
    if weights.type == TensorType.INT8:
        values = values + SIGNED_OFFSET
    if values.size not in (1, outputs) or not bool(((values >= 0) & (values <= 255)).all()):
        raise UnsupportedModelError(
            "weight zero points do not fit the output channels",
            where=place_of(graph, op, weights),
            actual=f"{values.size} for {outputs} channels",
            allowed="one, or one a channel, each within 8 bits",
        )
    return np.broadcast_to(values, (outputs,)).astype(np.uint8)


def header_vectors(
    graph: Graph, op: Operator, outputs: int, rules: PackingRules
) -> tuple[HeaderVector, ...]:
    """The vectors in front of the weights: scale when the channels differ, bias when there
    is one, zero point when the weights are quantised per channel."""
    headers = []
    weights = graph.tensor(op.inputs[1])
    per_channel = weights.quantization is not None and weights.quantization.per_channel
    if per_channel:
        factors = requantization(graph, op)
        if factors.size != outputs:
            raise UnsupportedModelError(
                "weight scales do not fit the output channels",
                where=place_of(graph, op, weights),
                actual=factors.size,
                allowed=outputs,
            )
        if (factors != factors[0]).any():
            headers.append(scale_header(factors))
    bias = _bias(graph, op, outputs)
    if bias is not None and (rules.keep_zero_bias or bias.any()):
        headers.append(bias_header(bias))
    if per_channel:
        headers.append(zero_point_header(zero_points(graph, op, weights, outputs)))
    return tuple(headers)


def requantization(graph: Graph, op: Operator) -> Array:
    """float32 factors (input scale * weight scale) * (1 / output scale), each step rounded
    to float32 in this order."""
    factor_in = scales(graph, op, graph.tensor(op.inputs[0]))[0]
    factor_out = np.float32(1) / scales(graph, op, graph.tensor(op.outputs[0]))[0]
    product: Array = (factor_in * scales(graph, op, graph.tensor(op.inputs[1]))) * factor_out
    return product


def _bias(graph: Graph, op: Operator, outputs: int) -> Array | None:
    if len(op.inputs) < 3 or op.inputs[2] < 0:
        return None
    tensor = graph.tensor(op.inputs[2])
    if tensor.data is None or tensor.type != TensorType.INT32 or tensor.data.size != outputs:
        raise UnsupportedModelError(
            "the bias must be one constant int32 an output channel",
            where=place_of(graph, op, tensor),
            actual=f"{tensor.type.name.lower()}{list(tensor.shape)}",
            allowed=f"int32[{outputs}]",
        )
    return tensor.data
