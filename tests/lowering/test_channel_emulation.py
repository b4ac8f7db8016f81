"""Operators that move channels inside words, on the emulator, exactly as the reference has them."""

from __future__ import annotations

import random

import pytest

from compiler.planning.convolution import ConvolutionStep
from compiler.planning.elementwise import SumStep
from compiler.planning.patches import InteriorCopyStep
from tests.model_builder import ModelBuilder

from .test_movement_emulation import check, steps_of, vector
from .test_moves_emulation import other


def drawn_map(drawn: random.Random, channels: int) -> ModelBuilder:
    shape = 1, 2 * drawn.randint(2, 7), 2 * drawn.randint(2, 7), channels
    kind = drawn.choice(["int8", "uint8"])
    if drawn.choice([True, False]) and channels < 64:
        return ModelBuilder(kind, seed=2).input("x", shape)
    return ModelBuilder(kind, seed=2).input("x", (*shape[:3], 3)).conv2d(channels, 3)


@pytest.mark.parametrize("seed", range(12))
def test_splits(seed):
    drawn = random.Random(seed)
    parts, part = drawn.choice([2, 3, 5]), drawn.choice([1, 2, 3, 5, 17])
    builder = drawn_map(drawn, parts * part)
    values = builder.split(parts, 3)
    if drawn.choice([True, False]):
        values[0] = builder.conv2d(7, 3, source=values[0]).last
    check(builder.output(*values))


@pytest.mark.parametrize("seed", range(16))
def test_slices(seed):
    drawn = random.Random(seed)
    channels = drawn.choice([3, 6, 13, 70])
    builder = drawn_map(drawn, channels)
    begin, end, steps = [0], [1], [1]
    for size in builder.last.shape[1:]:
        first = drawn.randrange(size)
        begin.append(first if size == 3 or drawn.choice([True, False]) else 0)
        end.append(drawn.randint(first + 1, size))
        steps.append(drawn.choice([1, 1, 2, 3]))
    builder.strided_slice(begin, end, steps)
    check(builder.relu() if drawn.choice([True, False]) else builder)


def test_a_slice_with_an_open_end():
    builder = ModelBuilder("int8", seed=2).input("x", (1, 6, 5, 9))
    check(other(builder, "SLICE", (1, 4, 5, 7), {}, (0, 2, 0, 2), (1, -1, 5, 7)))


@pytest.mark.parametrize("channels", [1, 3, 6, 33])
@pytest.mark.parametrize("block", [2, 3])
def test_space_to_depth(channels, block):
    builder = ModelBuilder("uint8", seed=2).input("x", (1, 4 * block, 5 * block, channels))
    shape = (1, 4, 5, channels * block**2)
    check(other(builder, "SPACE_TO_DEPTH", shape, {"block_size": block}).conv2d(8, 1))


@pytest.mark.parametrize("seed", range(12))
def test_joins(seed):
    drawn = random.Random(seed)
    builder = drawn_map(drawn, drawn.choice([3, 4, 8]))
    trunk, unit = builder.last, (0.05, 3)
    sizes = [drawn.choice([1, 2, 3, 5, 8, 21]) for _ in range(drawn.choice([2, 3, 4]))]
    parts = [builder.conv2d(n, 1, source=trunk, output=unit).last for n in sizes]
    builder.concatenation(*parts, axis=3)
    check(builder.conv2d(6, 3) if drawn.choice([True, False]) else builder)


def test_a_join_of_one_map_with_itself():
    builder = ModelBuilder("int8", seed=2).input("x", (1, 7, 6, 3))
    check(builder.concatenation(builder.last, builder.last, axis=3).conv2d(5, 1))


def test_units_side_by_side():
    builder = ModelBuilder("int8", seed=2).input("x", (1, 9, 6, 5))
    left, right = builder.last, builder.conv2d(6, 3, output=builder.last.output).last
    builder.concatenation(left, right, axis=3).strided_slice((0, 1, 0, 2), (1, 9, 6, 11))
    check(builder.depthwise_conv2d(3), concurrent=True)


def test_pixels_of_a_picture_become_channels():
    """Every other row and column, four times, side by side."""
    builder = ModelBuilder("int8", seed=2).input("x", (1, 16, 12, 3))
    picture = builder.last
    parts = [
        builder.strided_slice((0, i, j, 0), (1, 16, 12, 3), (1, 2, 2, 1), source=picture).last
        for j in (0, 1)
        for i in (0, 1)
    ]
    steps = check(builder.concatenation(*parts, axis=3).conv2d(16, 3), concurrent=True)
    assert len(steps_of(steps, ConvolutionStep)) == 2
    assert not steps_of(steps, SumStep)


def test_layers_write_their_channels_where_they_are_joined():
    builder = ModelBuilder("uint8", seed=2).input("x", (1, 9, 6, 5))
    trunk, unit = builder.last, (0.05, 3)
    parts = [builder.conv2d(n, 1, source=trunk, output=unit).last for n in (3, 7, 2)]
    steps = check(builder.concatenation(*parts, axis=3), concurrent=True)
    assert len(steps_of(steps, ConvolutionStep)) == len(parts) + 1
    assert not steps_of(steps, InteriorCopyStep)


def test_large_maps_are_joined_by_sums():
    builder = ModelBuilder("uint8", seed=2).input("x", (1, 256, 260, 1))
    steps = check(builder.concatenation(*[builder.last] * 4, axis=3))
    assert steps_of(steps, SumStep)


@pytest.mark.parametrize("parts", [2, 3, 5])
@pytest.mark.parametrize("layer", [True, False])
def test_vectors(parts, layer):
    for length in (7, 21):
        builder = vector(length * parts)
        builder = builder.fully_connected(length * parts) if layer else builder
        values = builder.split(parts, 1)
        builder.strided_slice((0, 1), (1, length), source=values[-1])
        check(builder.output(builder.last, *values[:-1]))
    check(vector(40).fully_connected(30).strided_slice((0, 3), (1, 30), (1, 4)).softmax())
