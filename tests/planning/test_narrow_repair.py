"""Narrow addresses by area, in rounds."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.planning.narrow_repair import place_by_area
from compiler.planning.plan import NarrowBuffer

STABLE = settings(derandomize=True, deadline=None, max_examples=100)
CAPACITY = 100


@st.composite
def buffers(draw):
    made = []
    for number in range(draw(st.integers(1, 14))):
        first = draw(st.integers(0, 6))
        last = first + draw(st.integers(0, 4))
        words = draw(st.integers(1, 40))
        early = draw(st.integers(0, words - 1)) if draw(st.booleans()) else 0
        made.append(NarrowBuffer(f"b{number}", words, first, last, 0, early))
    return made


@STABLE
@given(buffers())
def test_nothing_overlaps_and_all_end_below_the_capacity(wanted):
    addresses = place_by_area(wanted, CAPACITY)
    if addresses is None:
        return
    for number, a in enumerate(wanted):
        assert 0 <= addresses[a.name] <= CAPACITY - a.words
        for b in wanted[number + 1 :]:
            if a.first <= b.last and b.first <= a.last:
                low, high = sorted((a, b), key=lambda buffer: addresses[buffer.name])
                assert addresses[low.name] + low.room(high) <= addresses[high.name]


def test_the_largest_area_lies_lowest_and_others_in_the_shortest_gap():
    wanted = [
        NarrowBuffer("long", 20, 0, 9),
        NarrowBuffer("early", 60, 0, 1),
        NarrowBuffer("late", 15, 1, 2),
        NarrowBuffer("small", 5, 2, 2),
    ]
    addresses = place_by_area(wanted, CAPACITY)
    assert addresses == {"long": 0, "early": 20, "late": 80, "small": 95}


def test_what_finds_no_gap_moves_up():
    wanted = [
        NarrowBuffer("left", 20, 1, 3),
        NarrowBuffer("right", 20, 1, 3),
        NarrowBuffer("long", 30, 2, 5),
        NarrowBuffer("longer", 20, 2, 5),
        NarrowBuffer("early", 40, 0, 1),
    ]
    addresses = place_by_area(wanted, 90)
    assert addresses is not None
    assert max(addresses[buffer.name] + buffer.words for buffer in wanted) == 90
    assert place_by_area(wanted, 89) is None
