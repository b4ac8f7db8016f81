"""Narrow-memory allocation, transient blocks of wide memory, weight chunks."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.planning.narrow_memory import NarrowOverflow, allocate
from compiler.planning.plan import NARROW_WORDS, NarrowBuffer
from compiler.planning.refusal import Refusal
from compiler.planning.weight_chunks import WeightChunks, weight_chunks
from compiler.planning.wide_memory import stack_blocks

STABLE = settings(derandomize=True, deadline=None, max_examples=100)


@st.composite
def buffers(draw):
    made = []
    for number in range(draw(st.integers(1, 25))):
        first = draw(st.integers(0, 8))
        last = first + draw(st.integers(0, 4))
        rank = draw(st.sampled_from([0, 0, 1, 1.5]))
        made.append(NarrowBuffer(f"b{number}", draw(st.integers(1, 1500)), first, last, rank))
    return made


@STABLE
@given(buffers())
def test_buffers_alive_together_do_not_overlap(given_buffers):
    addresses = allocate(given_buffers)
    for i, a in enumerate(given_buffers):
        assert 0 <= addresses[a.name] <= NARROW_WORDS - a.words
        for b in given_buffers[i + 1 :]:
            if a.first <= b.last and b.first <= a.last:
                start_a, start_b = addresses[a.name], addresses[b.name]
                assert start_a + a.words <= start_b or start_b + b.words <= start_a


@STABLE
@given(buffers())
def test_allocation_does_not_depend_on_the_order_of_requests_of_distinct_keys(given_buffers):
    keys = {(b.rank, b.words, b.first) for b in given_buffers}
    if len(keys) == len(given_buffers):
        assert allocate(given_buffers) == allocate(reversed(given_buffers))


def test_larger_buffers_lie_lower():
    chain = [
        NarrowBuffer("small", 10, 0, 1),
        NarrowBuffer("large", 100, 1, 2),
        NarrowBuffer("scratch", 500, 1, 1, rank=1),
    ]
    assert allocate(chain) == {"large": 0, "small": 100, "scratch": 110}


def test_what_does_not_fit_is_refused():
    with pytest.raises(Refusal, match="narrow memory"):
        allocate([NarrowBuffer("huge", NARROW_WORDS + 1, 0, 0)])


def test_another_order_is_found_where_the_usual_one_does_not_fit():
    branches = [
        NarrowBuffer("left", 20, 1, 3),
        NarrowBuffer("right", 20, 1, 3),
        NarrowBuffer("long", 30, 2, 5),
        NarrowBuffer("longer", 20, 2, 5),
        NarrowBuffer("early", 40, 0, 1),
    ]
    tight = allocate(branches, capacity=90)
    assert max(tight[b.name] + b.words for b in branches) == 90
    with pytest.raises(NarrowOverflow, match="narrow memory"):
        allocate(branches, capacity=89)


def test_blocks_stack_from_the_top_largest_first():
    assert stack_blocks(2080, {"partial": 16, "weights": 18, "headers": 16}) == {
        "weights": 2062,
        "partial": 2046,
        "headers": 2030,
    }


def test_blocks_that_do_not_fit_are_refused():
    with pytest.raises(Refusal, match="wide memory"):
        stack_blocks(2080, {"weights": 2081})


@pytest.mark.parametrize(
    ("taps", "words", "headers", "pixels", "expected"),
    [
        (9, 1, 1, 784, WeightChunks(1, 1, 9, False)),  # one word: always resident
        (9, 8, 2, 60, WeightChunks(1, 8, 9, False)),  # 3x3 streams a word at a time
        (1, 16, 1, 196, WeightChunks(16, 1, 16, True)),  # over half the budget: one buffer
        (1, 32, 1, 49, WeightChunks(32, 1, 32, False)),  # 2 * 8 + 49 > 64: stays resident
        (1, 240, 1, 4, WeightChunks(15, 16, 15, False)),
        (1, 240, 2, 4, WeightChunks(12, 20, 12, False)),  # a header vector more
        (9, 8, 2, 126, WeightChunks(1, 8, 9, False)),  # tie, larger kernel: streamed
    ],
)
def test_weight_chunks(taps, words, headers, pixels, expected):
    assert weight_chunks(taps, words, headers, pixels) == expected


@STABLE
@given(st.integers(1, 25), st.integers(1, 300), st.integers(0, 3), st.integers(1, 2000))
def test_chunks_make_up_the_block(taps, words, headers, pixels):
    chunks = weight_chunks(taps, words, headers, pixels)
    assert chunks.input_words * chunks.count == words
    assert chunks.lines == taps * chunks.input_words
    if chunks.count > 1:
        assert chunks.slots == 2
        assert 2 * chunks.lines + pixels <= 2 * taps * words
