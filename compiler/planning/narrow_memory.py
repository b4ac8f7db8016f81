"""Narrow-memory allocator: a word address for every buffer, from lifetimes and sizes alone.

Buffers are placed one after the other, each at the lowest address where it meets no placed
buffer that lives at the same time; `narrow_order` says which comes next. If that does not fit,
other orders are tried. Facts: docs/format/memory.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from .narrow_order import PlacedBuffers, live_words, place_lowest_first
from .narrow_repair import place_by_area
from .plan import NARROW_WORDS, NarrowBuffer
from .refusal import NoRoom

IMPROVEMENTS = 100
"""Attempts to improve an order that does not fit."""


class NarrowOverflow(NoRoom):
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
    wanted = tuple(buffers)
    first: dict[str, int] | None = None
    for addresses in _attempts(wanted, capacity):
        if all(addresses[buffer.name] + buffer.words <= capacity for buffer in wanted):
            return addresses
        first = first or addresses
    assert first is not None
    raise _overflow(wanted, first, operators, capacity)


def _attempts(buffers: Sequence[NarrowBuffer], capacity: int) -> Iterator[dict[str, int]]:
    """Addresses in the usual order, then by area, in others, and in improved ones."""
    yield place_lowest_first(buffers)
    repaired = place_by_area(buffers, capacity)
    if repaired is not None:
        yield repaired
    for order in _orders(buffers):
        yield _place(sorted(buffers, key=order))
    for order in (_by_size, _by_age):
        yield from _improved(sorted(buffers, key=order))


def _improved(order: list[NarrowBuffer]) -> Iterator[dict[str, int]]:
    """Again and again, the first of the buffers that reach highest comes first of all."""
    steps = 1 + max((buffer.last for buffer in order), default=0)
    for _ in range(IMPROVEMENTS):
        placed = PlacedBuffers(steps)
        ends = [placed.add(buffer) + buffer.words for buffer in order]
        yield placed.addresses
        order.insert(0, order.pop(ends.index(max(ends))))


def _overflow(
    buffers: Sequence[NarrowBuffer],
    addresses: dict[str, int],
    operators: Sequence[int | None],
    capacity: int,
) -> NarrowOverflow:
    """The refusal for the first buffer, in the usual order, that does not fit."""
    wanted = sorted(buffers, key=_by_size)
    buffer = next(b for b in wanted if addresses[b.name] + b.words > capacity)
    end = addresses[buffer.name] + buffer.words
    alive = operators[buffer.first : buffer.last + 1]
    return NarrowOverflow(
        buffer.first,
        end,
        next((op for op in alive if op is not None), None),
        f"the maps alive in step {buffer.first} do not fit into a tile's narrow memory",
        actual=f"{end} words",
        allowed=f"at most {capacity}",
    )


Key = tuple[float, ...]


def _by_size(buffer: NarrowBuffer) -> Key:
    return buffer.rank, -buffer.words, buffer.first


def _by_age(buffer: NarrowBuffer) -> Key:
    return buffer.rank, buffer.first, -buffer.words


def _orders(buffers: Sequence[NarrowBuffer]) -> Iterator[Callable[[NarrowBuffer], Key]]:
    """Sort keys to try. Size alone gives chains their best place; buffers that outlive it may
    want the widest steps, the longest lives or the largest areas first."""
    yield _by_size
    live = live_words(buffers)
    widest = {b.name: max(live[b.first : b.last + 1]) for b in buffers}

    def by_breadth(buffer: NarrowBuffer) -> Key:
        return buffer.rank, -widest[buffer.name], -buffer.words, buffer.first

    def by_life(buffer: NarrowBuffer) -> Key:
        return buffer.rank, buffer.first - buffer.last, -buffer.words, buffer.first

    def by_area(buffer: NarrowBuffer) -> Key:
        life = buffer.last - buffer.first + 1
        return buffer.rank, -buffer.words * life, buffer.first

    yield from (by_breadth, by_life, by_area, _by_age)


def _place(buffers: Iterable[NarrowBuffer]) -> dict[str, int]:
    """Every buffer at the lowest place that is free, in the order given."""
    placed: list[tuple[int, int, NarrowBuffer]] = []
    addresses: dict[str, int] = {}
    for buffer in buffers:
        start = _lowest_gap(placed, buffer)
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
