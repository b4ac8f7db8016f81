"""The two weight layouts of the chip: matrix rows and depthwise groups.

Reads plain arrays, writes bytes; knows no graph. A lane is four bytes: four input channels
of one output channel, or one entry of a header vector. Facts: docs/format/parameters.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from ...fast_dataclass import dataclass

Array: TypeAlias = np.ndarray[Any, Any]

BLOCK_CHANNELS = 64
"""Output channels of a block: the lanes of a wide-memory line."""
ROW_BYTES = 64
"""Unit of the ring bus and of the host stream."""
LANE_GROUP = 4
"""Input channels in a lane, and the granularity of output channels."""
ROW_LANES = ROW_BYTES // 4


def round_up(value: int, unit: int) -> int:
    """`value` up to a whole multiple of `unit`."""
    return -(-value // unit) * unit


def pad_rows(data: bytes) -> bytes:
    """`data` completed with zero bytes to whole 64-byte rows."""
    return data + bytes(-len(data) % ROW_BYTES)


@dataclass(frozen=True, slots=True, eq=False)
class HeaderVector:
    """A vector with one 4-byte lane an output channel, in front of a block's weights.

    name: "scale" (float32 bits), "bias" or "zero_point". values: int32[outputs].
    fill: completes the last group of four channels; beyond: lanes past that group.
    """

    name: str
    values: Array
    fill: int = 0
    beyond: int = 0


def scale_header(scales: Array) -> HeaderVector:
    """Requantisation factors, float32[outputs]; unused lanes hold 1.0."""
    bits = scales.astype("<f4").view("<i4")
    one = int(np.float32(1).view(np.int32))
    return HeaderVector("scale", bits, int(bits[0]), one)


def bias_header(bias: Array) -> HeaderVector:
    """The file's int32 biases; unused lanes hold 0."""
    return HeaderVector("bias", bias.reshape(-1).astype("<i4"))


def zero_point_header(zero_points: Array) -> HeaderVector:
    """Zero points of the stored weights, one a channel; unused lanes of a group repeat the
    first channel's, lanes past it hold 0."""
    values = zero_points.astype("<i4")
    return HeaderVector("zero_point", values, int(values[0]))


def matrix_rows(
    weights: Array,
    zero_points: Array,
    headers: Sequence[HeaderVector] = (),
    *,
    packed: bool = False,
    run: int = 1,
) -> tuple[bytes, int]:
    """Blocks of 64 output channels: header vectors, then one row a kernel position and
    group of four input channels. Returns the bytes and the lanes of a row.

    weights: uint8[outputs, height, width, inputs]; zero_points: uint8[outputs].
    packed: 16-byte rows (at most four outputs). run: input groups (a divisor of their number)
    that follow each other inside a kernel position; the rows of one run after the other.
    """
    outputs, height, width, inputs = weights.shape
    lanes = min(BLOCK_CHANNELS, round_up(outputs, LANE_GROUP))
    row = lanes if packed else round_up(lanes, ROW_LANES)
    blocks = -(-outputs // BLOCK_CHANNELS)
    groups = -(-inputs // LANE_GROUP)
    words = _lane_words(weights, zero_points)
    result = np.zeros((blocks, len(headers) + height * width * groups, row), "<u4")
    for index, header in enumerate(headers):
        result[:, index] = _header_lanes(header, outputs, blocks, lanes, row)
    for first in range(0, len(words), BLOCK_CHANNELS):
        block = words[first : first + BLOCK_CHANNELS]
        target = result[first // BLOCK_CHANNELS, len(headers) :, : len(block)]
        runs = block.reshape(len(block), height, width, groups // run, run)
        target[...] = runs.transpose(3, 1, 2, 4, 0).reshape(-1, len(block))
    return pad_rows(result.tobytes()), row


def _lane_words(weights: Array, zero_points: Array) -> Array:
    """uint32[outputs rounded up to 4, height, width, input groups]; what is missing holds
    the weight zero point, so that it adds nothing."""
    outputs, height, width, inputs = weights.shape
    more_outputs, more_inputs = -outputs % LANE_GROUP, -inputs % LANE_GROUP
    if more_outputs or more_inputs:
        shape = (outputs + more_outputs, height, width, inputs + more_inputs)
        padded = np.full(shape, zero_points[0], np.uint8)
        padded[:outputs] = zero_points[:, None, None, None]
        padded[:outputs, :, :, :inputs] = weights
        weights = padded
    return np.ascontiguousarray(weights).view("<u4")


def _header_lanes(header: HeaderVector, outputs: int, blocks: int, lanes: int, row: int) -> Array:
    """uint32[blocks, row]: the vector cut into blocks, its unused lanes filled."""
    flat = np.full(blocks * lanes, header.beyond, "<i4")
    flat[:outputs] = header.values
    flat[outputs : round_up(outputs, LANE_GROUP)] = header.fill
    result = np.zeros((blocks, row), "<i4")
    result[:, :lanes] = flat.reshape(blocks, lanes)
    return result.view("<u4")


def depthwise_groups(
    weights: Array, zero_points: Array, headers: Sequence[HeaderVector] = ()
) -> bytes:
    """Groups of four channels: header lanes, then a 4x4 matrix a kernel position whose
    diagonal is the weights (row: output lane, column: input lane), the rest zero points.

    weights: uint8[height, width, channels]; zero_points: uint8[channels].
    """
    height, width, channels = weights.shape
    positions, padded = height * width, round_up(channels, LANE_GROUP)
    groups = padded // LANE_GROUP
    zeros = np.empty(padded, np.uint8)
    zeros[:channels] = zero_points
    zeros[channels:] = zero_points[(channels - 1) // LANE_GROUP * LANE_GROUP]
    result = np.empty((groups, len(headers) + positions, LANE_GROUP, LANE_GROUP), np.uint8)
    for index, header in enumerate(headers):
        lanes = np.full(padded, header.fill, "<i4")
        lanes[:channels] = header.values
        result[:, index] = lanes.view(np.uint8).reshape(groups, LANE_GROUP, 4)
    matrices = result[:, len(headers) :]
    matrices[...] = zeros.reshape(groups, 1, LANE_GROUP, 1)
    diagonal = np.empty((positions, padded), np.uint8)
    diagonal[:] = zeros
    diagonal[:, :channels] = weights.reshape(positions, channels)
    by_group = diagonal.reshape(positions, groups, LANE_GROUP).transpose(1, 0, 2)
    for lane in range(LANE_GROUP):
        matrices[:, :, lane, lane] = by_group[:, :, lane]
    return pad_rows(result.tobytes())
