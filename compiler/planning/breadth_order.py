"""Addresses in the order of breadth: the steps with the most live words choose first.

Of the buffers of a step that have no address yet, those of the lowest rank come first; of them
the one that can lie lowest gets its address; of those that could lie equally low, the one that
lives longest, then the largest. Facts: docs/format/memory.md, "Narrow memory".
"""

from __future__ import annotations

from collections.abc import Sequence

from .plan import NarrowBuffer


def live_buffers(buffers: Sequence[NarrowBuffer]) -> list[list[NarrowBuffer]]:
    """The buffers alive in each step."""
    live: list[list[NarrowBuffer]] = [[] for _ in range(1 + max(b.last for b in buffers))]
    for buffer in buffers:
        for step in range(buffer.first, buffer.last + 1):
            live[step].append(buffer)
    return live


def breadths(live: Sequence[Sequence[NarrowBuffer]]) -> list[int]:
    """Words alive in each step."""
    return [
        sum(b.at_first if b.at_first and b.first == step else b.words for b in alive)
        for step, alive in enumerate(live)
    ]


def place_by_breadth(buffers: Sequence[NarrowBuffer]) -> dict[str, int]:
    """Buffer name -> word address."""
    if not buffers:
        return {}
    live = live_buffers(buffers)
    breadth = breadths(live)
    placed = _Placed()
    for step in sorted(range(len(live)), key=lambda step: (-breadth[step], step)):
        waiting = [buffer for buffer in live[step] if buffer.name not in placed.addresses]
        while waiting:
            best = min(waiting, key=placed.preference)
            placed.add(best)
            waiting.remove(best)
    return placed.addresses


class _Placed:
    """Buffers with an address, by address."""

    def __init__(self) -> None:
        self.addresses: dict[str, int] = {}
        self._entries: list[tuple[int, int, NarrowBuffer]] = []

    def add(self, buffer: NarrowBuffer) -> None:
        start = self.lowest(buffer)
        self.addresses[buffer.name] = start
        self._entries.append((start, len(self._entries), buffer))
        self._entries.sort(key=lambda entry: entry[:2])

    def preference(self, buffer: NarrowBuffer) -> tuple[float, int, int, int]:
        """The smallest comes first."""
        return buffer.rank, self.lowest(buffer), buffer.first - buffer.last, -buffer.words

    def lowest(self, buffer: NarrowBuffer) -> int:
        """Lowest start of a free run for the buffer."""
        start = 0
        moved = True
        while moved:
            moved = False
            for low, _, other in self._entries:
                if other.last < buffer.first or buffer.last < other.first:
                    continue
                end = low + other.room(buffer)
                if start < end and low < start + buffer.room(other):
                    start, moved = end, True
        return start
