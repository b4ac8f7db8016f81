from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.emulator.counters import admitted, wrapped
from compiler.emulator.streams import MAX_ITEMS, AddressStream, loop_stream
from compiler.errors import EmulationError
from compiler.lowering.program import Flag, Nest, Tail, Wait

LEVELS = 4


def walk(nest: Nest) -> list[tuple[tuple[int, ...], int]]:
    """(loop indices, address) of every item, as the chip's adders step."""
    counts = [count for count, _ in nest.levels] + [1] * (LEVELS - len(nest.levels))
    strides = [stride for _, stride in nest.levels] + [0] * (LEVELS - len(nest.levels))
    found = []

    def loop(level, indices, address):
        if level < 0:
            found.append((tuple(reversed(indices)), address))
            return
        count = counts[level]
        tail = nest.tail
        if tail and tail.level and level == 0 and last_of_tail(indices):
            count = tail.count
        for i in range(count):
            loop(level - 1, [*indices, i], address + i * strides[level])

    def last_of_tail(indices):
        # indices run from the outermost level downwards
        outer = LEVELS - 1 - nest.tail.level
        return indices[outer] == counts[nest.tail.level] - 1

    loop(LEVELS - 1, [], nest.base)
    return found


nests = st.builds(
    lambda base, levels: Nest(base, tuple(levels)),
    st.integers(0, 50),
    st.lists(st.tuples(st.integers(1, 5), st.integers(-3, 9)), min_size=1, max_size=LEVELS),
)


@given(nests)
@settings(derandomize=True, deadline=None)
def test_addresses_follow_the_loops(nest):
    stream = AddressStream(nest, LEVELS)
    assert stream.addresses().tolist() == [address for _, address in walk(nest)]


@given(nests, st.integers(1, 4), st.integers(1, 6))
@settings(derandomize=True, deadline=None)
def test_tail_shortens_or_lengthens_the_innermost_loop(nest, level, count):
    regular, stride = nest.levels[0]
    tailed = Nest(nest.base, nest.levels, tail=Tail(count, level % 3 + 1, 10_000_000))
    if (regular - count) * stride == 10_000_000:
        return
    stream = AddressStream(tailed, LEVELS)
    items = walk(tailed)
    assert stream.addresses().tolist() == [address for _, address in items]
    assert stream.total == len(items)


@given(nests, st.integers(0, LEVELS))
@settings(derandomize=True, deadline=None)
def test_blocks(nest, level):
    stream = AddressStream(nest, LEVELS)
    blocks = [indices[level:] for indices, _ in walk(nest)]
    firsts = [i for i, block in enumerate(blocks) if not i or block != blocks[i - 1]]
    assert stream.starts(level).tolist() == [*firsts, stream.total]
    assert stream.blocks(level) == len(firsts)
    for done in range(stream.total + 1):
        complete = sum(end <= done for end in [*firsts[1:], stream.total])
        assert stream.finished(level, done) == complete


def test_double_buffer_alternates():
    stream = AddressStream(Nest(8, ((2, 1), (4, 2)), 3, 1, 100), 4)
    assert stream.addresses().tolist() == [8, 9, 110, 111, 12, 13, 114, 115]


def test_tail_of_a_middle_loop():
    # (3 - 2) * 4 = 4: the correction belongs to loop 1.
    stream = AddressStream(Nest(0, ((4, 1), (3, 4), (2, 12)), tail=Tail(2, 2, 4)), 4)
    assert stream.total == 12 + 8


def test_absent_stream():
    assert not AddressStream(Nest(), 4).present
    assert AddressStream(Nest(levels=((1, 4),)), 4).present


def test_too_long():
    with pytest.raises(EmulationError, match="too long"):
        AddressStream(Nest(levels=((MAX_ITEMS, 1), (2, 1))), 4)


def test_out_of_range():
    with pytest.raises(EmulationError, match="outside the narrow memory"):
        AddressStream(Nest(60, ((10, 1),)), 4).check("narrow memory", 64)


def test_loops_with_tail():
    assert loop_stream((4, 3), (2, 1)).total == 10


@given(
    st.lists(st.integers(1, 4), min_size=1, max_size=3),
    st.builds(Wait, st.just(Flag.AVDATA), st.integers(0, 3), st.integers(-3, 6), st.integers(0, 3)),
    st.integers(0, 12),
    st.integers(0, 64),
)
@settings(derandomize=True, deadline=None, max_examples=200)
def test_admitted_is_the_last_item_whose_blocks_may_start(trips, wait, value, done):
    stream = loop_stream(trips, None)
    done = min(done, stream.total)
    limit = admitted(wait, stream, value, done)
    expected = done
    while expected < stream.total:
        starts = stream.starts(wait.level).tolist()
        if expected in starts:
            block = starts.index(expected)
            if value < wait.threshold + block * wait.increment:
                break
        expected += 1
    assert max(limit, done) == expected


def test_counters_wrap():
    stream = loop_stream((4,), None)
    assert admitted(Wait(Flag.AVDATA, 0, 32767 + 2 - 65536), stream, 32769, 0) == 1
    assert wrapped(0x8000) == -0x8000
