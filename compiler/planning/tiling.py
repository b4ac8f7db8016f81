"""How a map's rows and columns are cut over the 4x4 tiles, and what a window needs of them.

Tile number = 4 * tile row + tile column. All intervals are half open. Facts:
docs/format/tiling.md.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from ..fast_dataclass import dataclass

GRID = 4
"""Tile rows and tile columns."""

Interval = tuple[int, int]
AxisSplit = tuple[Interval, ...]
"""One interval for each of the four tile rows (or columns)."""
AxisNeed = tuple[Interval | None, ...]
"""Pixels each tile row (column) reads; None where it computes nothing."""


def split(low: int, high: int) -> AxisSplit:
    """Cut [low, high) into four: part i starts at low + ceil(i * (high - low) / 4)."""
    size = high - low
    starts = [low - (-i * size // GRID) for i in range(GRID + 1)]
    return tuple(itertools.pairwise(starts))


def length(interval: Interval) -> int:
    """Pixels in an interval (0 if it is empty or reversed)."""
    return max(interval[1] - interval[0], 0)


def most_words(rows: Interval, columns: Interval, channels: int) -> int:
    """Words of the tile with the largest part of such a map, without halos."""
    height, width = (max(map(length, split(*axis))) for axis in (rows, columns))
    return height * width * -(-channels // 4)


def overlap(a: Interval, b: Interval) -> Interval:
    """The common part (possibly empty) of two intervals."""
    return max(a[0], b[0]), min(a[1], b[1])


def union_needs(needs: Iterable[AxisNeed]) -> AxisNeed:
    """For each tile row the smallest interval that holds every need."""
    result: list[Interval | None] = [None] * GRID
    for need in needs:
        for i, interval in enumerate(need):
            have = result[i]
            if interval is not None:
                result[i] = (
                    interval
                    if have is None
                    else (min(have[0], interval[0]), max(have[1], interval[1]))
                )
    return tuple(result)


@dataclass(frozen=True, slots=True)
class MapNeed:
    """What each tile row and tile column needs of a map; `behind`: pixels that are read past the
    last one, whatever they hold."""

    rows: AxisNeed
    columns: AxisNeed
    behind: int = 0


@dataclass(frozen=True, slots=True)
class Window:
    """A sliding window along one axis: output i reads kernel taps at i * stride - before +
    dilation * (0 .. kernel - 1)."""

    kernel: int = 1
    stride: int = 1
    dilation: int = 1
    before: int = 0

    @property
    def extent(self) -> int:
        """Pixels from the first tap to the last, both included."""
        return (self.kernel - 1) * self.dilation + 1

    def first_tap(self, output: int) -> int:
        """Pixel under the first tap of an output (outside the picture if negative)."""
        return output * self.stride - self.before

    def reads(self, outputs: Interval) -> Interval:
        """Pixels that the outputs [a, b), b > a, read."""
        first, end = outputs
        return self.first_tap(first), self.first_tap(end - 1) + self.extent

    def need(self, outputs: AxisSplit) -> AxisNeed:
        """Pixels each tile reads for its part of the outputs."""
        return tuple(self.reads(part) if length(part) else None for part in outputs)


def same_padding(size: int, outputs: int, kernel: int, stride: int, dilation: int) -> int:
    """Pixels that SAME padding adds before the first one: half of the total, rounded down."""
    extent = (kernel - 1) * dilation + 1
    return max((outputs - 1) * stride + extent - size, 0) // 2


def tiles_mask(tiles: Iterable[int]) -> int:
    """Mask of the tiles, bit 4 * row + column."""
    return sum(1 << tile for tile in tiles)


def tiles_of(mask: int) -> list[int]:
    """Tile numbers in a mask, ascending."""
    return [tile for tile in range(GRID * GRID) if mask >> tile & 1]
