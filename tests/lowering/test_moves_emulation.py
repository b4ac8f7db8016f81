"""Operators that move words between tiles compute on the emulator what they say, exactly."""

from __future__ import annotations

import pytest

from compiler.planning.map_moves import MapMoveStep
from compiler.planning.vector_copy import VectorMoveStep
from tests.model_builder import ModelBuilder

from .test_movement_emulation import check, steps_of, vector


def picture(height: int, width: int, channels: int, kind: str = "int8") -> ModelBuilder:
    return ModelBuilder(kind, seed=3).input("x", (1, height, width, 4)).conv2d(channels, 1)


def other(builder: ModelBuilder, name: str, shape, options, *numbers) -> ModelBuilder:
    """A layer the builder has no method for; its result keeps the quantisation."""
    constants = [builder._numbers(list(values), "numbers") for values in numbers]
    return builder._same(name, [builder.last, *constants], shape, options)


def check_moves(builder: ModelBuilder, kind: type = MapMoveStep) -> None:
    assert steps_of(check(builder), kind)


@pytest.mark.parametrize(
    ("begin", "end", "strides"),
    [
        ((0, 1, 2, 0), (1, 8, 7, 16), (1, 1, 1, 1)),
        ((0, 1, 0, 4), (1, 9, 8, 12), (1, 2, 3, 1)),
        ((0, 8, 7, 0), (1, 9, 8, 6), (1, 1, 1, 1)),
        ((0, 0, 0, 12), (1, 9, 8, 16), (1, 4, 1, 1)),
    ],
)
def test_slices(begin, end, strides):
    size = [-(-(e - b) // s) for b, e, s in zip(begin, end, strides, strict=True)]
    numbers = begin, end, strides
    check_moves(other(picture(9, 8, 16), "STRIDED_SLICE", size, {}, *numbers))
    tail = other(picture(9, 8, 16, "uint8"), "STRIDED_SLICE", size, {}, *numbers)
    check_moves(tail.conv2d(5, 1 if size[1:3] == [1, 1] else 3))


def test_a_row_of_a_map():
    options = {"shrink_axis_mask": 2}
    numbers = (0, 2, 0, 0), (1, 3, 6, 8), (1, 1, 1, 1)
    check_moves(other(picture(5, 6, 8), "STRIDED_SLICE", (1, 6, 8), options, *numbers))


def test_slice_with_an_open_end():
    check_moves(other(picture(5, 6, 8), "SLICE", (1, 3, 6, 4), {}, (0, 1, 0, 4), (1, 3, -1, 4)))


@pytest.mark.parametrize(("axis", "parts"), [(1, 4), (1, 2), (2, 8), (3, 2), (3, 4)])
def test_splits(axis, parts):
    builder = picture(8, 8, 16)
    check_moves(builder.output(*builder.split(parts, axis)))


def test_parts_of_a_split_are_read():
    builder = picture(8, 8, 16, "uint8")
    left, right = builder.split(2, 3)
    left = builder.conv2d(8, 3, source=left).last
    check_moves(builder.output(left, builder.conv2d(4, 1, source=right).last))


@pytest.mark.parametrize("axis", [1, 2])
def test_joins_of_rows_and_columns(axis):
    builder = picture(6, 7, 8)
    trunk = builder.last
    check_moves(builder.concatenation(trunk, trunk, axis=axis))


@pytest.mark.parametrize("shape", [(5, 8, 8), (1, 6, 4), (7, 2, 30)])
def test_rows_become_columns(shape):
    check_moves(picture(*shape).transpose((0, 2, 1, 3)))


@pytest.mark.parametrize(
    "pads", [((1, 2), (3, 0), (0, 0)), ((0, 0), (1, 1), (4, 8)), ((5, 0), (0, 5), (0, 0))]
)
@pytest.mark.parametrize("kind", ["int8", "uint8"])
def test_borders(kind, pads):
    check_moves(picture(5, 6, 8, kind).pad([(0, 0), *pads]))
    check_moves(picture(5, 6, 8, kind).pad([(0, 0), *pads]).average_pool_2d(2, stride=1))


def test_space_to_depth():
    options = {"block_size": 2}
    check_moves(other(picture(8, 6, 8), "SPACE_TO_DEPTH", (1, 4, 3, 32), options))


def test_vectors_are_packed():
    builder = vector(64).fully_connected(24)
    trunk = builder.last
    check_moves(builder._same("PACK", [trunk, trunk], (1, 2, 24), {"axis": 1, "values_count": 2}))


def test_vectors_are_cut_and_joined():
    builder = vector(64).fully_connected(96)
    check_moves(builder.output(*builder.split(3, 1)))
    check_moves(vector(64).fully_connected(300).strided_slice((0, 8), (1, 160)).fully_connected(9))


@pytest.mark.parametrize("sizes", [(4, 8), (3, 5), (70, 81), (65, 66, 67), (100, 28, 1), (5, 300)])
def test_vectors_that_others_read_are_joined(sizes):
    builder = vector(64).fully_connected(40)
    trunk = builder.last
    parts = [builder.fully_connected(n, source=trunk, output=(0.05, 3)).last for n in sizes]
    joined = builder.concatenation(*parts).last
    steps = check(builder.output(joined, *parts))
    assert steps_of(steps, MapMoveStep) + steps_of(steps, VectorMoveStep)


@pytest.mark.parametrize(
    ("shape", "output"),
    [
        ((6, 6, 8), (1, 4, 9, 8)),
        ((6, 6, 8), (1, 6, 12, 4)),
        ((4, 4, 16), (1, 8, 8, 4)),
        ((5, 7, 3), (1, 7, 5, 3)),
    ],
)
def test_maps_are_reshaped(shape, output):
    check_moves(picture(*shape).reshape(output))
    if len(output) == 4:
        check_moves(picture(*shape, "uint8").reshape(output).conv2d(4, 3))


@pytest.mark.parametrize(
    ("size", "output"), [(64, (1, 4, 4, 4)), (640, (1, 8, 5, 16)), (36, (1, 3, 3, 4))]
)
def test_vectors_become_maps(size, output):
    check_moves(vector(32).fully_connected(size).reshape(output))


def test_the_host_input_is_cut():
    check_moves(
        ModelBuilder("uint8", seed=3)
        .input("x", (1, 8, 8, 8))
        .strided_slice((0, 2, 0, 0), (1, 6, 8, 8))
    )


@pytest.mark.parametrize(
    "build",
    [
        lambda b: b.output(*b.split(2, 3)),
        lambda b: b.resize_nearest_neighbor((16, 24)),
        lambda b: b.strided_slice((0, 0, 0, 4), (1, 8, 12, 12), (1, 1, 1, 1)),
    ],
)
def test_words_that_stay_on_their_tile_are_copied_there(build):
    """All of them: no turns on the ring."""
    builder = picture(8, 12, 16)
    build(builder)
    (step,) = steps_of(check(builder, concurrent=True), MapMoveStep)
    assert all(message.stays for message in step.messages)


@pytest.mark.parametrize("size", [9, 14])
def test_copies_beside_messages(size):
    builder = picture(size, size, 12)
    check(
        builder.transpose((0, 2, 1, 3)).resize_nearest_neighbor((2 * size, 2 * size)),
        concurrent=True,
    )
