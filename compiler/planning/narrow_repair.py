"""Narrow addresses where the usual order leaves gaps: the largest areas first, each in the
shortest gap, and in rounds, in which what reached too high moves to the front.

The area of a buffer is its words times the steps it lives. Facts: docs/format/memory.md,
"Narrow memory".
"""

from __future__ import annotations

from collections.abc import Sequence

from .narrow_order import PlacedBuffers
from .plan import NarrowBuffer

ROUNDS = 60
"""Rounds before the search is given up."""


def place_by_area(buffers: Sequence[NarrowBuffer], capacity: int) -> dict[str, int] | None:
    """Buffer name -> word address below `capacity`; None if no round has room for all."""
    order = sorted(buffers, key=_by_area)
    steps = 1 + max((buffer.last for buffer in buffers), default=0)
    passed: set[tuple[str, str]] = set()
    for _ in range(ROUNDS):
        placed = PlacedBuffers(steps)
        misfits = [buffer for buffer in order if not placed.add_tightest(buffer, capacity)]
        if not misfits:
            return placed.addresses
        for buffer in misfits:
            _move_up(order, buffer, passed)
    return None


def _move_up(order: list[NarrowBuffer], buffer: NarrowBuffer, passed: set[tuple[str, str]]) -> None:
    """Right in front of the first buffer of the order that is alive at the same time, out of those
    that it was not moved in front of in earlier rounds; without such, to the very front.
    `passed`: (moved, the one it was moved in front of)."""
    place = order.index(buffer)
    target = 0
    for number, other in enumerate(order[:place]):
        together = buffer.first <= other.last and other.first <= buffer.last
        if together and (buffer.name, other.name) not in passed:
            passed.add((buffer.name, other.name))
            target = number
            break
    order.insert(target, order.pop(place))


def _by_area(buffer: NarrowBuffer) -> tuple[float, int, int, int]:
    area = buffer.words * (buffer.last - buffer.first + 1)
    return buffer.rank, -area, buffer.first, -buffer.words
