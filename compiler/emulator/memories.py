"""The memories of the 16 tiles as numpy arrays with one row a tile, so that instructions that
do the same on several tiles run as one operation.

Facts: docs/format/memory.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

TILES = 16
NARROW_WORDS = 1 << 16
"""4-byte words of a tile's narrow memory."""
NARROW_BYTES = 4 * NARROW_WORDS
WIDE_LINES = 1 << 12
"""256-byte lines a wide address can name. A tile has fewer: docs/format/memory.md."""
LINE_BYTES = 256
LINE_WORDS = 64
UNITS_PER_LINE = 4
"""64-byte units of a line, the unit of a tensor op's wide addresses."""
SCALING_BYTES = 1024
"""Two slots of 64 factors, then two of 64 biases, 4 bytes each."""
BIAS_ENTRY = 128
"""First bias, as an index of 4-byte entries."""

Array = NDArray[Any]


class TileMemories:
    """All tiles' memories; the attributes are views of the same bytes.

    narrow_words (16, 65536) uint32, narrow_bytes (16, 262144); wide_lines (16, lines, 256)
    uint8, wide_units (16, lines * 4, 64), wide_words (16, lines, 64) uint32; scaling_words
    (16, 256) uint32, scaling_units (16, 128) uint64.
    """

    def __init__(self) -> None:
        self.narrow_words: Array = np.zeros((TILES, NARROW_WORDS), np.uint32)
        self.narrow_bytes: Array = self.narrow_words.view(np.uint8)
        self.wide_bytes: Array = np.zeros((TILES, WIDE_LINES * LINE_BYTES), np.uint8)
        self.wide_lines: Array = self.wide_bytes.reshape(TILES, WIDE_LINES, LINE_BYTES)
        self.wide_units: Array = self.wide_bytes.reshape(TILES, -1, LINE_BYTES // UNITS_PER_LINE)
        self.wide_words: Array = self.wide_lines.view(np.uint32)
        self.wide_halves: Array = self.wide_bytes.view(np.uint16)
        self.scaling_units: Array = np.zeros((TILES, SCALING_BYTES // 8), np.uint64)
        self.scaling_words: Array = self.scaling_units.view(np.uint32)


def rows(tiles: Sequence[int]) -> slice | Array:
    """An index of the rows `tiles` (ascending): a slice, which numpy does not copy, if it can."""
    first, last = tiles[0], tiles[-1]
    if last - first + 1 == len(tiles):
        return slice(first, last + 1)
    return np.array(tiles)


def gather(memory: Array, tiles: Sequence[int], addresses: Array) -> Array:
    """memory[tile, addresses] for every tile: shape (tiles, *addresses.shape, ...)."""
    selected = rows(tiles)
    if isinstance(selected, slice):
        return np.take(memory[selected], addresses, axis=1)
    return np.asarray(memory[selected[(...,) + (None,) * addresses.ndim], addresses[None]])


def scatter(memory: Array, tiles: Sequence[int], addresses: Array, values: Array) -> None:
    """memory[tile, addresses] = values, which has a leading axis of tiles (or 1 for all)."""
    selected = rows(tiles)
    if isinstance(selected, slice):
        memory[selected][:, addresses] = values
    else:
        memory[selected[(...,) + (None,) * addresses.ndim], addresses[None]] = values
