"""How many passes a run gets, and how few plans that takes."""

from __future__ import annotations

import pytest

from compiler import driver
from compiler.frontend.graph import Graph
from compiler.frontend.tflite_reader import read_model_bytes
from compiler.options import CompileOptions
from compiler.planning import pass_runs
from compiler.planning.pass_overflow import Overflow, overflows
from compiler.planning.plan import NarrowBuffer, Plan
from compiler.planning.planner import Region
from compiler.planning.refusal import NoRoom
from compiler.release import Release
from tests.spatial_pass_models import MODELS, block, picture
from tests.spatial_passes import run_in_passes, small_plan


def test_overfull_steps_are_found_from_a_step_on():
    buffers = [NarrowBuffer("a", 6, 0, 3), NarrowBuffer("b", 5, 1, 1), NarrowBuffer("c", 7, 3, 4)]
    assert overflows(buffers, 5, 10) == [Overflow(1, 11), Overflow(3, 13)]
    assert overflows(buffers, 5, 10, begin=2) == [Overflow(3, 13)]
    assert overflows(buffers, 5, 13) == []


@pytest.mark.parametrize("name", ["one layer", "odd rows", "deep", "on chip", "pools", "residual"])
def test_the_estimate_leaves_out_only_what_does_not_fit(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    builder, words = MODELS[name]
    graph = read_model_bytes(builder.build(), "test")
    chosen = small_plan(graph, words).text()
    monkeypatch.setattr(pass_runs, "least_words", lambda *_, **__: 0)
    monkeypatch.setattr(pass_runs, "SINGLE_STEPS", 1000)
    assert small_plan(graph, words).text() == chosen


def test_a_long_run_of_residual_blocks_gets_many_passes() -> None:
    model = picture(40, 40, 4).conv2d(32, 3)
    for _ in range(4):
        block(model, 32)
    run = run_in_passes(block(model, 8, stride=2).build(), 700)
    assert run.differing == 0
    assert max(run.plan.passes.values()) > 16


def test_refusals_for_want_of_room_cost_more_operators_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = picture(16, 16, 4)
    for _ in range(150):
        model.conv2d(4, 1)
    graph = read_model_bytes(model.build(), "test")
    plans = []

    def plan_region(_graph: Graph, region: Region, _release: Release) -> Plan:
        plans.append(region)
        raise NoRoom(region.operators[-1], "no room")

    monkeypatch.setattr(driver, "plan_region", plan_region)
    planned = driver.plan_model(graph, CompileOptions())
    assert planned.plans == ()
    assert len(plans) <= driver.SINGLE_REFUSALS + 8
