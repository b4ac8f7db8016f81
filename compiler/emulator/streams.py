"""Address streams: the loop nests of the Program level as numpy address vectors.

Reads `Nest`s. Items are numbered in execution order, innermost loop first; a *block of level
L* is a run of items in which only loops below L move. Signals fire at block ends and waits
are checked at block starts. Facts: docs/format/execution.md, "Address streams".
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import EmulationError
from ..lowering.program import Nest, Tail

Addresses = NDArray[np.int64]
_MOST_LEVELS = 16
MAX_ITEMS = 1 << 26
"""Items one instruction may run through; larger nests are refused as malformed."""


class AddressStream:
    """A nest of `levels` loops.

    total: number of items. counts: trip counts, padded to `levels`; the loop a tail changes
    has the larger of its two. present: false where every field of the stream is zero.
    """

    __slots__ = (
        "_addresses",
        "_ends",
        "_kept",
        "_nest",
        "_sizes",
        "_starts",
        "counts",
        "present",
        "strides",
        "total",
    )

    def __init__(self, nest: Nest, levels: int, *, innermost_tail: bool = False) -> None:
        padding = levels - len(nest.levels)
        counts = [count for count, _ in nest.levels] + [1] * padding
        self.strides = tuple([stride for _, stride in nest.levels] + [0] * padding)
        tail = nest.tail if nest.tail is not None and nest.tail.level else None
        self.present = bool(nest.levels or nest.enabled or nest.double_offset or tail)
        self._nest = nest
        self._kept: Addresses | None = None
        loop = 0
        if tail is not None:
            if not innermost_tail:
                loop = _tail_loop(tail, counts, self.strides)
            regular, counts[loop] = counts[loop], max(counts[loop], tail.count)
        self.counts = tuple(counts)
        self._sizes = [1]
        for count in counts:
            self._sizes.append(self._sizes[-1] * count)
        full = self._sizes[-1]
        if full > MAX_ITEMS:
            raise EmulationError("an address stream is too long", actual=full, allowed=MAX_ITEMS)
        self._sizes += [full] * (_MOST_LEVELS - levels)
        self.total = full
        if tail is not None:
            self._kept = self._tail_items(tail, loop, regular)
            self.total = len(self._kept)
        self._starts: dict[int, Addresses] = {}
        self._ends: dict[int, list[int]] = {}
        self._addresses: Addresses | None = None

    @property
    def regular(self) -> bool:
        """Whether all blocks of a level have one size."""
        return self._kept is None

    @property
    def doubled(self) -> bool:
        """Whether blocks alternate between two buffers."""
        return bool(self._nest.double_offset)

    @property
    def double_level(self) -> int:
        return self._nest.double_level

    def size(self, level: int) -> int:
        """Items of a complete block of `level`."""
        return self._sizes[level]

    def full_index(self) -> Addresses:
        """Each item's number in the nest without the tail's shortening."""
        return np.arange(self.total) if self._kept is None else self._kept

    def index(self, loop: int) -> Addresses:
        """Each item's iteration of `loop`."""
        return self.full_index() // self._sizes[loop] % self.counts[loop]

    def addresses(self) -> Addresses:
        """Address of every item, in the nest's units."""
        if self._addresses is None:
            self._addresses = self._all_addresses()
        return self._addresses

    def _all_addresses(self) -> Addresses:
        nest = self._nest
        result = np.zeros(1, np.int64)
        for count, stride in zip(self.counts, self.strides, strict=True):
            if count > 1:
                result = (np.arange(count)[:, None] * stride + result).ravel()
        if nest.double_offset:
            block = np.arange(len(result)) // self.size(nest.double_level)
            result = result + nest.double_offset * (block & 1)
        result = result + nest.base
        return result if self._kept is None else result[self._kept]

    def check(self, what: str, limit: int) -> None:
        """EmulationError unless every address lies in [0, limit)."""
        addresses = self.addresses()
        low, high = int(addresses.min()), int(addresses.max())
        if low < 0 or high >= limit:
            raise EmulationError(
                f"an address lies outside the {what}",
                actual=low if low < 0 else high,
                allowed=f"0..{limit - 1}",
            )

    def starts(self, level: int) -> Addresses:
        """First item of every block of `level`, then the total."""
        level = min(level, len(self.counts))
        found = self._starts.get(level)
        if found is None:
            if self._kept is None:
                found = np.arange(0, self.total + 1, self._sizes[level])
            else:
                block = self._kept // self._sizes[level]
                changes = np.flatnonzero(block[1:] != block[:-1]) + 1
                found = np.concatenate(([0], changes, [self.total]))
            self._starts[level] = found
        return found

    def blocks(self, level: int) -> int:
        """Number of blocks of `level`."""
        if self._kept is None:
            return self.total // self._sizes[level]
        return len(self._ends_of(level)) if level else self.total

    def first_open(self, level: int, items: int) -> int:
        """The first block of `level` that has not started when `items` items are done."""
        if self._kept is None:
            return -(-items // self._sizes[level])
        block = self.finished(level, items)
        return block + (items > self.start(level, block))

    def last_started(self, level: int, items: int) -> int:
        """The last block of `level` that has started when `items` items, at least one, are
        done."""
        return self.first_open(level, items) - 1

    def block_end(self, level: int, item: int) -> int:
        """First item behind the block of `level` that holds an item."""
        return self.start(level, self.finished(level, item) + 1)

    def finished(self, level: int, items: int) -> int:
        """Blocks of `level` that are complete when `items` items are done."""
        if self._kept is None:
            return items // self._sizes[level]
        return bisect_right(self._ends_of(level), items) if level else items

    def _ends_of(self, level: int) -> list[int]:
        """First item behind every block of `level`."""
        found = self._ends.get(level)
        if found is None:
            found = self._ends[level] = self.starts(level)[1:].tolist()
        return found

    def start(self, level: int, block: int) -> int:
        """First item of a block; the total for blocks behind the last."""
        if self._kept is None:
            first = block * self._sizes[level]
            return first if first < self.total else self.total
        if not level:
            return min(block, self.total)
        ends = self._ends_of(level)
        return ends[min(block, len(ends)) - 1] if block else 0

    def _tail_items(self, tail: Tail, loop: int, regular: int) -> Addresses:
        index = np.arange(self._sizes[-1])
        inner = index // self._sizes[loop] % self.counts[loop]
        outer = index // self.size(tail.level) % self.counts[tail.level]
        last = outer == self.counts[tail.level] - 1
        return np.flatnonzero(inner < np.where(last, tail.count, regular))


def _tail_loop(tail: Tail, counts: Sequence[int], strides: Sequence[int]) -> int:
    """The loop whose last run has another trip count: the one the address correction fits."""
    for loop in range(min(tail.level, len(counts))):
        fits = (counts[loop] - tail.count) * strides[loop] == tail.adjust
        if fits and (counts[loop] > 1 or not loop):
            return loop
    return 0


def loop_stream(loops: Sequence[int], tail: tuple[int, int] | None) -> AddressStream:
    """The trip counts of a tensor op as a stream without addresses."""
    nest = Nest(
        levels=tuple((count, 0) for count in loops),
        tail=None if tail is None else Tail(tail[0], tail[1], 0),
    )
    return AddressStream(nest, 8, innermost_tail=True)


def product(values: Sequence[int]) -> int:
    """Product of integers, 1 for none."""
    return math.prod(values)
