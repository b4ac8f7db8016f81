"""Input and output layers of an executable, from the tensors at the partition's border.

Reads the Graph level, writes Layer dataclasses. Facts: docs/format/container.md, "Layers".
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from ..errors import InternalError, Where
from ..frontend.graph import Graph, Tensor, TensorType
from .executable import DataType, Layer, OutputLayout

TILE_ROWS = 4
TILE_COLUMNS = 4
VECTOR_SLICE = 64
"""Channels of a 1x1 output that one tile holds."""
VARIABLE_SUFFIX = "_variable_output"
"""Name ending of the output layer that a state tensor gets."""

_TYPES = {
    TensorType.UINT8: (DataType.FIXED_POINT8, 1, 0),
    TensorType.INT8: (DataType.SIGNED_FIXED_POINT8, 1, 1 << 7),
    TensorType.INT16: (DataType.SIGNED_FIXED_POINT16, 2, 1 << 15),
}
"""Tensor type -> (layer type, bytes an element, what to add to the zero point)."""


def layer_dims(shape: Sequence[int]) -> tuple[int, int, int]:
    """(y, x, z): the last three dimensions, filled up with ones on the left."""
    y, x, z = (1, 1, 1, *shape)[-3:]
    return y, x, z


def input_shape(graph: Graph, tensor: int, consumers: dict[int, list[int]]) -> tuple[int, ...]:
    """The shape an input layer takes: a tensor that only a RESHAPE reads (also behind a
    QUANTIZE) arrives in the reshaped form. `consumers` is `graph.consumers()`."""
    current = tensor
    for _ in graph.operators:
        readers = consumers.get(current, [])
        operator = graph.operators[readers[0]] if len(readers) == 1 else None
        if operator is None or operator.name not in ("RESHAPE", "QUANTIZE"):
            break
        current = operator.outputs[0]
        if operator.name == "RESHAPE":
            return graph.tensors[current].shape
    return graph.tensors[tensor].shape


def input_layer(tensor: Tensor, shape: Sequence[int] | None = None) -> Layer:
    """The layer of an input; `shape` (see `input_shape`) defaults to the tensor's own."""
    y, x, z = layer_dims(tensor.shape if shape is None else shape)
    data_type, element_bytes, zero_point, scale = _numerics(tensor)
    return Layer(
        tensor.name, _round_up(y * x * z * element_bytes, 8), y, x, z, zero_point, scale, data_type
    )


def output_layer(tensor: Tensor, passes: int = 1) -> Layer:
    """The layer of an output; `passes`: into how many horizontal bands the image is cut
    because it does not fit the narrow memories at once."""
    y, x, z = layer_dims(tensor.shape)
    data_type, element_bytes, zero_point, scale = _numerics(tensor)
    padded = padded_channels(z, element_bytes)
    return Layer(
        tensor.name,
        _round_up(y * x * padded * element_bytes, 8),
        y,
        x,
        z,
        zero_point,
        scale,
        data_type,
        layout=output_layout(y, x, z, element_bytes, passes),
        ranges=tuple((0, size - 1) for size in tensor.shape),
    )


def output_layout(y: int, x: int, z: int, element_bytes: int, passes: int = 1) -> OutputLayout:
    """Where the elements of an output lie; 1x1 outputs are spread by channels."""
    padded = padded_channels(z, element_bytes)
    return vector_layout(padded) if y * x == 1 else spatial_layout(y, x, padded, passes)


def vector_layout(channels: int) -> OutputLayout:
    """Layout of 1x1 outputs: 64 channels a tile, at most 16 tiles."""
    piece = min(VECTOR_SLICE, channels)
    offsets = tuple(min(tile * piece, channels) for tile in range(TILE_ROWS * TILE_COLUMNS))
    return OutputLayout((0,), (0,), offsets, (0,), (0,), (piece,))


def spatial_layout(y: int, x: int, channels: int, passes: int = 1) -> OutputLayout:
    """Layout of images: rows and columns halved twice over the 4x4 tiles, pass after pass."""
    rows = [part for band in split_evenly(y, passes) for part in split(band)]
    columns = split(x)
    offsets = []
    position = 0
    for height in rows:
        for width in columns:
            offsets.append(position)
            position += height * width * channels
    return OutputLayout(
        y_tile=tuple(TILE_COLUMNS * row for row, n in enumerate(rows) for _ in range(n)),
        x_tile=tuple(column for column, n in enumerate(columns) for _ in range(n)),
        tile_offset=tuple(offsets),
        x_in_tile=tuple(k * channels for n in columns for k in range(n)),
        y_in_tile=tuple(k for n in rows for k in range(n)),
        x_row_size=tuple(n * channels for n in columns for _ in range(n)),
    )


def split(size: int) -> tuple[int, int, int, int]:
    """Sizes of the four parts of `size`: halved twice, the larger half first
    (10 -> 3, 2, 3, 2)."""
    first = (size + 1) // 2
    second = size - first
    return (first + 1) // 2, first // 2, (second + 1) // 2, second // 2


def split_evenly(size: int, parts: int) -> list[int]:
    """`size` cut into `parts` sizes that differ by one at most; part i starts at
    ceil(i * size / parts)."""
    edges = [-(-size * part // parts) for part in range(parts + 1)]
    return [end - start for start, end in pairwise(edges)]


def padded_channels(channels: int, element_bytes: int) -> int:
    """Channels of an output pixel in the chip's memory: whole 4-byte words."""
    return _round_up(channels * element_bytes, 4) // element_bytes


def _numerics(tensor: Tensor) -> tuple[DataType, int, int, float]:
    """(layer type, bytes an element, zero point from the type's lowest value, scale)."""
    quantization = tensor.quantization
    known = _TYPES.get(tensor.type)
    if known is None or quantization is None or len(quantization.scales) != 1:
        raise InternalError(
            "a tensor at the border of the Edge TPU partition is not quantised per tensor",
            where=Where(tensor=tensor.name),
            actual=tensor.type.name,
            allowed=", ".join(kind.name for kind in _TYPES),
        )
    data_type, element_bytes, lowest = known
    return data_type, element_bytes, quantization.zero_points[0] + lowest, quantization.scales[0]


def _round_up(value: int, multiple: int) -> int:
    return value + -value % multiple
