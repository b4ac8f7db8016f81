"""Where the pixels of a map are: each tile holds a rectangle of it, its own part (the split of
the tensor) widened by what its readers need. The producer writes straight into the interior;
the halo exchange fills the rest. Facts: docs/format/tiling.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

from ..fast_dataclass import dataclass
from .tiling import GRID, AxisNeed, AxisSplit, Interval, MapNeed, length, split, union_needs


@dataclass(frozen=True, slots=True)
class MapAxis:
    """One axis of a map over four tiles. own: the split; held: the pixels in the tile's map;
    needed: what the readers of the tile read (None: they compute nothing there). `low` and
    `high` are the borders of the picture (or of the part of it that a pass works on)."""

    low: int
    high: int
    own: AxisSplit
    held: AxisSplit
    needed: AxisNeed

    def before(self, i: int) -> Interval:
        """Pixels in front of the own ones."""
        return self.held[i][0], self.own[i][0]

    def after(self, i: int) -> Interval:
        """Pixels behind the own ones."""
        return self.own[i][1], self.held[i][1]


def map_axis(low: int, high: int, needs: Iterable[AxisNeed]) -> MapAxis:
    """The axis of a map of pixels [low, high) whose readers have these needs."""
    own = split(low, high)
    needed = union_needs(needs)
    first = [min(o[0], n[0]) if n else o[0] for o, n in zip(own, needed, strict=True)]
    last = [max(o[1], n[1]) if n else o[1] for o, n in zip(own, needed, strict=True)]
    # A tile holds what its neighbour needs from beyond it, as the data passes through it.
    for i in range(1, GRID):
        if last[i - 1] > own[i][0] and own[i][0] < high:
            last[i] = max(last[i], last[i - 1])
    for i in reversed(range(GRID - 1)):
        if first[i + 1] < own[i][1] and own[i][1] > low:
            first[i] = min(first[i], first[i + 1])
    return MapAxis(low, high, own, tuple(zip(first, last, strict=True)), needed)


def axis_on_first_tile(low: int, high: int) -> MapAxis:
    """The axis of a map that the first tile holds as a whole."""
    own = split(low, high)
    return MapAxis(low, high, own, ((low, high), *own[1:]), ((low, high), None, None, None))


@dataclass(frozen=True)
class MapLayout:
    """A map in the narrow memories, row major, `pixel_words` words a pixel.

    channel_words: words of the tensor's own channels, at `channel_offset` inside a pixel
    (a joint map of several tensors has more words a pixel than each of them). behind: pixels
    of room behind the map. collected: tile 0 holds all of it, and fills its halo over the ring.
    """

    rows: MapAxis
    columns: MapAxis
    pixel_words: int
    channel_words: int
    channel_offset: int = 0
    behind: int = 0
    collected: bool = False

    @cached_property
    def words(self) -> int:
        """Size of the buffer: that of the tile which holds most."""
        pixels = max(map(length, self.rows.held)) * max(map(length, self.columns.held))
        return (pixels + self.behind) * self.pixel_words

    @property
    def height(self) -> int:
        return self.rows.high - self.rows.low

    @property
    def width(self) -> int:
        return self.columns.high - self.columns.low

    @cached_property
    def has_halo(self) -> bool:
        """Whether any tile holds pixels that are not its own."""
        return self.rows.own != self.rows.held or self.columns.own != self.columns.held

    def row_words(self, tile: int) -> int:
        """Words from a pixel to the one below it."""
        return length(self.columns.held[tile % GRID]) * self.pixel_words

    def held_rows(self, tile: int) -> int:
        return length(self.rows.held[tile // GRID])

    def held_columns(self, tile: int) -> int:
        return length(self.columns.held[tile % GRID])

    def own_size(self, tile: int) -> tuple[int, int]:
        """Rows and columns of the tile's own part."""
        return length(self.rows.own[tile // GRID]), length(self.columns.own[tile % GRID])

    def own_corner(self, tile: int) -> tuple[int, int]:
        """Row and column of the tile's first own pixel."""
        return self.rows.own[tile // GRID][0], self.columns.own[tile % GRID][0]

    def offset(self, tile: int, row: int, column: int) -> int:
        """Word offset, from the buffer's start, of a pixel of the picture in this tile."""
        down = row - self.rows.held[tile // GRID][0]
        right = column - self.columns.held[tile % GRID][0]
        return down * self.row_words(tile) + right * self.pixel_words + self.channel_offset


def map_layout(height: int, width: int, channel_words: int, needs: Iterable[MapNeed]) -> MapLayout:
    """Layout of a whole picture with the union map of its readers' needs."""
    needs = list(needs)
    return MapLayout(
        map_axis(0, height, [need.rows for need in needs]),
        map_axis(0, width, [need.columns for need in needs]),
        pixel_words=channel_words,
        channel_words=channel_words,
        behind=max((need.behind for need in needs), default=0),
    )
