"""Narrow-memory allocator: a word address for every buffer, from lifetimes and sizes alone.

Buffers are placed in the order (rank, size descending, first step), each at the lowest address
where it meets no placed buffer that lives at the same time. Facts: docs/format/memory.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .plan import NARROW_WORDS, NarrowBuffer
from .refusal import Refusal


class NarrowOverflow(Refusal):
    """The buffers alive in step `step` have no room; at least `words` words are needed."""

    def __init__(
        self, step: int, words: int, op: int | None, message: str, *, actual: str, allowed: str
    ) -> None:
        super().__init__(op, message, actual=actual, allowed=allowed)
        self.step = step
        self.words = words


def allocate(
    buffers: Iterable[NarrowBuffer],
    operators: Sequence[int | None] = (),
    capacity: int = NARROW_WORDS,
) -> dict[str, int]:
    """Buffer name -> word address; refuses what does not fit into a tile's `capacity` words,
    and names the operator at fault out of `operators` (one for each step)."""
    placed: list[tuple[int, int, NarrowBuffer]] = []
    addresses: dict[str, int] = {}
    for buffer in sorted(buffers, key=lambda b: (b.rank, -b.words, b.first)):
        start = _lowest_gap(placed, buffer)
        if start + buffer.words > capacity:
            alive = operators[buffer.first : buffer.last + 1]
            raise NarrowOverflow(
                buffer.first,
                start + buffer.words,
                next((op for op in alive if op is not None), None),
                f"the maps alive in step {buffer.first} do not fit into a tile's narrow memory",
                actual=f"{start + buffer.words} words",
                allowed=f"at most {capacity}",
            )
        addresses[buffer.name] = start
        placed.append((start, start + buffer.words, buffer))
        placed.sort(key=lambda entry: entry[:2])
    return addresses


def _lowest_gap(
    placed: list[tuple[int, int, NarrowBuffer]], buffer: NarrowBuffer, lowest: int = 0
) -> int:
    """Lowest start, from `lowest` on, of a free run as long as the buffer; `placed` ascends by
    address."""
    start = lowest
    for low, _, other in placed:
        if other.last < buffer.first or buffer.last < other.first:
            continue
        if start + buffer.room(other) <= low:
            if buffer.at_first:
                continue
            break
        start = max(start, low + other.room(buffer))
    if buffer.at_first and start > lowest:
        return _lowest_gap(placed, buffer, start)
    return start
