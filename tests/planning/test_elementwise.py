"""Sums and other operators on maps: weights, buffers, geometry, constants."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.frontend.tflite_reader import read_model_bytes
from compiler.planning.convolution import ConvolutionStep
from compiler.planning.elementwise import LARGEST_WEIGHT, SumStep, best_ratio
from compiler.planning.image import ImageInputStep
from compiler.planning.patches import InteriorCopyStep
from compiler.planning.plan import WIDE_LINES, Plan
from compiler.planning.planner import plan_region
from compiler.planning.pointwise import PointwiseStep, constant_number
from compiler.planning.resize import ResizeStep, first_pixel, phase
from tests.model_builder import ModelBuilder

scales = st.floats(2**-13, 1024, width=32)


def plan_of(builder: ModelBuilder) -> Plan:
    plan = plan_region(read_model_bytes(builder.build(), "model"))
    plan.verify()
    return plan


def steps(plan: Plan, kind: type) -> list:
    return [step for step in plan.steps if type(step) is kind]


def residual(kernel: int = 1, channels: int = 4) -> ModelBuilder:
    """conv -> (conv, skip) -> ADD -> conv."""
    builder = ModelBuilder("int8")
    builder.input("picture", (1, 16, 16, channels)).conv2d(8, 1)
    skip = builder.last
    builder.conv2d(8, kernel)
    builder.add(skip, builder.last)
    return builder.conv2d(4, 1)


@settings(derandomize=True, deadline=None, max_examples=300)
@given(scales, scales)
def test_the_ratio_is_close_and_small(first: float, second: float) -> None:
    value = Fraction(first) / Fraction(second)
    numerator, denominator = best_ratio(value)
    assert 0 <= numerator <= LARGEST_WEIGHT
    assert 0 <= denominator <= LARGEST_WEIGHT
    if 1 / LARGEST_WEIGHT <= value <= LARGEST_WEIGHT:
        error = abs(Fraction(numerator, denominator) - value)
        assert error <= Fraction(1, LARGEST_WEIGHT) * max(value, 1)


def test_equal_scales_have_weight_one() -> None:
    assert best_ratio(Fraction(1)) == (1, 1)
    assert best_ratio(Fraction(3, 2)) == (3, 2)


@settings(derandomize=True, deadline=None, max_examples=200)
@given(st.fractions(Fraction(1, 40), Fraction(40), max_denominator=10_000))
def test_the_ratio_is_the_best_of_all(value: Fraction) -> None:
    limit = 60
    numerator, denominator = best_ratio(value, limit)
    best = min(abs(Fraction(round(value * q), q) - value) for q in range(1, limit + 1))
    assert max(numerator, denominator) <= limit
    if round(value * limit) <= limit:
        assert abs(Fraction(numerator, denominator) - value) == best


def test_a_sum_takes_the_buffer_of_the_operand_that_dies() -> None:
    (step,) = steps(plan_of(residual()), SumStep)
    assert step.output == step.terms[1].buffer
    assert step.output != step.terms[0].buffer


def test_an_operand_with_a_halo_is_copied() -> None:
    plan = plan_of(residual(3, channels=3))
    (copy,) = steps(plan, InteriorCopyStep)
    (step,) = steps(plan, SumStep)
    assert copy.output == step.terms[0].buffer
    assert copy.identity
    assert plan.identity_line < min(other.lowest_line for other in plan.steps)


def three_limits(channels: int) -> ModelBuilder:
    builder = ModelBuilder("uint8").input("picture", (1, 8, 8, channels)).conv2d(8, 1)
    return builder.relu().relu(six=True).conv2d(8, 1).relu()


def test_the_identity_is_made_once() -> None:
    plan = plan_of(three_limits(3))
    made = [step.constants for step in steps(plan, PointwiseStep)]
    assert bool(made[0]) and made[1:] == ["", ""]


def test_a_picture_of_whole_words_makes_it() -> None:
    """It lies in the top line, and the blocks of all steps up to its last use below it."""
    plan = plan_of(three_limits(4))
    (picture,) = steps(plan, ImageInputStep)
    assert picture.identity_buffer == "identity"
    assert [step.constants for step in steps(plan, PointwiseStep)] == ["", "", ""]
    assert plan.identity_line == WIDE_LINES - 1
    convolutions = steps(plan, ConvolutionStep)
    ends = [
        step.blocks.headers + len(step.headers) * step.chunks.slots + 32 for step in convolutions
    ]
    assert ends == [plan.identity_line] * 2


def test_a_picture_alone_keeps_its_own() -> None:
    plan = plan_of(ModelBuilder("uint8").input("picture", (1, 8, 8, 4)).conv2d(8, 1))
    (picture,) = steps(plan, ImageInputStep)
    assert picture.identity_line >= 0
    assert plan.identity_line == WIDE_LINES


def test_a_value_that_is_read_later_keeps_its_buffer() -> None:
    builder = ModelBuilder("int8").input("picture", (1, 8, 8, 4)).conv2d(8, 1)
    first = builder.last
    builder.relu()
    builder.add(first, builder.last)
    (step,) = steps(plan_of(builder), PointwiseStep)
    assert step.input != step.output


@pytest.mark.parametrize(("values", "wanted"), [([5, 5], 1.0), ([5], 1.0), ([5, 6], None)])
def test_a_constant_number(values: list[int], wanted: float | None) -> None:
    builder = ModelBuilder("int8").input("picture", (1, 8, 8, 2))
    array = np.array(values, np.int8)
    number = builder.constant(array, scales=[0.25], zero_points=[1])
    builder.mul(builder.last, number)
    graph = read_model_bytes(builder.build(), "model")
    assert constant_number(graph, graph.operators[0]) == wanted


@pytest.mark.parametrize("size", [4, 5, 6, 7, 12])
def test_a_doubling_reads_the_pixels_around_each_output(size: int) -> None:
    for output in range(2 * size):
        position = Fraction(2 * output + 1, 4) - Fraction(1, 2)
        assert position == first_pixel(output) + Fraction(phase(output), 4)
    builder = ModelBuilder("int8").input("picture", (1, size, size, 4))
    value = builder.last
    builder.op(
        "RESIZE_BILINEAR",
        [value, builder.constant(np.array([2 * size, 2 * size], np.int32))],
        (1, 2 * size, 2 * size, 4),
        output=value.output,
        options={"align_corners": False, "half_pixel_centers": True},
        version=3,
    )
    (step,) = steps(plan_of(builder), ResizeStep)
    assert len({part.phases for part in step.parts}) in (1, 4)
    assert sum(edge.tiles.bit_count() for edge in step.edges) == 16
