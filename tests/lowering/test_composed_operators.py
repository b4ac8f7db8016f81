"""MAXIMUM, MINIMUM, SQUARED_DIFFERENCE and PRELU on the emulator, exactly as the reference has
them."""

from __future__ import annotations

import numpy as np
import pytest

from compiler.planning.elementwise import SumStep
from compiler.planning.pointwise import PointwiseStep
from tests.model_builder import ModelBuilder, Value

from .test_movement_emulation import check, steps_of
from .test_repeated_operands import numbers

KINDS = ["int8", "uint8"]
SIZES = [(7, 9, 8), (4, 16, 10), (1, 1, 70), (3, 1, 1)]


def two_maps(kind: str, size: tuple[int, int, int]) -> tuple[ModelBuilder, Value, Value]:
    """Two convolutions with one quantisation."""
    low = -128 if kind == "int8" else 0
    scale = 0.03, low + 131
    builder = ModelBuilder(kind, seed=3).input("x", (1, *size[:2], 4))
    source = builder.last
    first = builder.conv2d(size[2], 1, output=scale, source=source).last
    return builder, first, builder.conv2d(size[2], 1, output=scale, source=source).last


def same_unit(builder: ModelBuilder, like: Value, codes: list[int] | np.ndarray) -> Value:
    kind = np.int8 if builder.type == "int8" else np.uint8
    scale, zero = like.output
    return builder.constant(np.array(codes, kind), scales=[scale], zero_points=[zero])


@pytest.mark.parametrize("name", ["MAXIMUM", "MINIMUM"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", KINDS)
def test_extremes_of_two_maps(kind: str, size: tuple[int, int, int], name: str) -> None:
    builder, first, second = two_maps(kind, size)
    check(builder.extreme(name, first, second).conv2d(8, 3))
    builder, first, second = two_maps(kind, size)
    check(builder.extreme(name, second, first).output(first, builder.last))


@pytest.mark.parametrize("name", ["MAXIMUM", "MINIMUM"])
@pytest.mark.parametrize("kind", KINDS)
def test_extremes_of_a_map_and_constants(kind: str, name: str) -> None:
    for shape, steps in (((), PointwiseStep), ((1, 1), PointwiseStep), ((24,), SumStep)):
        builder, first, _ = two_maps(kind, (5, 6, 24))
        codes = np.random.default_rng(3).integers(0, 128, shape)
        constant = same_unit(builder, first, codes)
        assert steps_of(check(builder.extreme(name, first, constant)), steps)
        builder, first, _ = two_maps(kind, (1, 1, 24))
        check(builder.extreme(name, same_unit(builder, first, codes), first))


@pytest.mark.parametrize("name", ["MAXIMUM", "MINIMUM"])
def test_extremes_of_a_map_and_its_columns(name: str) -> None:
    builder, first, second = two_maps("int8", (6, 7, 12))
    for kernel in ((6, 7), (6, 1), (1, 7)):
        line = builder.max_pool_2d(kernel, source=second).last
        builder.extreme(name, first, line).output()
    check(builder)
    builder = ModelBuilder("uint8", seed=3).input("x", (1, 6, 7, 12))
    check(builder.extreme(name, builder.last, builder.last))


@pytest.mark.parametrize("name", ["MAXIMUM", "SQUARED_DIFFERENCE"])
def test_a_map_and_its_only_channel(name: str) -> None:
    builder, first, _ = two_maps("int8", (6, 7, 12))
    pixels = builder.conv2d(1, 1, output=first.output, source=first).last
    if name == "MAXIMUM":
        check(builder.extreme(name, first, pixels))
    else:
        check(builder.squared_difference(pixels, first))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", KINDS)
def test_squared_differences(kind: str, size: tuple[int, int, int]) -> None:
    builder, first, second = two_maps(kind, size)
    check(builder.squared_difference(first, second).conv2d(8, 3))
    builder, first, second = two_maps(kind, size)
    mean = builder.average_pool_2d(size[:2], source=first).last
    check(builder.squared_difference(second, mean))
    builder, first, second = two_maps(kind, size)
    check(builder.squared_difference(first, same_unit(builder, first, [77])))


@pytest.mark.parametrize("size", [*SIZES, (17, 17, 220)])
@pytest.mark.parametrize("kind", KINDS)
def test_squared_differences_of_two_units(kind: str, size: tuple[int, int, int]) -> None:
    low = -128 if kind == "int8" else 0
    for unit, output in ((0.03, None), (0.007, (0.0007, low + 20))):
        builder = ModelBuilder(kind, seed=3).input("x", (1, *size[:2], 4))
        first = builder.conv2d(size[2], 1, output=(0.02, low + 100)).last
        second = builder.conv2d(size[2], 1, output=(unit, low + 130)).last
        check(builder.squared_difference(first, second, output=output), concurrent=size[0] == 7)
        if size[0] > 1:
            mean = builder.average_pool_2d(size[:2], source=second).last
            check(builder.squared_difference(mean, first))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", KINDS)
def test_prelu(kind: str, size: tuple[int, int, int]) -> None:
    low = -128 if kind == "int8" else 0
    for output in (None, (0.011, low + 40), (0.2, low + 255)):
        builder = ModelBuilder(kind, seed=3).input("x", (1, *size[:2], 4)).conv2d(size[2], 1)
        check(builder.prelu(numbers(builder, 1, 1, size[2]), output=output).conv2d(8, 3))


@pytest.mark.parametrize("code", [-128, -3, 0, 5, 127])
def test_prelu_with_one_slope(code: int) -> None:
    builder = ModelBuilder("int8", seed=3).input("x", (1, 9, 5, 4)).conv2d(12, 1)
    slope = builder.constant(np.full((1, 1, 12), code, np.int8), scales=[0.01], zero_points=[0])
    check(builder.prelu(slope))
