"""Which layers' parameters stay on the chip when not all of them fit.

Reads Segments (Plan level), writes the set of cached ones. Facts:
docs/format/parameters.md, "Cached and streamed layers".
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from ..fast_dataclass import dataclass
from .parameter_placement import longest_first, pinned_first, place_blocks, total_lines
from .plan import TILES, WIDE_LINES, Segment


@dataclass(frozen=True, slots=True)
class CachingSelection:
    """Indices of the cached and of the streamed segments, each ascending."""

    cached: tuple[int, ...]
    streamed: tuple[int, ...]


def select_cached(
    segments: Sequence[Segment],
    capacity: int = WIDE_LINES,
    *,
    total: int | None = None,
    order: Sequence[int] | None = None,
    groups: Sequence[Sequence[int]] | None = None,
    small_sort: int = 30,
) -> CachingSelection:
    """Whole layers, 4-lane packed ones first, then the longest, while they still fit.

    segments: in execution order. capacity: wide lines of a tile for parameters; total:
    lines of all tiles (default: 16 * capacity). order: indices in the order of the source
    file (default: by operator); groups: several such orders, each with priority over the
    next. Every selection can be placed: a fully connected layer
    whose blocks find no tile is streamed.
    """
    if groups is None:
        given = range(len(segments)) if order is None else order
        groups = [sorted(given, key=lambda i: segments[i].op) if order is None else given]
    left = TILES * capacity if total is None else total
    blocks: list[int] = []
    cached = set()
    for index in itertools.chain.from_iterable(
        longest_first(segments, group, small_sort) for group in groups
    ):
        lines = total_lines(segments[index])
        if lines > left:
            continue
        if segments[index].kind == "fully_connected":
            candidate = pinned_first(segments, [*blocks, index])
            if not _blocks_fit(segments, candidate, capacity):
                continue
            blocks = candidate
        cached.add(index)
        left -= lines
    streamed = tuple(i for i in range(len(segments)) if i not in cached)
    return CachingSelection(tuple(sorted(cached)), streamed)


def _blocks_fit(segments: Sequence[Segment], indices: Sequence[int], capacity: int) -> bool:
    loads = [0] * TILES
    return all(place_blocks(segments[i], loads, capacity) is not None for i in indices)
