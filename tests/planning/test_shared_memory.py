"""Programs that share the wide memory: selection, placement, order of models."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.planning.order_search import EXHAUSTIVE, optimize_order
from compiler.planning.parameter_placement import total_lines
from compiler.planning.plan import TILES, WIDE_LINES, Plan, Segment, Step
from compiler.planning.shared_memory import (
    cached_lines,
    select,
    share,
    shared_capacity,
    streamed_lines,
)
from compiler.release import RELEASE_15
from tests.classifier_shapes import (
    VENDOR_CAPACITY,
    VENDOR_ORDER,
    VENDOR_STREAMED_BYTES,
    mobilenet,
)

STABLE = settings(derandomize=True, deadline=None, max_examples=60)


def layer(lines, op=0, kind="convolution", **more):
    return Segment(op, kind, bytes(256 * lines), 64, **more)


def plan(*segments, capacity=WIDE_LINES):
    layers = tuple(replace(segment, op=op) for op, segment in enumerate(segments))
    return Plan(RELEASE_15, (Step(lowest_line=capacity),), (), {}, layers)


layers_strategy = st.lists(
    st.builds(
        lambda kind, lines, blocks: layer(
            lines * blocks, kind=kind, blocks=blocks if kind == "fully_connected" else 1
        ),
        st.sampled_from(["convolution", "depthwise", "fully_connected"]),
        st.integers(1, 70),
        st.integers(1, 17),
    ),
    max_size=12,
)
plans_strategy = st.lists(
    st.builds(
        lambda layers, room: plan(*layers, capacity=room), layers_strategy, st.integers(1, 200)
    ),
    min_size=1,
    max_size=4,
)


@STABLE
@given(plans_strategy, st.booleans())
def test_shared_plans_are_disjoint_and_complete(plans, by_order):
    shared = share(plans, by_order=by_order)
    capacity = shared_capacity(plans)
    assert capacity == min(p.capacity for p in plans)
    taken = set()
    for before, after in zip(plans, shared, strict=True):
        assert before.segments == after.segments
        for segment, pieces in zip(after.segments, after.placement, strict=True):
            assert sum(piece.lines for piece in pieces) in (0, total_lines(segment))
            lines = {(p.tile, p.address + i) for p in pieces for i in range(p.lines)}
            assert not lines & taken
            assert all(line < capacity for _, line in lines)
            taken |= lines
        total = sum(map(total_lines, after.segments))
        assert cached_lines(after) + streamed_lines(after) == total
    assert len(taken) <= TILES * capacity


@STABLE
@given(plans_strategy)
def test_more_room_never_caches_less_of_the_first_model(plans):
    alone = share([replace(plans[0], steps=(Step(lowest_line=shared_capacity(plans)),))])[0]
    first = share(plans, by_order=True)[0]
    assert cached_lines(first) == cached_lines(alone)


@STABLE
@given(plans_strategy)
def test_one_program_alone_is_the_same_with_and_without_priority(plans):
    one = plans[:1]
    assert share(one)[0].placement == share(one, by_order=True)[0].placement


def test_all_layers_compete():
    big, small = plan(layer(100), layer(10)), plan(layer(60), layer(20, kind="depthwise"))
    models = [replace(p, steps=(Step(lowest_line=10),)) for p in (small, big)]
    assert select(models).cached == (1, 2, 3)  # 20 packed, 100 of the second, 10: 60 is streamed
    assert select(models, by_order=True).cached == (0, 1, 3)
    assert share([]) == []


# -- a set of the vendor: four classifiers compiled together ----------------------------------


def test_the_vendors_choice_for_four_classifiers():
    """Every wide line is used, and the streamed bytes are those of the vendor's files."""
    shared = share([mobilenet(width) for width in VENDOR_ORDER])
    assert sum(map(cached_lines, shared)) == TILES * VENDOR_CAPACITY
    for width, result in zip(VENDOR_ORDER, shared, strict=True):
        streamed = [
            segment
            for segment, pieces in zip(result.segments, result.placement, strict=True)
            if not pieces
        ]
        assert not any(segment.kind == "depthwise" for segment in streamed)
        if width in VENDOR_STREAMED_BYTES:
            total = sum(len(segment.data) for segment in streamed)
            assert total == VENDOR_STREAMED_BYTES[width]


# -- order of models --------------------------------------------------------------------------


def busy(lines, capacity=10):
    return [plan(layer(lines), capacity=capacity)]


def test_the_model_that_runs_most_comes_first():
    models = [busy(150), busy(140), busy(20)]
    assert optimize_order(models, [1, 5, 1]).order == (1, 0, 2)  # equal to 1, 2, 0
    choice = optimize_order(models, [9, 1, 1])
    assert choice.order[0] == 0
    assert choice.streamed == (0, 140, 20)
    assert choice.cost == 160
    assert choice.tried == 6
    assert optimize_order(models).order[0] != 0


@STABLE
@given(st.lists(st.integers(1, 120), min_size=1, max_size=5), st.data())
def test_the_exhaustive_search_finds_the_best_order(sizes, data):
    weights = data.draw(st.lists(st.integers(0, 9), min_size=len(sizes), max_size=len(sizes)))
    models = [busy(size) for size in sizes]
    choice = optimize_order(models, weights)
    best = min(
        sum(
            weights[number] * streamed_lines(result)
            for number, result in zip(
                order, share([models[n][0] for n in order], by_order=True), strict=True
            )
        )
        for order in itertools.permutations(range(len(sizes)))
    )
    assert choice.cost == best


def test_many_models_are_searched_step_by_step():
    sizes = [90, 10, 60, 30, 80, 20, 70, 40]
    assert len(sizes) > EXHAUSTIVE
    models = [busy(size) for size in sizes]
    choice = optimize_order(models, [1.0] * len(sizes))
    assert sorted(choice.order) == list(range(len(sizes)))
    given_order = sum(map(streamed_lines, share([m[0] for m in models], by_order=True)))
    assert choice.cost <= given_order
    assert choice.cost == pytest.approx(sum(choice.streamed))
    assert optimize_order(models, [1.0] * len(sizes)) == choice
