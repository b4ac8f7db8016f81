"""SOFTMAX tables and constant operands of elementwise operators.

Reads the Graph level, writes Segments and bytes. Facts: docs/format/parameters.md.
"""

from __future__ import annotations

import numpy as np

from ...frontend.graph import Graph, Operator
from ...planning.plan import TILES, Segment
from . import tensors
from .layout import LANE_GROUP, ROW_LANES, Array, pad_rows
from .rules import PackingRules

_TILE_CHANNELS = 64
_LOWEST = 0x80000000
"""int32 minimum: what an absent channel adds before the maximum is taken."""


def softmax(graph: Graph, op: Operator, rules: PackingRules) -> tuple[Segment, ...]:
    """Addends of both passes, factors of the exponential and, over several tiles, the mask
    of the last 16-bit value; none when the channels fill their words."""
    tensor = graph.tensor(op.inputs[0])
    channels = tensor.shape[-1] if tensor.shape else 1
    if not rules.softmax_tables or channels % LANE_GROUP == 0:
        return ()
    scale = tensors.scales(graph, op, tensor)[0] * np.float32(op.options.get("beta", 1.0))
    largest = np.finfo(np.float32).max * scale
    addends = _table(channels, 0, _LOWEST)
    factors = _table(channels, int(scale.view(np.uint32)), int(largest.view(np.uint32)))
    block = _TILE_CHANNELS * -(-channels // (_TILE_CHANNELS * TILES))
    blocks = range(0, channels, block)
    spread = tuple(-(-min(block, channels - first) // LANE_GROUP) for first in blocks)
    result = [_segment(op, data, spread) for data in (addends, addends, factors)]
    if len(spread) > 1:
        result.append(_segment(op, pad_rows(np.float32(1).tobytes()), (1,)))
    return tuple(result)


def _segment(op: Operator, data: bytes, spread: tuple[int, ...]) -> Segment:
    return Segment(op.index, "table", data, ROW_LANES, spread=spread)


def _table(channels: int, value: int, absent: int) -> bytes:
    """One row a word of four channels: a 4-byte entry a channel in the first four lanes."""
    words = -(-channels // LANE_GROUP)
    rows = np.zeros((words, ROW_LANES), "<u4")
    rows[:, :LANE_GROUP] = value
    rows[-1, LANE_GROUP - -channels % LANE_GROUP : LANE_GROUP] = absent
    return rows.tobytes()


def elementwise_constants(graph: Graph, op: Operator) -> bytes:
    """Constant operands of ADD, MUL and SUB as they are streamed to narrow memory: bytes in
    tensor order, for SUB the negated values as int32; scalars are in the instructions."""
    if op.name not in ("ADD", "MUL", "SUB"):
        return b""
    parts = []
    for index in op.inputs:
        tensor = graph.tensor(index)
        if tensor.data is None or tensor.data.size <= 1:
            continue
        values: Array = tensors.unsigned_bytes(graph, op, tensor).reshape(-1)
        if op.name == "SUB":
            values = -values.astype("<i4")
        parts.append(pad_rows(values.tobytes()))
    return b"".join(parts)
