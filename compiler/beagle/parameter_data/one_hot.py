"""RESHAPE, SPLIT and CONCATENATION that move bytes inside words: products with matrices
of ones and zeros (weight zero point 0).

Reads the Graph level, writes Segments. Facts: docs/format/parameters.md.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import accumulate
from math import gcd, prod

import numpy as np

from ...errors import UnsupportedModelError
from ...frontend.graph import Graph, Operator
from ...planning.matrix_parts import matrix_parts
from ...planning.plan import Segment
from .layout import LANE_GROUP, ROW_BYTES, ROW_LANES, pad_rows, round_up
from .tensors import place_of

_MAX_WORDS = 16
_BLOCK_LANES = 64
_SELECTIONS = ("SPLIT", "CONCATENATION")
_MAX_DEPTH = 16
_MAP_RANK = 4


def reshape(graph: Graph, op: Operator) -> Segment | None:
    """A map whose pixels are no whole words to a packed vector; None where the bytes already
    lie as wanted: whole words, one position, or straight from the host.

    One channel: up to 16 positions are gathered on one tile first, as for a fully connected
    layer; more are packed 16 at a time on the tiles where they lie. Several channels: as many
    positions at a time as make whole words.
    """
    source, result = graph.tensor(op.inputs[0]).shape, graph.tensor(op.outputs[0]).shape
    if len(source) != _MAP_RANK or prod(result[:-1]) != 1 or source[3] % LANE_GROUP == 0:
        return None
    positions = source[1] * source[2]
    if positions <= 1 or _is_from_host(graph, op.inputs[0]):
        return None
    if source[3] > 1:
        return _pack_pixels(op, source[3])
    words = min(_MAX_WORDS, positions)
    kind = "fully_connected" if positions <= _MAX_WORDS else "depthwise"
    rows = np.zeros((words + 1, ROW_BYTES), np.uint8)
    for word in range(words):
        rows[word + 1, LANE_GROUP * word] = 1
    return Segment(op.index, kind, rows.tobytes(), ROW_LANES, ("bias",))


def _pack_pixels(op: Operator, channels: int) -> Segment:
    """Pixels of `channels` values, padded to whole words, to as many values without padding;
    in blocks of 64 outputs like every convolution."""
    pixels = LANE_GROUP // gcd(LANE_GROUP, channels)
    words, outputs = -(-channels // LANE_GROUP), pixels * channels
    lanes = min(round_up(outputs, ROW_LANES), _BLOCK_LANES)
    rows = []
    for first in range(0, outputs, _BLOCK_LANES):
        block = np.zeros((1 + pixels * words, LANE_GROUP * lanes), np.uint8)
        for lane, output in enumerate(range(first, min(first + _BLOCK_LANES, outputs))):
            pixel, channel = divmod(output, channels)
            word = pixel * words + channel // LANE_GROUP
            block[1 + word, LANE_GROUP * lane + channel % LANE_GROUP] = 1
        rows.append(block.tobytes())
    return Segment(op.index, "convolution", b"".join(rows), lanes, ("bias",))


def concatenate_vectors(graph: Graph, op: Operator) -> tuple[Segment, ...]:
    """Vectors whose lengths are no multiples of four, joined; () where none is needed. More
    than 64 outputs make several blocks, more than 1024 several segments, as for a fully
    connected layer."""
    shapes = [graph.tensor(index).shape for index in op.inputs]
    if any(prod(shape[:-1]) != 1 for shape in shapes):
        return ()
    lengths = [shape[-1] for shape in shapes]
    if not any(length % LANE_GROUP for length in lengths[:-1]):
        return ()
    places = [
        [start + first + lane for lane in range(min(LANE_GROUP, length - first))]
        for start, length in zip(accumulate([0, *lengths]), lengths, strict=False)
        for first in range(0, length, LANE_GROUP)
    ]
    lanes = min(round_up(sum(lengths), ROW_LANES), _BLOCK_LANES)
    segments = []
    for part in matrix_parts(sum(lengths)):
        data = b"".join(_one_hot_block(places, first, lanes) for first, _ in part)
        segments.append(Segment(op.index, "fully_connected", data, lanes, ("bias",)))
    return tuple(segments)


def _one_hot_block(places: list[list[int]], first: int, lanes: int) -> bytes:
    """A row of biases and one for each input word: outputs `first` to `first` + 63. places: the
    output of each lane of each input word."""
    block = np.zeros((1 + len(places), LANE_GROUP * lanes), np.uint8)
    for word, outputs in enumerate(places):
        for lane, output in enumerate(outputs):
            if first <= output < first + _BLOCK_LANES:
                block[1 + word, LANE_GROUP * (output - first) + lane] = 1
    return block.tobytes()


def select_channels(graph: Graph, op: Operator, mapped: Collection[int]) -> tuple[Segment, ...]:
    """SPLIT or CONCATENATION along the channels of a map: one packed segment for each
    result that is not a plain prefix of one tensor and is used as it stands."""
    if not _is_channel_axis(graph, op):
        return ()
    parts = [graph.tensor(index).shape[-1] for index in op.inputs if graph.tensor(index).shape]
    if op.name == "CONCATENATION" and all(size % LANE_GROUP == 0 for size in parts[:-1]):
        return ()
    producers, consumers = graph.producers(), graph.consumers()
    found = []
    for result in op.outputs:
        users = [graph.operators[i].name for i in consumers.get(result, ()) if i in mapped]
        if users and all(name in _SELECTIONS for name in users):
            continue
        channels = _source_channels(graph, producers, result, _MAX_DEPTH)
        one_tensor = len({tensor for tensor, _ in channels}) == 1
        if one_tensor and all(channel == i for i, (_, channel) in enumerate(channels)):
            continue
        found.append(_selection(graph, op, channels))
    return tuple(found)


def _is_channel_axis(graph: Graph, op: Operator) -> bool:
    if op.name == "CONCATENATION":
        axis = int(op.options.get("axis", 0))
    else:
        data = graph.tensor(op.inputs[0]).data
        axis = 0 if data is None or data.size != 1 else int(data.reshape(-1)[0])
    return axis in (-1, _MAP_RANK - 1)


def _selection(graph: Graph, op: Operator, channels: list[tuple[int, int]]) -> Segment:
    """One 4x4 matrix a source word: row the result's channel, column the word's lane."""
    if len(channels) > LANE_GROUP:
        raise UnsupportedModelError(
            "channels are gathered into more than one word",
            where=place_of(graph, op),
            actual=len(channels),
            allowed=f"1..{LANE_GROUP}",
        )
    words = sorted({(tensor, channel // LANE_GROUP) for tensor, channel in channels})
    matrices = np.zeros((1 + len(words), LANE_GROUP, LANE_GROUP), np.uint8)
    for output, (tensor, channel) in enumerate(channels):
        word = words.index((tensor, channel // LANE_GROUP))
        matrices[1 + word, output, channel % LANE_GROUP] = 1
    return Segment(op.index, "depthwise", pad_rows(matrices.tobytes()), 64, ("bias",))


def _source_channels(
    graph: Graph, producers: Mapping[int, int], tensor: int, depth: int
) -> list[tuple[int, int]]:
    """The (tensor, channel) pairs a tensor made by SPLIT and CONCATENATION consists of."""
    op = graph.operators[producers[tensor]] if tensor in producers else None
    if depth == 0 or op is None or op.name not in _SELECTIONS or not _is_channel_axis(graph, op):
        return [(tensor, channel) for channel in range(graph.tensor(tensor).shape[-1])]
    if op.name == "CONCATENATION":
        parts = [_source_channels(graph, producers, index, depth - 1) for index in op.inputs]
        return [pair for part in parts for pair in part]
    channels = _source_channels(graph, producers, op.inputs[1], depth - 1)
    size = len(channels) // len(op.outputs)
    first = op.outputs.index(tensor) * size
    return channels[first : first + size]


def _is_from_host(graph: Graph, tensor: int) -> bool:
    """Whether a tensor holds the host's bytes as they came, and nothing else reads them."""
    producers, consumers = graph.producers(), graph.consumers()
    while len(consumers[tensor]) == 1 and tensor not in graph.inputs:
        op = graph.operators[producers[tensor]] if tensor in producers else None
        if op is None or op.name not in ("QUANTIZE", "RESHAPE") or _changes_scale(graph, op):
            return False
        tensor = op.inputs[0]
    return len(consumers[tensor]) == 1


def _changes_scale(graph: Graph, op: Operator) -> bool:
    before, after = (graph.tensor(t).quantization for t in (op.inputs[0], op.outputs[0]))
    return before is None or after is None or before.scales != after.scales
