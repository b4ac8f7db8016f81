"""Reductions, pools over whole maps, and pixels that are repeated, on the emulator, exactly."""

from __future__ import annotations

import numpy as np
import pytest

from compiler.emulator import CompiledModel, Device, random_inputs
from compiler.planning.convolution import ConvolutionStep
from compiler.planning.map_moves import MapMoveStep
from compiler.planning.pooling import GlobalPoolStep
from compiler.planning.window_pool import WindowPoolStep
from tests.emulator.compiled import compile_bytes

from .test_movement_emulation import check, steps_of
from .test_moves_emulation import check_moves, other, picture


@pytest.mark.parametrize("kind", ["int8", "uint8"])
@pytest.mark.parametrize("name", ["MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN"])
@pytest.mark.parametrize(
    ("shape", "axes"), [((1, 7, 20), (1,)), ((1, 6, 1, 20), (-2,)), ((1, 20), (1, 2))]
)
def test_reductions(kind, name, shape, axes):
    plan = check(other(picture(6, 7, 20, kind), name, shape, {"keep_dims": len(shape) == 4}, axes))
    assert steps_of(plan, GlobalPoolStep if name == "MEAN" and len(axes) == 2 else WindowPoolStep)


@pytest.mark.parametrize(("size", "channels"), [(12, 1284), (50, 24)])
def test_means_in_rounds(size, channels):
    builder = other(picture(size, size, channels), "MEAN", (1, channels), {}, (1, 2))
    plan = check(builder)
    assert steps_of(plan, MapMoveStep)
    assert steps_of(plan, WindowPoolStep)


@pytest.mark.parametrize(("channels", "blocks"), [(1028, 9), (1280, 10), (2048, 16)])
def test_small_maps_go_to_every_tile(channels, blocks):
    builder = picture(6, 7, channels).mean()
    (step,) = steps_of(check(builder), MapMoveStep)
    assert {message.readers for message in step.messages} == {(1 << blocks) - 1}
    assert len(step.messages) == 16
    model = CompiledModel(compile_bytes(builder.build()))
    for run in model.run(random_inputs(model, 1), Device("concurrent")).runs:
        assert [str(hazard) for hazard in run.hazards] == []


def test_a_pool_over_a_map_with_a_halo():
    builder = picture(9, 9, 8, "uint8")
    trunk = builder.last
    pooled = builder.average_pool_2d(9, stride=1, source=trunk).last
    check_moves(builder.output(pooled, builder.conv2d(4, 3, source=trunk).last))


@pytest.mark.parametrize(
    ("size", "multiples"),
    [
        ((3, 4, 8), (2, 3, 1)),
        ((1, 4, 8), (6, 2, 1)),
        ((3, 4, 8), (1, 1, 3)),
        ((3, 4, 3), (2, 1, 1)),
    ],
)
def test_tiles_of_a_map(size, multiples):
    shape = (1, *(a * b for a, b in zip(size, multiples, strict=True)))
    check_moves(other(picture(*size), "TILE", shape, {}, (1, *multiples)))


def test_a_vector_over_a_map():
    builder = picture(4, 4, 40, "uint8").average_pool_2d(4)
    check_moves(other(builder, "TILE", (1, 9, 7, 40), {}, (1, 9, 7, 1)).conv2d(8, 3))


@pytest.mark.parametrize("kind", ["int8", "uint8"])
@pytest.mark.parametrize(
    ("before", "after", "options"),
    [
        ((5, 6), (10, 12), {}),
        ((4, 4), (7, 7), {}),
        ((8, 6), (4, 3), {"half_pixel_centers": True}),
        ((4, 4), (7, 9), {"align_corners": True}),
    ],
)
def test_nearest_neighbours(kind, before, after, options):
    builder = picture(*before, 12, kind).resize_nearest_neighbor(after, **options)
    check_moves(builder)
    check_moves(builder.conv2d(8, 3))


@pytest.mark.parametrize("kind", ["int8", "uint8"])
@pytest.mark.parametrize(
    ("size", "kernel", "stride"), [(8, 3, 1), (9, 5, 2), (4, 7, 1), (10, 2, 2)]
)
def test_a_maximum_beside_a_padded_convolution(kind, size, kernel, stride):
    builder = picture(size, size, 8, kind)
    trunk = builder.last
    largest = builder.max_pool_2d(kernel, stride=stride, padding="same", source=trunk).last
    check_moves(builder.output(largest, builder.conv2d(4, 3, source=trunk).last), WindowPoolStep)


def test_a_maximum_behind_another_reader():
    builder = picture(8, 8, 8, "uint8")
    trunk = builder.last
    largest = builder.max_pool_2d(3, stride=1, padding="same", source=trunk).last
    layer = builder.conv2d(8, 1, source=largest).last
    builder = builder.output(builder.conv2d(16, 1, source=trunk).last, layer)
    check_moves(builder, WindowPoolStep)


@pytest.mark.parametrize("kind", ["int8", "uint8"])
@pytest.mark.parametrize("channels", [4, 12, 68, 256])
@pytest.mark.parametrize("name", ["MEAN", "SUM"])
def test_channels(name, channels, kind):
    builder = picture(9, 6, channels, kind)
    source = builder.last
    axes = builder.constant(np.array([-1], np.int32))
    output = builder._spread_scale(source.spread * (channels**0.5 if name == "SUM" else 0.3))
    builder.op(name, [source, axes], (1, 9, 6, 1), output=output, options={"keep_dims": True})
    assert len(steps_of(check(builder.conv2d(8, 3)), ConvolutionStep)) >= 2


@pytest.mark.parametrize("channels", [3, 70, 1284])
def test_smallest_of_a_map_that_others_read(channels):
    builder = picture(9, 7, channels)
    trunk = builder.last
    other(builder, "REDUCE_MIN", (1, channels), {}, (1, 2))
    low = builder.relu().fully_connected(5).last
    rows = builder.conv2d(8, 3, source=trunk).last
    builder._set(trunk)
    columns = other(builder, "REDUCE_MIN", (1, 1, 7, channels), {"keep_dims": True}, (1,)).last
    check(builder.output(low, rows, columns))
