"""Sums with one number, exactly as the reference arithmetic has them on the emulator."""

from __future__ import annotations

import numpy as np
import pytest

from compiler.planning.pointwise import PointwiseStep
from tests.model_builder import ModelBuilder, Value

from .test_movement_emulation import check, picture, steps_of


def constant(builder: ModelBuilder, code: int, scale: float) -> Value:
    return builder.constant(np.array(code, np.uint8), scales=[scale], zero_points=[0])


@pytest.mark.parametrize("channels", [1, 3, 4, 5])
@pytest.mark.parametrize("name", ["add", "sub"])
def test_a_number_is_a_bias_vector_where_a_pixel_is_one_word(channels: int, name: str) -> None:
    builder = picture(9, 10, channels)
    value = builder.last
    number = constant(builder, 100, 0.7 * value.output[0])
    getattr(builder, name)(value, number, output=value.output)
    steps = steps_of(check(builder.conv2d(8, 3)), PointwiseStep)
    assert [len(step.bias) for step in steps] == [channels if channels <= 4 else 0]


def test_two_numbers_one_after_the_other() -> None:
    builder = picture(8, 8, 2)
    for factor in (5, 4):
        value = builder.last
        builder.add(value, constant(builder, factor, value.output[0]), output=value.output)
    assert len(steps_of(check(builder), PointwiseStep)) == 2
