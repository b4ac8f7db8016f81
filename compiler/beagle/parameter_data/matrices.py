"""CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED: weights and header vectors.

Reads the Graph level, writes Segments. Facts: docs/format/parameters.md.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...errors import UnsupportedModelError
from ...frontend.graph import Graph, Operator, Tensor
from ...planning.matrix_parts import matrix_parts
from ...planning.plan import Segment
from ...planning.transposed_phases import Phase, as_convolution, phases
from ...planning.weight_chunks import weight_chunks
from . import tensors
from .layout import (
    LANE_GROUP,
    Array,
    HeaderVector,
    depthwise_groups,
    matrix_rows,
)
from .rules import PackingRules

_GRID = 4
"""Tiles in a row and in a column of the chip."""
_WHOLE_LINE = 64
"""4-lane packed layers fill whole wide lines, whatever their channel count."""


def convolution(graph: Graph, op: Operator, rules: PackingRules) -> tuple[Segment, ...]:
    """CONV_2D: rows of a matrix, packed with at most four outputs; one channel to one
    channel is laid out as a depthwise layer."""
    weights = tensors.unsigned_bytes(graph, op, _weights(graph, op, 4))
    if weights.shape[0] == 1 and weights.shape[3] == 1:
        return (_depthwise_segment(graph, op, weights[0], rules),)
    result = graph.tensor(op.outputs[0]).shape
    taps = weights.shape[1] * weights.shape[2]
    one_pixel = taps == result[1] * result[2] == _positions(graph, op) == 1
    if one_pixel and len(weights) > LANE_GROUP:
        zeros, headers = _zeros_and_headers(graph, op, len(weights), rules)
        return _matrix_segments(op, weights, zeros, headers)
    return (_convolution_segment(graph, op, weights, rules, result[1:3]),)


def transposed(graph: Graph, op: Operator, rules: PackingRules) -> tuple[Segment, ...]:
    """TRANSPOSE_CONV: a convolution for each phase of its strides."""
    layer = as_convolution(op)
    tensor = _weights(graph, layer, 4)
    weights = tensors.unsigned_bytes(graph, layer, tensor)
    zeros = tensors.zero_points(graph, layer, tensor, len(weights))
    segments = []
    for phase in phases(graph, op):
        chosen = _phase_weights(weights, zeros, phase)
        if weights.shape[0] == 1 and weights.shape[3] == 1:
            segments.append(_depthwise_segment(graph, layer, chosen[0], rules))
        else:
            segments.append(_convolution_segment(graph, layer, chosen, rules, phase.size))
    return tuple(segments)


def _phase_weights(weights: Array, zeros: Array, phase: Phase) -> Array:
    """The taps of a phase; zero points where it has none along an axis."""
    rows, columns = phase.rows.taps, phase.columns.taps
    if rows and columns:
        return weights[:, rows][:, :, columns]
    outputs, _, _, inputs = weights.shape
    shape = outputs, phase.rows.window.kernel, phase.columns.window.kernel, inputs
    return np.broadcast_to(zeros[:, None, None, None], shape).astype(np.uint8)


def depthwise(graph: Graph, op: Operator, rules: PackingRules) -> tuple[Segment, ...]:
    """DEPTHWISE_CONV_2D: 4x4 groups; with one input channel an ordinary convolution."""
    weights = tensors.unsigned_bytes(graph, op, _weights(graph, op, 4))
    if graph.tensor(op.inputs[0]).shape[3] == 1:
        size = graph.tensor(op.outputs[0]).shape[1:3]
        dense = weights.transpose(3, 1, 2, 0)
        return (_convolution_segment(graph, op, dense, rules, size),)
    if op.options.get("depth_multiplier", 1) != 1:
        raise UnsupportedModelError(
            "depth multiplier on several input channels",
            where=tensors.place_of(graph, op),
            actual=op.options["depth_multiplier"],
            allowed=1,
        )
    return (_depthwise_segment(graph, op, weights[0], rules),)


def fully_connected(graph: Graph, op: Operator, rules: PackingRules) -> tuple[Segment, ...]:
    """FULLY_CONNECTED: rows of a matrix, never packed; each block of 64 outputs lives on a
    tile of its own, and each part of more than 1024 is a segment."""
    weights = tensors.unsigned_bytes(graph, op, _weights(graph, op, 2))
    outputs, inputs = weights.shape
    kernel = _flat_kernel(graph, op, inputs) if rules.flat_kernels else (1, 1, inputs)
    zeros, headers = _zeros_and_headers(graph, op, outputs, rules)
    return _matrix_segments(op, weights.reshape(outputs, *kernel), zeros, headers)


def _matrix_segments(
    op: Operator, weights: Array, zeros: Array, headers: tuple[HeaderVector, ...]
) -> tuple[Segment, ...]:
    """A segment for each part of the outputs."""
    segments = []
    for part in matrix_parts(len(weights)):
        chosen = np.concatenate([np.arange(*tile) for tile in part])
        vectors = [replace(header, values=header.values[chosen]) for header in headers]
        data, lanes = matrix_rows(weights[chosen], zeros[chosen], vectors)
        segments.append(
            Segment(op.index, "fully_connected", data, lanes, _names(headers), blocks=len(part))
        )
    return tuple(segments)


def _convolution_segment(
    graph: Graph, op: Operator, weights: Array, rules: PackingRules, size: tuple[int, ...]
) -> Segment:
    """A layer of `size` (rows, columns) outputs."""
    outputs, height, width, inputs = weights.shape
    packed = outputs <= LANE_GROUP
    zeros, headers = _zeros_and_headers(graph, op, outputs, rules)
    groups = -(-inputs // LANE_GROUP)
    pixels = -(-size[0] // _GRID) * -(-size[1] // _GRID)
    run = weight_chunks(height * width, groups, len(headers), pixels).input_words
    data, lanes = matrix_rows(weights, zeros, headers, packed=packed, run=run)
    if packed:
        return Segment(op.index, "depthwise", data, _WHOLE_LINE, _names(headers))
    return Segment(op.index, "convolution", data, lanes, _names(headers))


def _positions(graph: Graph, op: Operator) -> int:
    """Positions of the input map; one position and one tap make a fully connected layer."""
    shape = graph.tensor(op.inputs[0]).shape
    return shape[1] * shape[2]


def _depthwise_segment(graph: Graph, op: Operator, weights: Array, rules: PackingRules) -> Segment:
    zeros, headers = _zeros_and_headers(graph, op, weights.shape[2], rules)
    data = depthwise_groups(weights, zeros, headers)
    return Segment(op.index, "depthwise", data, _WHOLE_LINE, _names(headers))


def _weights(graph: Graph, op: Operator, rank: int) -> Tensor:
    weights = graph.tensor(op.inputs[1])
    if len(weights.shape) != rank:
        raise UnsupportedModelError(
            "weights have the wrong number of dimensions",
            where=tensors.place_of(graph, op, weights),
            actual=len(weights.shape),
            allowed=rank,
        )
    return weights


def _zeros_and_headers(
    graph: Graph, op: Operator, outputs: int, rules: PackingRules
) -> tuple[Array, tuple[HeaderVector, ...]]:
    zeros = tensors.zero_points(graph, op, graph.tensor(op.inputs[1]), outputs)
    return zeros, tensors.header_vectors(graph, op, outputs, rules)


def _names(headers: tuple[HeaderVector, ...]) -> tuple[str, ...]:
    return tuple(header.name for header in headers)


def _flat_kernel(graph: Graph, op: Operator, inputs: int) -> tuple[int, int, int]:
    """(height, width, channels) of the map the input vector was flattened from."""
    producers = graph.producers()
    tensor = op.inputs[0]
    while len(graph.tensor(tensor).shape) != 4 and tensor in producers:
        producer = graph.operators[producers[tensor]]
        if producer.name not in ("RESHAPE", "QUANTIZE"):
            break
        tensor = producer.inputs[0]
    shape = graph.tensor(tensor).shape
    if len(shape) == 4 and shape[1] * shape[2] * shape[3] == inputs:
        return shape[1], shape[2], shape[3]
    return 1, 1, inputs
