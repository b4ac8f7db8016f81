"""The models that are compiled: shapes of public networks with random weights, so that the
measurement needs nothing but the repository."""

from __future__ import annotations

from collections.abc import Callable

from tests.model_builder import ModelBuilder

_V1_LAYERS = (
    (1, 64),
    (2, 128),
    (1, 128),
    (2, 256),
    (1, 256),
    (2, 512),
    *((1, 512),) * 5,
    (2, 1024),
    (1, 1024),
)
"""(stride, channels) of MobileNet v1's separable layers at width 1.0."""
_V2_BLOCKS = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
"""(expansion, channels, repetitions, first stride) of MobileNet v2's blocks."""


def mobilenet_v1(width: float, size: int) -> bytes:
    """MobileNet v1, uint8, as the public quantised models are built."""

    def scaled(channels: int) -> int:
        return max(8, int(channels * width))

    builder = ModelBuilder("uint8").input("input", (1, size, size, 3))
    builder.conv2d(scaled(32), 3, stride=2, activation="relu6")
    for stride, channels in _V1_LAYERS:
        builder.depthwise_conv2d(3, stride=stride, activation="relu6")
        builder.conv2d(scaled(channels), 1, activation="relu6")
    builder.average_pool_2d(builder.last.shape[1], padding="valid")
    return builder.conv2d(1001, 1).reshape((1, 1001)).softmax().build()


def mobilenet_v2(size: int) -> bytes:
    """The chain of MobileNet v2's layers at width 1.0 without the residual additions, int8 per
    channel; 1024 channels at the end in place of 1280."""
    builder = ModelBuilder("int8").input("input", (1, size, size, 3))
    builder.conv2d(32, 3, stride=2, activation="relu6")
    for expansion, channels, repetitions, first_stride in _V2_BLOCKS:
        for number in range(repetitions):
            if expansion > 1:
                builder.conv2d(expansion * builder.last.shape[3], 1, activation="relu6")
            stride = 1 if number else first_stride
            builder.depthwise_conv2d(3, stride=stride, activation="relu6").conv2d(channels, 1)
    builder.conv2d(1024, 1, activation="relu6")
    builder.average_pool_2d(builder.last.shape[1], padding="valid")
    return builder.conv2d(1001, 1).reshape((1, 1001)).softmax().build()


MODELS: dict[str, Callable[[], bytes]] = {
    "mobilenet_v1_0.25_128": lambda: mobilenet_v1(0.25, 128),
    "mobilenet_v1_1.0_224": lambda: mobilenet_v1(1.0, 224),
    "mobilenet_v2_1.0_224": lambda: mobilenet_v2(224),
}
