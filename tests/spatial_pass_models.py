"""Models whose maps do not fit into a small narrow memory, each with its words a tile."""

from __future__ import annotations

import numpy as np

from .model_builder import ModelBuilder, Value


def picture(height: int, width: int, channels: int, kind: str = "int8") -> ModelBuilder:
    return ModelBuilder(kind, seed=1).input("x", (1, height, width, channels))


def deep(kind: str = "int8") -> ModelBuilder:
    """Small at both ends, wide in the middle."""
    model = picture(41, 29, 3, kind).conv2d(8, 3, stride=2).depthwise_conv2d(3)
    return model.conv2d(32, 1).depthwise_conv2d(3, stride=2).conv2d(8, 1).conv2d(12, 3)


def on_chip() -> ModelBuilder:
    """The wide middle follows layers that fit."""
    model = picture(17, 19, 4).conv2d(8, 1).conv2d(48, 1).depthwise_conv2d(3)
    return model.conv2d(8, 1).conv2d(4, 1)


def pooled(kind: str = "int8") -> ModelBuilder:
    """Pools inside, in front of and behind the wide middle."""
    model = picture(45, 33, 4, kind).max_pool_2d(3, stride=1, padding="same")
    model = model.conv2d(40, 3).average_pool_2d(3, stride=1, padding="same")
    return model.conv2d(40, 1).max_pool_2d(2).conv2d(8, 1)


def swish(model: ModelBuilder) -> ModelBuilder:
    """x * sigmoid(x)."""
    value = model.last
    return model.mul(value, model.logistic(source=value).last)


def gated(kind: str = "int8") -> ModelBuilder:
    """Activations of several operators around the wide middle."""
    model = swish(picture(26, 21, 4, kind).conv2d(8, 3).conv2d(24, 1))
    return swish(model.depthwise_conv2d(3, stride=2)).conv2d(8, 1)


def by_value() -> ModelBuilder:
    """Sums, products and functions of each value in the wide middle."""
    model = picture(26, 21, 4).conv2d(8, 3).conv2d(24, 1)
    value = model.last
    other = model.add(value, model.tanh(source=value).last).last
    model.sub(model.relu(source=other).last, other).quantize(output=(0.02, 3))
    return model.mul(model.last, model.last).depthwise_conv2d(3, stride=2).conv2d(8, 1)


def numbers(model: ModelBuilder, *values: int) -> Value:
    """A constant of 0.02 times the values."""
    kind = np.int8 if model.type == "int8" else np.uint8
    return model.constant(np.array(values, kind), scales=[0.02], zero_points=[0])


def slopes() -> ModelBuilder:
    """PRELU with slopes of channels and with one, MINIMUM, and squares of differences."""
    model = picture(26, 21, 4).conv2d(8, 3).conv2d(24, 1)
    model.prelu(numbers(model, *range(24)))
    value = model.last
    smaller = model.extreme("MINIMUM", value, model.relu(source=value).last).last
    model.squared_difference(smaller, model.relu(source=smaller).last)
    return model.depthwise_conv2d(3, stride=2).prelu(numbers(model, *[7] * 24)).conv2d(8, 1)


def shifted() -> ModelBuilder:
    """A number is taken from a picture too large for the memory, as a bias."""
    model = picture(60, 52, 3)
    value = model.last
    model = model.sub(value, numbers(model, 9), output=value.output).mul(
        model.last, numbers(model, 90)
    )
    return model.conv2d(24, 3, stride=2).depthwise_conv2d(3, stride=2).conv2d(8, 1)


def block(model: ModelBuilder, channels: int, *, stride: int = 1, kernel: int = 3) -> ModelBuilder:
    """A bottleneck and its sum with what goes around it."""
    value = model.last
    model.conv2d(8, 1).conv2d(8, kernel, stride=stride, activation="relu").conv2d(channels, 1)
    around = value
    result = model.last
    if value.shape != result.shape:
        around = model.conv2d(channels, 1, stride=stride, source=value).last
    return model.add(result, around, activation="relu")


def residual(kind: str = "int8") -> ModelBuilder:
    """Sums of maps of which passes see parts of different size."""
    model = picture(27, 23, 4, kind).conv2d(32, 3)
    return block(block(model, 32), 32, kernel=5).conv2d(8, 3, stride=2)


def projected() -> ModelBuilder:
    """The run goes on to the block that makes the map smaller."""
    model = block(block(picture(26, 23, 4).conv2d(8, 3), 64), 64, kernel=5)
    return block(model, 32, stride=2).conv2d(8, 1)


def branches(kind: str = "int8") -> ModelBuilder:
    """Joint maps of convolutions of several sizes, a pool, and what the branches begin with."""
    model = picture(27, 23, 4, kind).conv2d(32, 3)
    for _ in range(2):
        value = model.last
        first = model.conv2d(8, 1, source=value, activation="relu").last
        wide = model.conv2d(12, 1, source=value).conv2d(16, 3, output=first.output).last
        model.max_pool_2d(3, stride=1, padding="same", source=value)
        model.concatenation(first, wide, model.conv2d(8, 1, output=first.output).last)
    return model.conv2d(8, 3, stride=2)


def dense() -> ModelBuilder:
    """Every block adds channels to those it reads."""
    model = picture(26, 23, 4).conv2d(16, 3)
    for _ in range(3):
        value = model.last
        model.conv2d(16, 1, activation="relu").conv2d(8, 3, output=value.output)
        model.concatenation(value, model.last)
    return model.conv2d(8, 1, stride=2)


def shared() -> ModelBuilder:
    """The input of the passes is read by another layer, too."""
    model = picture(17, 19, 4).conv2d(8, 1)
    trunk = model.last
    side = model.conv2d(8, 3, source=trunk).last
    model = model.conv2d(48, 1, source=trunk).depthwise_conv2d(3).conv2d(8, 1)
    return model.add(side, model.last)


MODELS = {
    "one layer": (picture(33, 35, 3).conv2d(8, 3), 320),
    "odd rows": (picture(33, 35, 3).conv2d(8, 3, stride=2).conv2d(16, 1).conv2d(8, 3), 336),
    "deep": (deep(), 336),
    "deep uint8": (deep("uint8"), 336),
    "on chip": (on_chip(), 560),
    "large result": (picture(40, 40, 4).conv2d(16, 3), 500),
    "large kernel": (picture(36, 30, 1).conv2d(4, 9), 260),
    "shared input": (shared(), 700),
    "pools": (pooled(), 500),
    "pools uint8": (pooled("uint8"), 700),
    "gated": (gated(), 620),
    "gated uint8": (gated("uint8"), 800),
    "by value": (by_value(), 620),
    "residual": (residual(), 1000),
    "residual uint8": (residual("uint8"), 1000),
    "projected": (projected(), 1300),
    "branches": (branches(), 700),
    "branches uint8": (branches("uint8"), 900),
    "dense": (dense(), 800),
    "slopes": (slopes(), 620),
    "shifted": (shifted(), 400),
    "words": (picture(30, 26, 8).conv2d(24, 3).conv2d(8, 3, stride=2), 400),
}
