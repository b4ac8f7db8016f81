"""Pools: which are global, which local, and where their lines and buffers lie."""

from __future__ import annotations

import pytest

from compiler.frontend.tflite_reader import read_model_bytes
from compiler.planning.plan import WIDE_LINES
from compiler.planning.planner import plan_region
from compiler.planning.pooling import GlobalPoolStep, LocalPoolStep, RelayoutStep
from compiler.planning.refusal import Refusal
from compiler.planning.wide_memory import IDENTITY_LINE
from compiler.planning.window_pool import WindowPoolStep
from tests.model_builder import ModelBuilder


def planned(builder: ModelBuilder):
    return plan_region(read_model_bytes(builder.build(), "test"))


def picture(size: int = 16, channels: int = 64) -> ModelBuilder:
    return ModelBuilder("uint8", seed=1).input("x", (1, size, size, 4)).conv2d(channels, 3)


def only(plan, kind):
    (step,) = (step for step in plan.steps if isinstance(step, kind))
    return step


def test_a_global_pool_is_a_relayout_and_a_pool():
    plan = planned(picture().average_pool_2d(16))
    relayout, pool = only(plan, RelayoutStep), only(plan, GlobalPoolStep)
    assert relayout.heights == relayout.widths == (4, 4, 4, 4)
    # 16 rows of four lines, then the copies' FIFO, then the identity.
    assert pool.plane_line == WIDE_LINES - 64
    assert relayout.copy_line == WIDE_LINES - 66
    assert relayout.identity_line == WIDE_LINES - 67
    assert plan.capacity <= relayout.identity_line
    assert pool.kernel == (16, 16)


def test_mean_over_rows_and_columns_is_the_same_with_a_fence():
    pool = only(planned(picture().mean()), GlobalPoolStep)
    assert pool.fenced
    assert pool.kernel == (16, 16)


def test_softmax_keeps_the_identity_at_the_top():
    plan = planned(picture().mean().fully_connected(100).softmax())
    relayout, pool = only(plan, RelayoutStep), only(plan, GlobalPoolStep)
    assert relayout.identity_line == IDENTITY_LINE
    assert pool.plane_line == IDENTITY_LINE - 64


def test_the_average_divides_in_the_multiplier():
    builder = picture().average_pool_2d(16)
    pool = only(planned(builder), GlobalPoolStep)
    assert pool.output_scaling.multiplier == pytest.approx(1 / 256)


@pytest.mark.parametrize(
    ("channels", "blocks"), [(4, ((1, 1),)), (160, ((3, 16), (4, 8))), (1024, ((0xFFFF, 16),))]
)
def test_channel_blocks(channels, blocks):
    pool = only(planned(picture(8, channels).average_pool_2d(8)), GlobalPoolStep)
    assert pool.blocks.groups() == blocks


def test_local_windows_stay_on_their_tile():
    pool = only(planned(picture(16, 128).average_pool_2d(2)), LocalPoolStep)
    assert (pool.width, pool.height, pool.outputs) == (4, 4, (2, 2))
    assert (pool.blocks, pool.block_words) == (2, 16)
    assert pool.plane_line == WIDE_LINES - 8


def test_the_producer_keeps_clear_of_an_unfenced_pool():
    plan = planned(picture(16, 64).average_pool_2d(2))
    pool = only(plan, LocalPoolStep)
    convolution = plan.steps[plan.steps.index(pool) - 1]
    assert max(convolution.blocks.weights, convolution.blocks.headers) < pool.plane_line
    ones = next(b for b in plan.buffers if b.name == pool.ones)
    assert ones.first == plan.steps.index(pool) - 1


def test_a_haloed_result_has_its_places():
    pool = only(planned(picture(16, 8).average_pool_2d(2).conv2d(8, 3)), LocalPoolStep)
    assert len(pool.places) == 1
    assert pool.places[0].offset == (4 + 1) * 2


def test_more_channels_than_lanes_are_pooled_together():
    plan = planned(picture(4, 1284).average_pool_2d(4))
    pools = [step for step in plan.steps if isinstance(step, WindowPoolStep)]
    assert [(pool.tiles, pool.channel_words) for pool in pools] == [(0x3FF, 32), (0x400, 1)]
    assert [source.offset for source in pools[0].sources] == list(range(0, 320, 32))


def test_many_pixels_of_many_channels_are_pooled_in_rounds():
    plan = planned(picture(12, 1284).average_pool_2d(12))
    pools = [step for step in plan.steps if isinstance(step, WindowPoolStep)]
    # Blocks of 32 words: ten tiles with 16 words each, and one with the last; then the others.
    assert [(pool.tiles, pool.channel_words) for pool in pools] == [
        (0x3FF, 16),
        (0x400, 1),
        (0x3FF, 16),
    ]


def test_windows_over_tile_borders():
    pool = only(planned(picture(12, 8).average_pool_2d(2)), WindowPoolStep)
    assert pool.exchange
    assert len(pool.parts) > 1


def test_padding_of_an_average_counts_for_nothing():
    pool = only(planned(picture(8, 8).average_pool_2d(3, stride=1, padding="same")), WindowPoolStep)
    shares = {part.scaling.multiplier for part in pool.parts}
    assert len(shares) == 3  # nine, six or four pixels of the picture


def test_padding_of_a_maximum_is_the_lowest_value():
    for kind in ("int8", "uint8"):
        builder = ModelBuilder(kind, seed=1).input("x", (1, 8, 8, 4)).conv2d(8, 1)
        plan = planned(builder.max_pool_2d(3, stride=1, padding="same"))
        assert only(plan, WindowPoolStep).fill == 0


@pytest.mark.parametrize(("channels", "rounds"), [(8, 1), (32, 2)])
def test_a_map_too_large_for_the_mesh_counters(channels, rounds):
    plan = planned(picture(64, channels).average_pool_2d(64))
    pools = [step for step in plan.steps if isinstance(step, WindowPoolStep)]
    assert [pool.plane_line for pool in pools] == [WIDE_LINES - 64 * 16] * rounds


def test_a_map_too_large_for_the_planes():
    with pytest.raises(Refusal, match="lines"):
        planned(picture(96, 8).average_pool_2d(96))
