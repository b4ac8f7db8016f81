"""Pools over maps that wait in the host's memory, on the emulator, exactly and with every unit on
its own clock without a hazard."""

from __future__ import annotations

import pytest

from compiler.planning.host_maps import HostFetchStep, HostStoreStep
from compiler.planning.parked_pool import JoinPartsStep, PartPoolStep, join_messages, join_rounds
from compiler.planning.pooling import GlobalPoolStep
from compiler.planning.repeated_vector import ColumnsStep
from compiler.planning.vectors import Blocks
from tests.model_builder import ModelBuilder

from .test_movement_emulation import check, steps_of
from .test_moves_emulation import other, picture


def pooled(
    height: int, width: int, channels: int, outputs: int, *, again: bool, kind: str = "uint8"
) -> ModelBuilder:
    """A pool over a whole map, a layer on its result; `again`: another layer reads the map."""
    builder = picture(height, width, channels, kind)
    trunk = builder.last
    outer = builder.average_pool_2d((height, width), stride=1, source=trunk).conv2d(outputs, 1).last
    if not again:
        return builder
    return builder.output(outer, builder.conv2d(16, 1, source=trunk).conv2d(8, 3).last)


def expect_parts(steps, parts: int, *, again: bool) -> None:
    assert len(steps_of(steps, HostStoreStep)) == 1
    assert len(steps_of(steps, HostFetchStep)) == parts - 1 + again
    assert len(steps_of(steps, PartPoolStep)) == parts
    assert len(steps_of(steps, JoinPartsStep)) == 1


def test_a_pool_in_parts():
    steps = check(pooled(33, 33, 640, 128, again=True))
    expect_parts(steps, 3, again=True)


@pytest.mark.full
@pytest.mark.parametrize(
    ("size", "outputs", "parts", "again", "kind"),
    [
        ((36, 36, 576), 24, 3, False, "int8"),
        ((33, 33, 640), 128, 3, True, "uint8"),
        ((30, 40, 768), 70, 4, True, "int8"),
        ((35, 33, 1000), 256, 5, True, "uint8"),
        ((36, 36, 1280), 64, 6, True, "int8"),
    ],
)
def test_pools_with_units_side_by_side(size, outputs, parts, again, kind):
    steps = check(pooled(*size, outputs, again=again, kind=kind), concurrent=True)
    expect_parts(steps, parts, again=again)


@pytest.mark.full
@pytest.mark.parametrize(
    ("size", "outputs", "kind"), [((33, 33, 640), 100, "uint8"), ((38, 35, 600), 128, "int8")]
)
def test_image_pooling_beside_a_layer(size, outputs, kind):
    """The vector is requantised and spread over the map, in front of the map's other reader."""
    height, width, channels = size
    builder = picture(height, width, channels, kind)
    trunk = builder.last
    branch = builder.conv2d(64, 1, source=trunk).last
    builder.average_pool_2d((height, width), stride=1, source=trunk)
    builder.conv2d(outputs, 1, output=(0.07, 3))
    shape = (1, height, width, outputs)
    repeated = other(builder, "TILE", shape, {}, (1, height, width, 1)).quantize(
        output=branch.output
    )
    steps = check(repeated.concatenation(repeated.last, branch).conv2d(5, 1), concurrent=True)
    assert steps_of(steps, HostFetchStep)[-1].ops == (1,)
    assert steps_of(steps, ColumnsStep)


def test_a_map_that_fits_beside_itself_stays_on_the_chip():
    steps = check(pooled(33, 33, 512, 16, again=False))
    assert not steps_of(steps, HostStoreStep)
    assert steps_of(steps, GlobalPoolStep)


def test_what_else_is_alive():
    builder = picture(33, 33, 8, "uint8")
    skip = builder.last
    trunk = builder.conv2d(640, 1).last
    outer = builder.average_pool_2d(33, stride=1, source=trunk).conv2d(8, 1).last
    inner = builder.conv2d(8, 1, source=trunk).last
    assert steps_of(check(builder.output(outer, builder.add(inner, skip).last)), HostStoreStep)


def test_messages_of_a_part():
    """The third of six parts of 320 words on ten tiles, as the vendor moves it."""
    rounds = join_rounds(join_messages((108, Blocks(54)), Blocks(320, 32)))
    ends = [[(m.path[0], m.path[-1], m.first, m.words) for m in group] for group in rounds]
    assert ends == [
        [(0, 3, 108, 16), (1, 4, 128, 12), (3, 5, 160, 2)],
        [(1, 3, 124, 4), (2, 4, 140, 16)],
        [(3, 4, 156, 4)],
    ]
    assert rounds[0][2].path == (3, 7, 6, 5)
