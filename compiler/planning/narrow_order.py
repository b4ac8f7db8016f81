"""Narrow addresses as the vendor's compiler chooses them: always the buffer that can lie lowest.

Of buffers that could lie equally low, the one that lives through the widest step (most live
words) goes first, then the one with the largest words x steps^2; equal ones by size and age, so
that the order of the requests matters only between alike buffers. Facts: docs/format/memory.md,
"Narrow memory".
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from itertools import accumulate

from .plan import NarrowBuffer

Priority = tuple[float, int, tuple[int, int, int, int], int]
"""Rank, lowest address known so far, order among equals, number of the request."""


def live_words(buffers: Sequence[NarrowBuffer]) -> list[int]:
    """Words that are alive in each step."""
    changes = [0] * (max((buffer.last for buffer in buffers), default=-1) + 2)
    for buffer in buffers:
        changes[buffer.first] += buffer.at_first or buffer.words
        if buffer.at_first and buffer.last > buffer.first:
            changes[buffer.first + 1] += buffer.words - buffer.at_first
            changes[buffer.last + 1] -= buffer.words
        else:
            changes[buffer.last + 1] -= buffer.at_first or buffer.words
    return list(accumulate(changes))


def place_lowest_first(buffers: Sequence[NarrowBuffer]) -> dict[str, int]:
    """Buffer name -> word address. Ranks one after the other."""
    live = live_words(buffers)
    placed = PlacedBuffers(len(live))
    waiting: list[Priority] = []
    for number, buffer in enumerate(buffers):
        steps = buffer.last - buffer.first + 1
        breadth = max(live[buffer.first : buffer.last + 1])
        order = (-breadth, -buffer.words * steps * steps, -steps, buffer.first)
        waiting.append((buffer.rank, 0, order, number))
    heapq.heapify(waiting)
    while waiting:
        rank, known, order, number = heapq.heappop(waiting)
        lowest = placed.lowest(buffers[number])
        if lowest > known:  # others have been placed in the meantime
            heapq.heappush(waiting, (rank, lowest, order, number))
        else:
            placed.add(buffers[number])
    return placed.addresses


class PlacedBuffers:
    """Buffers with an address, by the steps in which they live."""

    def __init__(self, steps: int) -> None:
        self.addresses: dict[str, int] = {}
        self._alive: list[list[NarrowBuffer]] = [[] for _ in range(steps)]

    def add(self, buffer: NarrowBuffer) -> int:
        """Give the buffer the lowest address it can have."""
        start = self.lowest(buffer)
        self._put(buffer, start)
        return start

    def add_tightest(self, buffer: NarrowBuffer, capacity: int) -> bool:
        """Give the buffer the start of the shortest gap it fits into (the lowest of equally
        short ones); without one below `capacity`, place it above all others, and say False."""
        taken = self._around(buffer)
        gaps = []
        start = 0
        for low, words, room in (*taken, (capacity, 0, buffer.words)):
            end = min(low, capacity)
            if start + room <= end and _end_of_met(taken, start) is None:
                gaps.append((end - start, start))
            if words:
                start = max(start, low + words)
        self._put(buffer, min(gaps)[1] if gaps else start)
        return bool(gaps)

    def lowest(self, buffer: NarrowBuffer) -> int:
        """Lowest start of a free run for the buffer."""
        taken = self._around(buffer)
        start = 0
        while (end := _end_of_met(taken, start)) is not None:
            start = end
        return start

    def _put(self, buffer: NarrowBuffer, start: int) -> None:
        self.addresses[buffer.name] = start
        for step in range(buffer.first, buffer.last + 1):
            self._alive[step].append(buffer)

    def _around(self, buffer: NarrowBuffer) -> list[tuple[int, int, int]]:
        """Buffers that are alive together with this one, ascending: address, words they take
        then, words this one takes then."""
        others: dict[str, NarrowBuffer] = {}
        for step in range(buffer.first, buffer.last + 1):
            others.update((other.name, other) for other in self._alive[step])
        return sorted(
            (self.addresses[name], other.room(buffer), buffer.room(other))
            for name, other in others.items()
        )


def _end_of_met(taken: Iterable[tuple[int, int, int]], start: int) -> int | None:
    """End of the last of a chain of `taken` buffers that one from `start` on would meet."""
    met = None
    for low, words, room in taken:
        if start < low + words and low < start + room:
            start = met = low + words
    return met
