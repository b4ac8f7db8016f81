"""Pictures from the host whose pixels are no whole words, on the emulator, exactly as the
reference has them."""

from __future__ import annotations

import random

import pytest

from tests.model_builder import ModelBuilder
from tests.spatial_passes import run_in_passes

from .test_movement_emulation import check

CHANNELS = (1, 2, 3, 5, 6, 7, 9, 10, 13, 15, 17, 22, 31, 33, 50, 62, 63)
SIZES = (1, 1, 2, 2, 3, 4, 5, 6, 7, 9, 12, 13, 17, 30)


def host_picture(height: int, width: int, channels: int, kind: str = "int8") -> ModelBuilder:
    return ModelBuilder(kind, seed=5).input("x", (1, height, width, channels))


@pytest.mark.parametrize("seed", range(40))
def test_random_pictures(seed):
    drawn = random.Random(seed)
    height, width = drawn.choice(SIZES[2:]), drawn.choice(SIZES)
    channels, kind = drawn.choice(CHANNELS), drawn.choice(["int8", "uint8"])
    builder = host_picture(height, width, channels, kind)
    name = drawn.choice(["conv2d", "depthwise_conv2d", "max_pool_2d", "relu", "add"])
    if name == "conv2d":
        builder.conv2d(drawn.choice([1, 4, 5, 8, 70]), drawn.choice([1, 3]))
    elif name == "add":
        builder.add(builder.last, builder.conv2d(channels, 1).last)
    elif name == "max_pool_2d":
        builder.max_pool_2d((2, 1))
    else:
        getattr(builder, name)(*([3] if name == "depthwise_conv2d" else []))
    check(builder)


@pytest.mark.parametrize("channels", [5, 7, 30, 63])
def test_units_side_by_side(channels):
    check(host_picture(19, 11, channels).conv2d(6, 3), concurrent=True)


@pytest.mark.parametrize("shape", [(9, 1, 1), (9, 2, 1), (12, 1, 2), (13, 1, 3), (30, 1, 62)])
def test_rows_that_are_shorter_than_what_lies_in_front_of_them(shape):
    check(host_picture(*shape).depthwise_conv2d(3), concurrent=True)


def test_a_picture_of_odd_pixels_is_parked():
    run = run_in_passes(host_picture(30, 41, 13).conv2d(24, 3).conv2d(8, 3).build(), 2500)
    assert run.differing == 0
