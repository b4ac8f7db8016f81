"""Products of maps and constants of their size on the emulator, exactly as the reference
arithmetic has them."""

from __future__ import annotations

import numpy as np
import pytest

from compiler.planning.constant_map import LINE_BYTES
from compiler.planning.fully_connected import GatherStep
from compiler.planning.image import ImageInputStep
from compiler.planning.map_collection import FlattenGatherStep
from compiler.planning.multiply import ProductStep
from tests.model_builder import ModelBuilder

from .test_movement_emulation import check, picture, steps_of


def times_constant(builder: ModelBuilder, seed: int = 5) -> ModelBuilder:
    value = builder.last
    codes = np.random.default_rng(seed).integers(0, 256, value.shape[1:], np.uint8)
    constant = builder.constant(codes, scales=[0.01], zero_points=[7])
    return builder.mul(value, constant)


@pytest.mark.parametrize("size", [(5, 9), (13, 8), (33, 6)])
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 16])
def test_constants_of_any_pixel_that_fits_a_word(size: tuple[int, int], channels: int) -> None:
    steps = check(times_constant(picture(*size, channels)).conv2d(8, 3))
    inputs = steps_of(steps, ImageInputStep)
    assert [bool(step.stored) for step in inputs] == [False, True]
    assert len(inputs[1].stored) % LINE_BYTES == 0
    assert len(steps_of(steps, ProductStep)) == 1


@pytest.mark.parametrize(("height", "width"), [(8, 8), (12, 16), (6, 5)])
def test_a_reshape_to_one_row_comes_first(height: int, width: int) -> None:
    builder = times_constant(picture(height, width, 1))
    row = builder._same("RESHAPE", [builder.last], (1, height * width, 1), {})
    steps = check(row)
    (gather,) = steps_of(steps, FlattenGatherStep)
    assert gather.group_words == 1
    (product,) = steps_of(steps, ProductStep)
    assert {tile_class.height for tile_class in product.classes} == {1}


def test_two_constants_and_the_identity_of_a_picture_of_three_channels() -> None:
    builder = ModelBuilder("uint8", seed=3).input("x", (1, 16, 16, 3)).conv2d(2, 3)
    builder = times_constant(times_constant(builder), 6).conv2d(8, 3)
    steps = check(builder)
    first, *constants = steps_of(steps, ImageInputStep)
    assert {step.identity_line for step in constants} == {first.identity_line}
    assert [step.identity_buffer for step in constants] == ["", ""]
    below = [step for step in steps if steps.index(step) < steps.index(constants[-1])]
    assert all(step.lowest_line <= first.identity_line for step in below)


@pytest.mark.parametrize("size", [2, 3, 4])
def test_messages_to_all_tiles_come_behind_numbers_for_all_tiles(size: int) -> None:
    """The map of a small picture lies on few tiles, the constant on all."""
    builder = ModelBuilder("int8", seed=3).input("x", (1, size, size, 4))
    numbers = builder.constant(np.arange(4, dtype=np.int8), scales=[0.05], zero_points=[0])
    builder.add(builder.last, numbers).mean().fully_connected(800)
    (gather,) = steps_of(check(builder, concurrent=True), GatherStep)
    assert gather.readers >> 12
