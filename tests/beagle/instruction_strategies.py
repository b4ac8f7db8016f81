"""Hypothesis strategies: random instructions of every class with values their fields hold,
made from the bit tables."""

from __future__ import annotations

import struct

from hypothesis import strategies as st

from compiler.beagle.fields import layouts
from compiler.beagle.layout import Layout
from compiler.beagle.records import (
    Float,
    Floats,
    Kind,
    Loops,
    LoopTail,
    Number,
    Optional,
    Record,
    Signal,
)
from compiler.beagle.stream_records import Stream, WaitSlot, WaitSlots
from compiler.lowering.program import Instruction, Nest, Tail, Wait

_SIXTEEN = st.integers(-(1 << 15), (1 << 15) - 1)
FLOAT32 = st.floats(width=32, allow_nan=False)


def opcodes() -> list[Layout]:
    """Every opcode with a typed class."""
    return [row for row in layouts().values() if row.instruction is not None]


def instructions(layout: Layout) -> st.SearchStrategy[Instruction]:
    """Instructions of one opcode, in the form the decoder gives."""
    assert layout.instruction is not None
    values = {r.name: _value(r) for r in layout.records if r.bound}
    if layout.selector is not None:
        values[layout.selector[0]] = st.just(layout.selector[1])
    return st.builds(layout.instruction, **values)


def words(layout: Layout) -> st.SearchStrategy[int]:
    """Arbitrary bits with the opcode's own ones right."""
    fixed = [f for f in layout.records if isinstance(f, Number) and f.kind is Kind.FIXED]
    mask = sum(f.mask << f.start for f in fixed)
    constant = sum(f.fixed << f.start for f in fixed)
    return st.binary(min_size=16 * layout.words, max_size=16 * layout.words).map(
        lambda data: int.from_bytes(data, "little") & ~mask | constant
    )


def _value(record: Record) -> st.SearchStrategy:
    if isinstance(record, Number):
        low = 0 if record.kind is Kind.COUNTER else record.low
        high = record.mask if record.kind is Kind.COUNTER else record.high
        return st.integers(low, high)
    if isinstance(record, Float):
        return FLOAT32
    if isinstance(record, Floats):
        numbers = st.lists(FLOAT32, min_size=record.count, max_size=record.count)
        return numbers.map(tuple).filter(lambda v: any(struct.pack(f"<{len(v)}f", *v)))
    if isinstance(record, Stream):
        return nests(record)
    return _synchronisation(record)


def _synchronisation(record: Record) -> st.SearchStrategy:
    if isinstance(record, Signal):
        return st.none() | st.integers(0, (1 << record.level_width) - 1)
    if isinstance(record, Optional):
        return st.none() | st.integers(0, (1 << record.value_width) - 1)
    if isinstance(record, WaitSlot):
        return st.none() | _wait(record)
    if isinstance(record, WaitSlots):
        waits = st.lists(st.none() | _wait(record.slot), max_size=record.count)
        return waits.map(lambda w: _trimmed(tuple(w), None))
    if isinstance(record, LoopTail):
        pair = st.tuples(st.integers(1, 1 << record.count_width), st.integers(0, 7))
        return st.none() | pair.filter(lambda p: p != (1, 0))
    assert isinstance(record, Loops)
    counts = st.lists(st.integers(1, 1 << record.count_width), max_size=record.count)
    return counts.map(lambda c: _trimmed(tuple(c), 1))


def _trimmed(values: tuple, empty: object) -> tuple:
    while values and values[-1] == empty:
        values = values[:-1]
    return values


def _wait(slot: WaitSlot) -> st.SearchStrategy[Wait]:
    return st.builds(
        Wait,
        st.sampled_from(list(slot.flags)),
        st.integers(0, (1 << slot.level_width) - 1),
        _SIXTEEN,
        _SIXTEEN,
        st.booleans() if slot.space else st.just(False),
    )


@st.composite
def nests(draw, record: Stream) -> Nest:
    """Nests whose deltas fit; strides are chosen level by level for that."""
    top = 1 << record.address_width - 1
    levels, walk = [], 0
    for _ in range(draw(st.integers(0, record.levels))):
        count = draw(st.integers(1, 40) | st.integers(1, top))
        stride = draw(st.integers(-top, top - 1)) + walk
        levels.append((count, stride))
        walk += (count - 1) * stride
    while levels and levels[-1][0] == 1 and not levels[-1][1] % (2 * top):
        levels.pop()
    selects = (1 << record.select_width) - 1
    tail = st.builds(
        Tail,
        st.integers(1, top),
        st.integers(0, selects),
        st.integers(-(top >> 1), (top >> 1) - 1),
    )
    return Nest(
        draw(st.integers(0, top - 1)),
        tuple(levels),
        draw(st.integers(0, (1 << record.levels) - 1)),
        draw(st.integers(0, selects)),
        draw(st.integers(0, top - 1)),
        draw(st.none() | tail.filter(lambda t: t != Tail(1, 0, 0))),
    )
