"""libc++'s std::sort and std::priority_queue."""

from __future__ import annotations

import functools
import operator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.planning.libcxx import PriorityQueue, std_sort

STABLE = settings(derandomize=True, deadline=None, max_examples=150)


def by_key(a, b):
    return a[0] < b[0]


@STABLE
@given(st.lists(st.integers(0, 9), max_size=150), st.sampled_from([6, 30]))
def test_sort_orders_and_keeps_every_element(keys, small_sort):
    items = list(zip(keys, range(len(keys)), strict=True))
    result = std_sort(items, by_key, small_sort)
    assert [key for key, _ in result] == sorted(keys)
    assert sorted(result) == sorted(items)


@STABLE
@given(st.lists(st.integers(0, 3), max_size=30))
def test_sorted_input_of_up_to_thirty_elements_stays_as_it_is(keys):
    items = list(zip(sorted(keys), range(len(keys)), strict=True))
    assert std_sort(items, by_key, 30) == items


@pytest.mark.parametrize("length", [999, 1000, 1001, 3000])
@pytest.mark.parametrize("shape", ["rising", "falling", "equal", "saw"])
def test_long_lists(length, shape):
    keys = {
        "rising": list(range(length)),
        "falling": list(range(length, 0, -1)),
        "equal": [1] * length,
        "saw": [i % 7 for i in range(length)],
    }[shape]
    assert std_sort(keys, operator.lt, 6) == sorted(keys)


GOLDEN_SIX = [0, 9, 6, 3, 4, 10, 1, 7, 8, 2, 5, 11]
GOLDEN_TWO = [
    *(0, 30, 2, 28, 4, 26, 6, 24, 8, 22, 10, 20, 12, 18, 14, 16),
    *(15, 17, 13, 19, 11, 21, 9, 23, 7, 25, 5, 27, 3, 29, 1, 31),
]


def test_golden_order_of_ties():
    """Where equal keys end up. That the vendor's compiler sorts like this is shown by the
    placements of its files (test_parameter_placement.py)."""
    items = [(i % 3, i) for i in range(12)]
    assert [i for _, i in std_sort(items, by_key, 30)] == [0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11]
    assert [i for _, i in std_sort(items, by_key, 6)] == GOLDEN_SIX
    equal = [(0, i) for i in range(40)]
    assert [i for _, i in std_sort(equal, by_key, 30)] == list(range(40))
    two = [(i % 2, i) for i in range(32)]
    assert [i for _, i in std_sort(two, by_key, 30)] == GOLDEN_TWO


def test_empty_tiles_come_out_in_heap_order():
    queue = PriorityQueue([(0, tile) for tile in range(16)], lambda a, b: a[0] > b[0])
    order = []
    for _ in range(16):
        load, tile = queue.pop()
        order.append(tile)
        queue.push((load + 393, tile))
    assert order == [0, 1, 3, 7, 15, 8, 4, 9, 10, 2, 5, 11, 12, 6, 13, 14]


@STABLE
@given(st.lists(st.one_of(st.none(), st.integers(0, 5)), max_size=80))
def test_the_queue_always_gives_the_largest(steps):
    queue: PriorityQueue[int] = PriorityQueue([], operator.lt)
    held: list[int] = []
    for step in steps:
        if step is not None:
            queue.push(step)
            held.append(step)
        elif held:
            assert queue.top == max(held)
            held.remove(queue.pop())
    assert sorted(held) == sorted(queue.heap)
    assert len(queue) == len(held)


def test_the_comparator_is_all_that_counts():
    shout = functools.partial(lambda a, b: a.lower() < b.lower())
    assert std_sort(["b", "A", "c"], shout) == ["A", "b", "c"]
