"""Operands of sums and products that are repeated over the result's rows or columns, and
constants of several numbers, on the emulator, exactly as the reference arithmetic has them."""

from __future__ import annotations

import numpy as np
import pytest

from compiler.planning.convolution import ConvolutionStep
from compiler.planning.fully_connected import GatherStep
from compiler.planning.multiply import ProductStep
from compiler.planning.patches import ChannelCopyStep, InteriorCopyStep
from tests.model_builder import ModelBuilder, Value

from .test_movement_emulation import check, picture, steps_of

NAMES = ["add", "sub", "mul"]
SIZES = [(7, 9, 8), (3, 5, 72), (4, 16, 10), (2, 2, 3), (17, 1, 128)]


def numbers(builder: ModelBuilder, *shape: int, seed: int = 5) -> Value:
    lowest = -128 if builder.type == "int8" else 0
    codes = np.random.default_rng(seed).integers(0, 256, shape) + lowest
    array = codes.astype(np.int8 if builder.type == "int8" else np.uint8)
    return builder.constant(array, scales=[0.013], zero_points=[lowest + 90], spread=1.0)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", ["int8", "uint8"])
def test_excitation(kind: str, size: tuple[int, int, int], name: str) -> None:
    """The block of MobileNet v3 and EfficientNet: a factor for each channel from the map."""
    builder = ModelBuilder(kind, seed=3).input("x", (1, *size[:2], 4)).conv2d(size[2], 3)
    trunk = builder.last
    builder.average_pool_2d(size[:2]).conv2d(8, 1, activation="relu").conv2d(size[2], 1)
    factors = builder.logistic().last
    operands = (trunk, factors) if size[1] % 2 else (factors, trunk)
    steps = check(getattr(builder, name)(*operands).conv2d(8, 3))
    copies = steps_of(steps, InteriorCopyStep)
    assert bool(steps_of(steps, ProductStep)) == (name == "mul")
    assert any(step.blocks.words == -(-size[2] // 4) for step in steps_of(steps, GatherStep))
    assert name == "mul" or copies


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("rows", [1, 9])
def test_rows_and_columns(name: str, rows: int) -> None:
    builder = ModelBuilder("int8", seed=3).input("x", (1, 9, 6, 8)).conv2d(24, 3)
    trunk = builder.last
    line = builder.average_pool_2d((9, 1) if rows == 1 else (1, 6)).last
    check(getattr(builder, name)(trunk, line).output())
    other = builder.average_pool_2d((1, 6) if rows == 1 else (9, 1), source=trunk).last
    check(getattr(builder, name)(line, other).output())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", ["int8", "uint8"])
def test_one_channel(kind: str, size: tuple[int, int, int], name: str) -> None:
    """Spatial attention: a factor for each pixel, from the map or a constant."""
    builder = ModelBuilder(kind, seed=3).input("x", (1, *size[:2], 4)).conv2d(size[2], 3)
    trunk = builder.last
    factors = builder.conv2d(1, 3).logistic().last
    operands = (trunk, factors) if size[1] % 2 else (factors, trunk)
    steps = check(getattr(builder, name)(*operands).conv2d(8, 3), concurrent=name == "mul")
    assert len(steps_of(steps, ChannelCopyStep)) == 1
    builder = ModelBuilder(kind, seed=3).input("x", (1, *size[:2], 4)).conv2d(size[2], 3)
    trunk = builder.last
    steps = check(getattr(builder, name)(trunk, numbers(builder, *size[:2], 1)))
    assert not steps_of(steps, ChannelCopyStep)


@pytest.mark.parametrize("name", NAMES)
def test_one_channel_of_both_operands(name: str) -> None:
    """A product of a factor for each pixel and one for each channel, and vectors of one value."""
    builder = ModelBuilder("int8", seed=3).input("x", (1, 9, 6, 8)).conv2d(24, 3)
    channels = builder.average_pool_2d((9, 6)).last
    pixels = builder.conv2d(1, 3, source=builder.input("y", (1, 9, 6, 4)).last).last
    check(getattr(builder, name)(pixels, channels).conv2d(8, 3))
    builder = ModelBuilder("int8", seed=3).input("x", (1, 9, 6, 8)).conv2d(24, 3)
    pixels = builder.conv2d(1, 3).last
    check(getattr(builder, name)(pixels, numbers(builder, 24)).conv2d(8, 3))
    builder = ModelBuilder("int8", seed=3).input("x", (1, 1, 1, 8)).conv2d(24, 1)
    trunk = builder.last
    check(getattr(builder, name)(trunk, builder.conv2d(1, 1).last))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(24,), (1, 1, 1, 24), (1, 7, 1, 24), (6, 24), (1, 7, 6, 24)])
@pytest.mark.parametrize("first", [True, False])
def test_constants(name: str, shape: tuple[int, ...], first: bool) -> None:
    builder = picture(7, 6, 24)
    pair = [builder.last, numbers(builder, *shape)]
    check(getattr(builder, name)(*pair[:: -1 if first else 1]).conv2d(8, 3))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("channels", [1, 3, 5, 70])
@pytest.mark.parametrize("kind", ["int8", "uint8"])
def test_constants_of_any_length(name: str, channels: int, kind: str) -> None:
    builder = ModelBuilder(kind, seed=3).input("x", (1, 5, 9, 4)).conv2d(channels, 1)
    check(getattr(builder, name)(builder.last, numbers(builder, channels)))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("length", [3, 16, 70, 1001])
def test_vectors_and_constants(name: str, length: int) -> None:
    builder = ModelBuilder("int8", seed=3).input("x", (1, 24)).fully_connected(length)
    check(getattr(builder, name)(builder.last, numbers(builder, length)).fully_connected(9))


@pytest.mark.parametrize("name", NAMES)
def test_vectors_and_constants_of_the_host(name: str) -> None:
    builder = ModelBuilder("uint8", seed=3).input("x", (1, 24))
    check(getattr(builder, name)(builder.last, numbers(builder, 1, 24)))
    builder = ModelBuilder("uint8", seed=3).input("x", (1, 8, 8, 3))
    check(getattr(builder, name)(builder.last, numbers(builder, 3)))


def test_several_constants() -> None:
    builder = picture(9, 6, 12)
    for name in ("mul", "add", "sub", "mul"):
        getattr(builder, name)(builder.last, numbers(builder, 12))
    check(builder.conv2d(8, 3))


@pytest.mark.parametrize("kind", ["int8", "uint8"])
@pytest.mark.parametrize("channels", [4, 5, 24, 70])
@pytest.mark.parametrize("activation", ["none", "relu6"])
def test_factors_of_channels_are_a_layer(channels: int, kind: str, activation: str) -> None:
    builder = ModelBuilder(kind, seed=3).input("x", (1, 13, 6, 4)).conv2d(channels, 1)
    factors = numbers(builder, channels)
    steps = check(builder.mul(builder.last, factors, activation=activation).conv2d(8, 3))
    assert len(steps_of(steps, ConvolutionStep)) == 3


@pytest.mark.parametrize("size", [(20, 27, 512), (61, 30, 144)])
def test_large_products_are_made_in_bands_of_rows(size: tuple[int, int, int]) -> None:
    builder = ModelBuilder("int8", seed=3).input("x", (1, *size[:2], 4)).conv2d(size[2], 1)
    trunk = builder.last
    first = builder.mul(trunk, builder.logistic(source=trunk).last).last
    factors = builder.average_pool_2d(size[:2], source=trunk).last
    products = steps_of(check(builder.mul(first, factors).conv2d(8, 1)), ProductStep)
    assert len(products) > 2
