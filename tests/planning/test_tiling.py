"""The split over the tiles, windows and padding."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.planning.tiling import (
    Window,
    length,
    overlap,
    same_padding,
    split,
    tiles_mask,
    tiles_of,
    union_needs,
)

STABLE = settings(derandomize=True, deadline=None, max_examples=100)


@pytest.mark.parametrize(
    ("size", "sizes"),
    [
        (10, [3, 2, 3, 2]),
        (33, [9, 8, 8, 8]),
        (2, [1, 0, 1, 0]),
        (5, [2, 1, 1, 1]),
        (1, [1, 0, 0, 0]),
    ],
)
def test_split_of_known_sizes(size, sizes):
    assert [length(part) for part in split(0, size)] == sizes


@STABLE
@given(st.integers(-5, 50), st.integers(0, 300))
def test_split_covers_its_range_without_gaps(low, size):
    parts = split(low, low + size)
    assert parts[0][0] == low
    assert parts[-1][1] == low + size
    assert all(a[1] == b[0] for a, b in itertools.pairwise(parts))
    assert max(map(length, parts)) - min(map(length, parts)) <= 1
    assert length(parts[0]) == max(map(length, parts))


@STABLE
@given(
    st.integers(1, 40),
    st.integers(1, 7),
    st.integers(1, 3),
    st.integers(1, 3),
)
def test_same_padding_centres_the_window(size, kernel, stride, dilation):
    outputs = -(-size // stride)
    before = same_padding(size, outputs, kernel, stride, dilation)
    window = Window(kernel, stride, dilation, before)
    first, end = window.reads((0, outputs))
    after = max(end - size, 0)
    assert first == -before
    assert after - before in (0, 1) or before == after == 0


def test_window_reads_dilated_taps():
    window = Window(kernel=3, stride=2, dilation=2, before=1)
    assert window.extent == 5
    assert window.reads((1, 3)) == (1, 8)
    assert window.need(((0, 2), (2, 2))) == ((-1, 6), None)


def test_union_of_needs_keeps_idle_tiles_idle():
    assert union_needs([((0, 3), None), ((-1, 2), None)]) == ((-1, 3), None, None, None)
    assert union_needs([]) == (None,) * 4


def test_overlap_may_be_empty():
    assert overlap((0, 4), (2, 6)) == (2, 4)
    assert length(overlap((0, 2), (3, 5))) == 0


def test_masks_round_trip():
    assert tiles_of(tiles_mask([0, 5, 15])) == [0, 5, 15]
