"""UNIDIRECTIONAL_SEQUENCE_LSTM: the eight matrices of the four gates.

Reads the Graph level, writes Segments. Facts: docs/format/lstm.md, "Parameters".
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ...frontend.graph import SIGNED_OFFSET, Graph, Operator
from ...planning.plan import Segment
from . import tensors
from .layout import (
    BLOCK_CHANNELS,
    LANE_GROUP,
    ROW_BYTES,
    Array,
    HeaderVector,
    bias_header,
    matrix_rows,
    pad_rows,
)
from .rules import PackingRules

GATES = 4
"""Input, forget, cell, output: the order of the operator's inputs, and of the program."""
_INPUT_WEIGHTS, _RECURRENT_WEIGHTS, _BIASES = 1, 5, 12
"""Positions of the first gate's tensors among the operator's inputs."""


def sequence_lstm(graph: Graph, op: Operator, rules: PackingRules) -> tuple[Segment, ...]:
    """For each gate the matrix of the step's input, with the bias, then that of the hidden
    state; around them, with `rules.lstm_transposes`, the one-hot matrices with which the
    vendor moves the sequence in and out."""
    gates = tuple(
        segment for gate in range(GATES) for segment in _gate_segments(graph, op, rules, gate)
    )
    if not rules.lstm_transposes:
        return gates
    steps, inputs = graph.tensor(op.inputs[0]).shape[-2:]
    units = graph.tensor(op.outputs[0]).shape[-1]
    single = bytes((1,)) + bytes(ROW_BYTES - 1)
    return (
        _one_hot(op, LANE_GROUP * inputs, _spread(inputs), bias=True),
        Segment(op.index, "depthwise", single, 64),
        _one_hot(op, inputs, _packed(inputs)),
        *gates,
        _one_hot(op, LANE_GROUP * units, _spread(units), bias=True),
        _one_hot(op, LANE_GROUP * steps, [[(0, LANE_GROUP * step)] for step in range(steps)]),
        _one_hot(op, units, _packed(units)),
    )


def empty_sequence(graph: Graph, op: Operator) -> bytes:
    """What the vendor streams as the output's first content: zeros, counted from -128."""
    count = math.prod(graph.tensor(op.outputs[0]).shape)
    return pad_rows(bytes((SIGNED_OFFSET,)) * count)


def _gate_segments(
    graph: Graph, op: Operator, rules: PackingRules, gate: int
) -> tuple[Segment, Segment]:
    bias = graph.tensor(op.inputs[_BIASES + gate]).data
    headers: tuple[HeaderVector, ...] = ()
    if bias is not None and (rules.keep_zero_bias or bias.any()):
        headers = (bias_header(bias),)
    return (
        _matrix(graph, op, op.inputs[_INPUT_WEIGHTS + gate], headers),
        _matrix(graph, op, op.inputs[_RECURRENT_WEIGHTS + gate], ()),
    )


def _matrix(graph: Graph, op: Operator, tensor: int, headers: tuple[HeaderVector, ...]) -> Segment:
    """A fully connected layer's matrix; the weights keep their own scale."""
    weights = tensors.unsigned_bytes(graph, op, graph.tensor(tensor))
    outputs, inputs = weights.shape
    zeros = tensors.zero_points(graph, op, graph.tensor(tensor), outputs)
    data, lanes = matrix_rows(weights.reshape(outputs, 1, 1, inputs), zeros, headers)
    names = tuple(header.name for header in headers)
    blocks = -(-outputs // BLOCK_CHANNELS)
    return Segment(op.index, "fully_connected", data, lanes, names, blocks=blocks, pinned=True)


_Rows = Sequence[Sequence[tuple[int, int]]]
"""For each group of four input channels: (its lane, the output channel that lane goes to)."""


def _spread(channels: int) -> _Rows:
    """Four channels of a word -> the first lanes of four words."""
    return [
        [(lane, LANE_GROUP * (first + lane)) for lane in range(min(LANE_GROUP, channels - first))]
        for first in range(0, channels, LANE_GROUP)
    ]


def _packed(channels: int) -> _Rows:
    """The first lanes of words -> consecutive channels."""
    return [[(0, channel)] for channel in range(channels)]


def _one_hot(op: Operator, outputs: int, rows: _Rows, *, bias: bool = False) -> Segment:
    weights: Array = np.zeros((outputs, 1, 1, LANE_GROUP * len(rows)), np.uint8)
    for group, row in enumerate(rows):
        for lane, output in row:
            weights[output, 0, 0, LANE_GROUP * group + lane] = 1
    headers = (bias_header(np.zeros(outputs, np.int32)),) if bias else ()
    data, lanes = matrix_rows(weights, np.zeros(outputs, np.uint8), headers)
    return Segment(op.index, "convolution", data, lanes, tuple(h.name for h in headers))
