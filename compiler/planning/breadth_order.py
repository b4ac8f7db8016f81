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
    placed = PlacedBuffers(len(live))
    for step in sorted(range(len(live)), key=lambda step: (-breadth[step], step)):
        waiting = [buffer for buffer in live[step] if buffer.name not in placed.addresses]
        while waiting:
            best = min(waiting, key=placed.preference)
            placed.add(best)
            waiting.remove(best)
    return placed.addresses


class PlacedBuffers:
    """Buffers with an address, by the steps in which they live."""

    def __init__(self, steps: int) -> None:
        self.addresses: dict[str, int] = {}
        self._alive: list[list[NarrowBuffer]] = [[] for _ in range(steps)]

    def add(self, buffer: NarrowBuffer) -> int:
        """Give the buffer the lowest address it can have."""
        start = self.lowest(buffer)
        self.addresses[buffer.name] = start
        for step in range(buffer.first, buffer.last + 1):
            self._alive[step].append(buffer)
        return start

    def preference(self, buffer: NarrowBuffer) -> tuple[float, int, int, int]:
        """The smallest comes first."""
        return buffer.rank, self.lowest(buffer), buffer.first - buffer.last, -buffer.words

    def lowest(self, buffer: NarrowBuffer) -> int:
        """Lowest start of a free run for the buffer."""
        others: dict[str, NarrowBuffer] = {}
        for step in range(buffer.first, buffer.last + 1):
            others.update((other.name, other) for other in self._alive[step])
        taken = sorted(
            (low, low + other.room(buffer), buffer.room(other))
            for name, other in others.items()
            for low in (self.addresses[name],)
        )
        start = 0
        moved = True
        while moved:
            moved = False
            for low, end, room in taken:
                if start < end and low < start + room:
                    start, moved = end, True
        return start
