"""Fully connected layers of more outputs than the tiles make at once, and of long inputs, on the
emulator, exactly as the reference has them."""

from __future__ import annotations

import random

import pytest

from compiler.planning.fully_connected import FullyConnectedStep, GatherStep
from compiler.planning.matrix_parts import matrix_parts
from tests.model_builder import ModelBuilder

from .test_movement_emulation import check, picture, steps_of, vector


@pytest.mark.parametrize("outputs", [1, 64, 65, 1024, 1025, 2000, 2048, 3001, 16384, 65536])
def test_parts_make_every_output_once(outputs):
    parts = matrix_parts(outputs)
    assert sorted(i for part in parts for tile in part for i in range(*tile)) == list(
        range(outputs)
    )
    assert all(last - first == 64 for part in parts for first, last in part[:-1])
    assert len(parts) == max(1, -(-outputs // 1024))


@pytest.mark.parametrize("seed", range(16))
def test_random_layers(seed):
    drawn = random.Random(seed)
    kind, per_channel = drawn.choice(["int8", "uint8"]), drawn.choice([None, False])
    builder = ModelBuilder(kind, seed=seed, per_channel=per_channel)
    builder.input("x", (1, drawn.choice([3, 30, 64, 500, 1280])))
    for _ in range(drawn.choice([1, 2])):
        builder.fully_connected(drawn.choice([1025, 1300, 2000, 2048, 3001]))
    if drawn.choice([True, False]):
        builder.fully_connected(drawn.choice([5, 1001]))
    check(builder)


def test_one_gather_serves_all_parts():
    steps = check(vector(100).fully_connected(4096))
    assert len(steps_of(steps, FullyConnectedStep)) == 4
    assert len(steps_of(steps, GatherStep)) == 1


def test_units_side_by_side():
    check(vector(200).fully_connected(1500).fully_connected(1030), concurrent=True)


@pytest.mark.parametrize("size", [16388, 20001, 25088, 65536])
def test_long_vectors_from_the_host(size):
    check(vector(size).fully_connected(5))


@pytest.mark.parametrize("shape", [(7, 7, 512), (14, 14, 128), (16, 16, 81), (64, 64, 16)])
def test_long_flattened_maps(shape):
    size = shape[0] * shape[1] * shape[2]
    check(picture(*shape).reshape((1, size)).fully_connected(70))


def test_many_values():
    check(vector(12).fully_connected(65536))
    check(vector(12).fully_connected(20000).fully_connected(30))


def test_convolutions_of_one_pixel():
    trunk = picture(4, 4, 32).mean(keep_dims=True).conv2d(1280, 1, activation="relu6")
    check(trunk.conv2d(1026, 1).conv2d(7, 1))


@pytest.mark.parametrize("sizes", [(1500, 40), (1501, 40), (701, 703, 1000)])
def test_long_vectors_are_joined(sizes):
    builder = vector(64).fully_connected(40)
    trunk = builder.last
    parts = [builder.fully_connected(n, source=trunk, output=(0.05, 3)).last for n in sizes]
    check(builder.concatenation(*parts))


@pytest.mark.parametrize("elements", [1028, 2047, 2048])
def test_long_vectors_have_a_softmax(elements):
    check(vector(64).fully_connected(elements).softmax(beta=0.1))


def test_long_vectors_become_maps():
    check(vector(64).fully_connected(2048).reshape((1, 8, 8, 32)).conv2d(8, 3))
