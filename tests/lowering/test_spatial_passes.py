"""Models whose maps do not fit compute the same in parts."""

from __future__ import annotations

import pytest

from compiler.planning.convolution import ConvolutionStep
from compiler.planning.image import ImageInputStep
from compiler.planning.map_output import MapOutputStep
from compiler.planning.pass_steps import CollectStep, ParkStep, PassInputStep
from compiler.planning.refusal import Refusal
from tests.spatial_pass_models import MODELS, picture
from tests.spatial_passes import run_in_passes


@pytest.mark.parametrize("name", MODELS)
def test_parts_compute_the_whole(name: str) -> None:
    builder, words = MODELS[name]
    run = run_in_passes(builder.build(), words)
    assert run.differing == 0
    assert run.count(PassInputStep) > 1


@pytest.mark.parametrize(
    "name", ["deep", "on chip", "pools", "gated", "by value", "residual", "branches", "dense"]
)
def test_no_hazards(name: str) -> None:
    builder, words = MODELS[name]
    run = run_in_passes(builder.build(), words, concurrent=True)
    assert run.differing == 0
    assert run.hazards == []


def test_a_picture_is_parked_for_the_passes_behind_the_first() -> None:
    builder, words = MODELS["one layer"]
    run = run_in_passes(builder.build(), words)
    passes, parts = run.count(ConvolutionStep), run.count(ImageInputStep)
    assert run.count(ParkStep) == run.count(PassInputStep) == passes
    assert run.count(CollectStep) == parts


def test_results_without_readers_leave_in_parts() -> None:
    builder, words = MODELS["large result"]
    run = run_in_passes(builder.build(), words)
    assert run.count(MapOutputStep) == run.count(ImageInputStep) > 1
    assert set(run.plan.output_parts.values()) == {run.count(MapOutputStep)}


def test_whole_rows_that_fill_the_memory_are_cut_in_rows() -> None:
    """Where few rows of the picture fit, more than four columns would make nothing smaller."""
    run = run_in_passes(picture(96, 96, 16).conv2d(16, 3).build(), 1000)
    assert run.differing == 0
    parts = run.count(ImageInputStep)
    assert parts > 4
    assert run.count(ConvolutionStep) == 4 * parts


@pytest.mark.parametrize("kernel", [3, 4])
def test_pixels_that_a_stride_leaves_out(kernel: int) -> None:
    """Passes along one axis only: the other one stays cut as it was."""
    for height, width in ((30, 22), (22, 30), (30, 30)):
        builder = picture(height, width, 4).conv2d(1, 3).conv2d(24, 1, stride=2)
        run = run_in_passes(builder.conv2d(24, kernel).build(), 400 if height == width else 320)
        assert run.differing == 0


def test_operators_that_cannot_be_cut_out_are_refused() -> None:
    model = picture(26, 21, 4).conv2d(24, 1)
    wide = model.last
    model = model.add(wide, model.input("y", (1, 26, 21, 4)).conv2d(24, 3).last).conv2d(8, 1)
    with pytest.raises(Refusal):
        run_in_passes(model.build(), 400)
