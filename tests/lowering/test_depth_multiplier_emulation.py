"""Depthwise convolutions that make several channels of each, on the emulator, exactly as the
reference has them."""

from __future__ import annotations

import random

import pytest

from tests.model_builder import ModelBuilder

from .test_movement_emulation import check


@pytest.mark.parametrize("seed", range(30))
def test_random_layers(seed):
    drawn = random.Random(seed)
    kind, per_channel = drawn.choice(["int8", "uint8"]), drawn.choice([None, False])
    shape = 1, drawn.randint(4, 14), drawn.randint(4, 14), drawn.choice([2, 3, 4, 8, 13, 40])
    builder = ModelBuilder(kind, seed=seed, per_channel=per_channel).input("x", shape)
    if drawn.choice([True, False]):
        builder.conv2d(drawn.choice([2, 5, 12, 33]), 3)
    builder.depthwise_conv2d(
        drawn.choice([1, 3, 5, (1, 3)]),
        multiplier=drawn.choice([2, 3, 4, 8]),
        stride=drawn.choice([1, 2]),
        padding=drawn.choice(["same", "valid"]) if min(builder.last.shape[1:3]) > 5 else "same",
        dilation=drawn.choice([1, 1, 2]) if min(builder.last.shape[1:3]) > 9 else 1,
        activation=drawn.choice(["none", "relu", "relu6"]),
        bias=drawn.choice([True, False]),
    )
    if drawn.choice([True, False]):
        builder.depthwise_conv2d(3).conv2d(9, 1)
    check(builder)


@pytest.mark.parametrize("channels", [4, 20])
def test_one_pixel(channels):
    builder = ModelBuilder("int8", seed=1).input("x", (1, 1, 1, channels)).conv2d(channels, 1)
    check(builder.depthwise_conv2d(3, multiplier=3).conv2d(5, 1))


def test_units_side_by_side():
    builder = ModelBuilder("uint8", seed=1).input("x", (1, 13, 10, 5))
    check(builder.depthwise_conv2d(3, multiplier=14).conv2d(3, 1), concurrent=True)


def test_borders_of_a_pad():
    builder = ModelBuilder("int8", seed=1).input("x", (1, 9, 10, 8))
    padded = builder.pad([(0, 0), (1, 2), (0, 1), (0, 0)])
    check(padded.depthwise_conv2d(3, multiplier=2, stride=2, padding="valid"))
