"""A pooled vector, requantised and spread over a map beside other branches, on the emulator,
exactly, and with every unit on its own clock without a hazard."""

from __future__ import annotations

import random

import pytest

from compiler.planning.map_moves import MapMoveStep
from compiler.planning.repeated_vector import ColumnsStep, VectorFunctionStep
from tests.model_builder import ModelBuilder

from .test_movement_emulation import check, steps_of
from .test_moves_emulation import other, picture


def pooling_branch(
    height: int, width: int, pooled: int, beside: int, *, kind: str = "uint8", reader: int = 1
) -> ModelBuilder:
    """A map of 8 channels; its average, a layer of `pooled` outputs, repeated over the map and
    requantised to the unit of a branch of `beside` channels; both joined for a last layer."""
    builder = picture(height, width, 8, kind)
    trunk = builder.last
    branch = builder.conv2d(beside, 1, source=trunk).last
    vector = builder.average_pool_2d((height, width), stride=1, source=trunk).conv2d(
        pooled, 1, output=(0.07, 3)
    )
    repeated = other(
        vector, "TILE", (1, height, width, pooled), {}, (1, height, width, 1)
    ).quantize(output=branch.output)
    return repeated.concatenation(repeated.last, branch).conv2d(5, reader)


@pytest.mark.parametrize("seed", range(6))
def test_random_sizes(seed):
    drawn = random.Random(seed)
    height, width = drawn.randint(4, 18), drawn.randint(4, 18)
    pooled, beside = 4 * drawn.randint(17, 32), drawn.choice([8, 36, 64])
    kind = drawn.choice(["int8", "uint8"])
    steps = check(pooling_branch(height, width, pooled, beside, kind=kind), concurrent=True)
    assert steps_of(steps, VectorFunctionStep)
    assert steps_of(steps, ColumnsStep)
    assert not steps_of(steps, MapMoveStep)


@pytest.mark.parametrize(
    ("pooled", "reader"),
    [
        (64, 1),  # one tile
        (132, 1),  # three
        (100, 3),  # a halo
    ],
)
def test_other_vectors_go_over_the_ring(pooled, reader):
    steps = check(pooling_branch(9, 8, pooled, 8, reader=reader), concurrent=True)
    assert not steps_of(steps, ColumnsStep)
    assert steps_of(steps, MapMoveStep)
