"""A constant as large as a map, from the host's parameters: it arrives as a picture does.

Reads the Graph level through the planner, adds an `ImageInputStep`. Facts:
docs/format/elementwise.md, "Constant maps".
"""

from __future__ import annotations

from ..frontend.graph import SIGNED_OFFSET, Operator, Tensor, TensorType
from ..frontend.movement import WORD, picture, words_of
from .builder import PlanBuilder
from .image import ITEM_BYTES, LINE_BYTES, InputSource, TileRowFeed, input_step
from .map_layout import MapLayout
from .tiling import GRID, length


def bring_constant(planner: PlanBuilder, op: Operator, tensor: int, layout: MapLayout) -> str:
    """Add the step that brings a constant into a map of its own with `layout`; its buffer."""
    values = _bytes(planner.graph.tensor(tensor))
    return bring_values(planner, op, values, layout, planner.graph.tensor(tensor).shape[-1])


def bring_values(
    planner: PlanBuilder, op: Operator, values: bytes, layout: MapLayout, channels: int = 0
) -> str:
    """As `bring_constant`, of the chip's bytes: `channels` in a pixel, all of its words for 0."""
    channels = channels or WORD * layout.channel_words
    row_bytes = layout.width * channels
    feeds, stored = [], b""
    for number, (first, end) in enumerate(layout.rows.own):
        if first == end:
            continue
        part = values[first * row_bytes : end * row_bytes]
        tiles = sum(1 << GRID * number + c for c in range(GRID) if length(layout.columns.own[c]))
        feeds.append(
            TileRowFeed(
                rows=end - first,
                first_item=len(stored) // ITEM_BYTES,
                items=-(-len(part) // ITEM_BYTES),
                skip_bytes=0,
                tiles=tiles,
            )
        )
        stored += part.ljust(-(-len(part) // LINE_BYTES) * LINE_BYTES, b"\0")
    buffer = planner.scratch(f"{op.index} constant", layout.words, rank=0)
    source = InputSource(f"{op.index} constant", channels, tuple(feeds), stored=stored)
    planner.add(input_step(planner, source, layout, buffer, ops=(op.index,)))
    planner.image_identity.release(planner.taken)
    return buffer


def values_of(tensor: Tensor, size: tuple[int, int, int]) -> bytes:
    """The chip's bytes of a constant, repeated to `size` (rows, columns, channels), every pixel
    filled up to whole words."""
    import numpy as np  # noqa: PLC0415 - imported late

    shape = picture(tensor.shape)
    assert shape is not None
    channels = WORD * words_of(size[2])
    result = np.zeros((*size[:2], channels), np.uint8)
    result[..., : size[2]] = np.frombuffer(_bytes(tensor), np.uint8).reshape(shape)
    return result.tobytes()


def _bytes(tensor: Tensor) -> bytes:
    """Values in tensor order, as the chip's unsigned bytes."""
    assert tensor.data is not None
    data = tensor.data
    if tensor.type == TensorType.INT8:
        data = data.view("uint8") ^ SIGNED_OFFSET
    return data.tobytes()
