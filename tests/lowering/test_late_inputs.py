"""Pictures that come in where they are needed first, on the emulator."""

from __future__ import annotations

import numpy as np
import pytest

from compiler.planning.convolution import ConvolutionStep
from compiler.planning.image import ImageInputStep
from compiler.planning.plan import Step
from tests.model_builder import ModelBuilder

from .test_movement_emulation import check


def two_pictures(kind: str, channels: int) -> list[Step]:
    """A large picture that is read behind the layers on a small one."""
    builder = ModelBuilder(kind, seed=2).input("large", (1, 17, 19, channels))
    large = builder.last
    builder.input("small", (1, 9, 10, channels)).conv2d(8, 3).depthwise_conv2d(3)
    small = builder.last
    builder.conv2d(12, 3, stride=2, source=large).conv2d(8, 1)
    return check(builder.add(small, builder.last), concurrent=True)


@pytest.mark.parametrize("kind", ["int8", "uint8"])
@pytest.mark.parametrize("channels", [3, 4, 16])
def test_the_smaller_one_comes_first(kind: str, channels: int) -> None:
    steps = two_pictures(kind, channels)
    kinds = [type(step) for step in steps]
    first, second = (n for n, kind in enumerate(kinds) if kind is ImageInputStep)
    assert first == 0
    assert kinds[first + 1 : second] == [ConvolutionStep] * 2


def test_a_picture_for_several_readers_comes_once() -> None:
    builder = ModelBuilder("int8", seed=4).input("a", (1, 12, 8, 8))
    first = builder.last
    builder.input("b", (1, 6, 4, 4)).conv2d(8, 3)
    small = builder.last
    builder.conv2d(8, 3, stride=2, source=first)
    left = builder.last
    builder.conv2d(8, 5, stride=2, source=first).add(left, builder.last)
    steps = check(builder.add(small, builder.last), concurrent=True)
    assert sum(isinstance(step, ImageInputStep) for step in steps) == 2


@pytest.mark.parametrize("channels", [(3, 1, 2), (7, 5), (5, 6, 3), (3, 4)])
def test_pictures_in_a_row_share_the_identity_matrix(channels: tuple[int, ...]) -> None:
    builder = ModelBuilder("uint8", seed=4)
    pictures = [builder.input(f"x{n}", (1, 9, 10, c)).last for n, c in enumerate(channels)]
    steps = check(builder.concatenation(*pictures, axis=3).conv2d(5, 3), concurrent=True)
    found = [step for step in steps if isinstance(step, ImageInputStep)]
    alike = len({c % 4 > 0 for c in channels}) == 1
    assert [step.follows for step in found] == [False, *[alike] * (len(channels) - 1)]


@pytest.mark.parametrize("channels", [1, 4])
@pytest.mark.parametrize("kind", ["int8", "uint8"])
def test_pictures_behind_a_layer_that_share_an_identity(kind: str, channels: int) -> None:
    """Tiles of the first picture stand at other counts than the rest when the second one comes;
    a third one with an identity of its own leaves the shared one as it is."""
    builder = ModelBuilder(kind, seed=3).input("x", (1, 1, 6, 4))
    row = builder.conv2d(4, 1).last
    product = builder.mul(row, builder.input("y", (1, 10, 6, 4)).last).last
    third = builder.input("z", (1, 20, 12, channels)).last
    layer = builder.conv2d(8, 3, source=third).last
    size = builder.constant(np.array([40, 24], np.int32))
    options = {"align_corners": False, "half_pixel_centers": True}
    shape = (1, 40, 24, channels)
    builder.op(
        "RESIZE_BILINEAR", [third, size], shape, output=third.output, options=options, version=3
    )
    check(builder.output(product, layer, builder.last))
