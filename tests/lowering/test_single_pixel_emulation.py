"""Operators on maps of one pixel, and on vectors of the host, on the emulator, exactly."""

from __future__ import annotations

import pytest

from tests.model_builder import ModelBuilder

from .test_movement_emulation import check

LAYERS = {
    "relu": lambda builder: builder.relu(),
    "tanh": lambda builder: builder.tanh(),
    "logistic": lambda builder: builder.logistic(),
    "quantize": lambda builder: builder.quantize(output=(0.03, 5)),
    "depthwise": lambda builder: builder.depthwise_conv2d(3),
    "convolution": lambda builder: builder.conv2d(8, 3).reshape((1, 8)).fully_connected(3),
    "average": lambda builder: builder.average_pool_2d(1),
    "maximum": lambda builder: builder.max_pool_2d(3, stride=1, padding="same"),
}


def pixel(channels: int, kind: str) -> ModelBuilder:
    builder = ModelBuilder(kind, seed=3).input("x", (1, 5, 5, 4)).conv2d(channels, 3)
    return builder.average_pool_2d(5)


@pytest.mark.parametrize("kind", ["int8", "uint8"])
@pytest.mark.parametrize("channels", [10, 24, 320])
@pytest.mark.parametrize("name", LAYERS)
def test_layers(kind, channels, name):
    check(LAYERS[name](pixel(channels, kind)))


@pytest.mark.parametrize("kind", ["int8", "uint8"])
@pytest.mark.parametrize("name", ["add", "sub", "mul"])
def test_two_vectors(kind, name):
    builder = pixel(72, kind)
    trunk = builder.last
    other = builder.conv2d(72, 1, source=trunk).last
    check(getattr(builder, name)(trunk, other))


def test_several_readers():
    builder = pixel(24, "int8")
    trunk = builder.last
    layers = [
        builder.relu(source=trunk).last,
        builder.conv2d(24, 1, source=trunk).last,
        builder.tanh(source=trunk).last,
    ]
    check(builder.output(*layers))


@pytest.mark.parametrize("kind", ["int8", "uint8"])
@pytest.mark.parametrize("name", ["relu", "logistic"])
def test_vectors_of_the_host(kind, name):
    check(getattr(ModelBuilder(kind, seed=3).input("x", (1, 24)), name)())
    check(LAYERS["depthwise"](ModelBuilder(kind, seed=3).input("x", (1, 1, 1, 24))))
    check(ModelBuilder(kind, seed=3).input("x", (1, 1, 1, 24)).conv2d(8, 1))


def test_layers_around_an_operator_in_place():
    """The second layer reads what has taken the place of the vector that the first one read."""
    builder = pixel(24, "int8")
    trunk = builder.max_pool_2d(1).last
    first = builder.conv2d(8, 1, source=trunk).last
    builder.relu(source=trunk).conv2d(8, 1)
    check(builder.output(first, builder.last))
