"""The driver and the map families: steps, buffers, refusals."""

from __future__ import annotations

import pytest

from compiler.frontend.graph import Graph
from compiler.frontend.tflite_reader import read_model_bytes
from compiler.planning.convolution import ConvolutionStep
from compiler.planning.image import ImageInputStep
from compiler.planning.map_layout import MapLayout
from compiler.planning.map_output import MapOutputStep
from compiler.planning.plan import NARROW_WORDS, WIDE_LINES
from compiler.planning.planner import Region, plan_region
from compiler.planning.refusal import Refusal
from compiler.planning.tiling import GRID
from tests.model_builder import ModelBuilder


def graph_of(builder: ModelBuilder) -> Graph:
    return read_model_bytes(builder.build(), "test")


def picture(height: int = 16, width: int = 16, channels: int = 4, **more) -> ModelBuilder:
    return ModelBuilder(seed=1, **more).input("x", (1, height, width, channels))


def convolutions(plan) -> list[ConvolutionStep]:
    return [step for step in plan.steps if isinstance(step, ConvolutionStep)]


def test_a_chain_is_input_layers_output():
    plan = plan_region(graph_of(picture().conv2d(8, 3).depthwise_conv2d(3).conv2d(16, 1)))
    kinds = [type(step) for step in plan.steps]
    assert kinds == [ImageInputStep, *[ConvolutionStep] * 3, MapOutputStep]
    assert [step.depthwise for step in convolutions(plan)] == [False, True, False]
    assert [step.packed for step in convolutions(plan)] == [False, True, False]


def test_the_producer_writes_into_its_readers_map():
    plan = plan_region(graph_of(picture().conv2d(8, 1).conv2d(8, 3)))
    first, second = convolutions(plan)
    assert first.output is second.input
    assert first.output.has_halo
    assert first.output_buffer == second.input_buffer
    (one_class,) = first.classes
    # An 4x4 part inside a 6x6 map of two words a pixel.
    assert (one_class.output_offset, one_class.output_row) == ((6 + 1) * 2, 6 * 2)


def test_the_halo_of_a_shared_tensor_is_exchanged_once():
    builder = picture().conv2d(8, 1)
    trunk = builder.last
    builder.conv2d(8, 3, source=trunk)
    left = builder.last
    builder.conv2d(8, 5, source=trunk).output(left, builder.last)
    steps = convolutions(plan_region(graph_of(builder)))
    exchanged = [bool(step.exchange) for step in steps]
    assert exchanged.count(True) == 1
    readers = [step for step in steps if step.input_buffer == steps[0].output_buffer]
    assert readers[0].exchange
    assert readers[0].input.columns.held[0] == (-2, 6)


def test_a_pad_is_taken_as_padding():
    padded = picture().pad([(0, 0), (1, 1), (1, 1), (0, 0)]).conv2d(8, 3, padding="valid")
    (step,) = convolutions(plan_region(graph_of(padded)))
    assert (step.window.rows.before, step.window.columns.before) == (1, 1)
    assert step.ops == (1,)


def test_outputs_leave_right_behind_their_operator():
    builder = picture().conv2d(8, 1)
    trunk = builder.last
    first = builder.conv2d(8, 3).last
    builder.conv2d(8, 3, source=trunk).output(first, builder.last)
    kinds = [type(step).__name__ for step in plan_region(graph_of(builder)).steps]
    layers = ["ConvolutionStep", "MapOutputStep"] * 2
    assert kinds == ["ImageInputStep", "ConvolutionStep", *layers]


def test_outputs_that_are_read_on_the_chip_leave_behind_their_reader_and_its_output():
    builder = picture().conv2d(8, 1)
    first = builder.last
    builder.conv2d(8, 3).output(first, builder.last)
    plan = plan_region(graph_of(builder))
    kinds = [type(step).__name__ for step in plan.steps]
    assert kinds == ["ImageInputStep", *["ConvolutionStep"] * 2, *["MapOutputStep"] * 2]
    assert [step.border for step in plan.steps[3:]] == [builder.last.index, first.index]


def test_lifetimes_follow_the_readers():
    builder = picture().conv2d(8, 1)
    trunk = builder.last
    builder.conv2d(8, 3, source=trunk)
    left = builder.last
    builder.conv2d(8, 3, source=trunk).output(left, builder.last)
    plan = plan_region(graph_of(builder))
    steps = convolutions(plan)
    trunk_buffer = next(b for b in plan.buffers if b.name == steps[0].output_buffer)
    last_reader = max(
        number
        for number, step in enumerate(plan.steps)
        if isinstance(step, ConvolutionStep) and step.input_buffer == trunk_buffer.name
    )
    assert trunk_buffer.last == last_reader


def test_the_plan_prints_its_memory_map():
    plan = plan_region(graph_of(picture().conv2d(8, 3)))
    text = plan.text()
    assert f"capacity {plan.capacity} of {WIDE_LINES}" in text
    assert "ConvolutionStep #0" in text
    assert all(buffer.name in text for buffer in plan.buffers)


def test_every_tile_with_outputs_is_in_one_class():
    plan = plan_region(graph_of(picture(11, 12).conv2d(8, 3, stride=2)))
    (step,) = convolutions(plan)
    assert isinstance(step.output, MapLayout)
    busy = [tile for tile in range(GRID * GRID) if all(step.output.own_size(tile))]
    assert step.tiles == sum(1 << tile for tile in busy)
    assert sum(tile_class.tiles.bit_count() for tile_class in step.classes) == len(busy)


@pytest.mark.parametrize(
    ("builder", "message"),
    [
        (picture(8, 8, 66).conv2d(8, 3), "channels of an input picture"),
    ],
)
def test_refusals(builder, message):
    with pytest.raises(Refusal, match=message):
        plan_region(graph_of(builder))


def test_a_map_that_does_not_fit_names_its_operator():
    with pytest.raises(Refusal, match="narrow memory") as refused:
        plan_region(graph_of(picture(32, 32, 32).conv2d(32, 3)), narrow_words=50)
    assert refused.value.op == 0


def test_a_region_ends_where_it_is_told():
    graph = graph_of(picture().conv2d(8, 3).conv2d(16, 3))
    middle = graph.operators[0].outputs
    plan = plan_region(graph, Region((0,), graph.inputs, middle))
    assert plan.steps[-1].input_buffer == f"tensor {middle[0]}"
    assert all(buffer.words <= NARROW_WORDS for buffer in plan.buffers)


def test_planning_is_deterministic():
    graph = graph_of(picture().conv2d(8, 3).depthwise_conv2d(3).conv2d(16, 1))
    assert plan_region(graph).text() == plan_region(graph).text()


@pytest.mark.parametrize(("width", "rows"), [(4, 1), (6, 2), (5, 4)])
def test_a_picture_slot_holds_rows_of_whole_words(width, rows):
    (step, *_) = plan_region(graph_of(picture(9, width, 3).conv2d(8, 3))).steps
    assert isinstance(step, ImageInputStep)
    assert step.group_rows == rows
    assert step.group_words * 4 == rows * width * 3
