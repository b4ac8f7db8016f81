"""Random networks of the operators that work on maps: chains, residuals, branches, joins.

A network is a function of its seed alone, so a seed is enough to see one again.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np

from .model_builder import ModelBuilder
from .model_core import Value

_SIZES = range(4, 18)
_ACTIVATIONS = ("none", "none", "relu", "relu6")
_CHANNELS = (1, 3, 4, 7, 8, 12, 16, 24, 65, 72)
MOST_VALUES = 24_000
"""Values of a map, so that examples stay fast."""


_T = TypeVar("_T")


class RandomMaps:
    """A network while it is drawn; `maps` are the values that may be read."""

    KINDS: tuple[str, ...] = (
        "conv",
        "depthwise",
        "sum",
        "product",
        "pointwise",
        "number",
        "resize",
        "excitation",
        "numbers",
        "extreme",
        "slope",
        "transposed",
        "root",
    )

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.builder = ModelBuilder(
            self.choose(["int8", "uint8"]), seed=seed, per_channel=self.choose([None, False])
        )
        self.maps: list[Value] = []
        self.others: list[Value] = []

    def choose(self, values: Sequence[_T]) -> _T:
        return self.random.choice(values)

    def input(self, name: str) -> None:
        shape = (1, self.choose(_SIZES), self.choose(_SIZES), self.choose([1, 2, 3, 4, 5, 8, 14]))
        self.maps.append(self.builder.input(name, shape).last)

    def pick(self) -> Value:
        """A map to read, the newest ones more often."""
        back = self.choose([0, 0, 0, 1, 1, 2, 3])
        return self.maps[max(0, len(self.maps) - 1 - back)]

    def value_of(self, index: int) -> Value:
        """The value with this tensor index."""
        return next(value for value in [*self.maps, *self.others] if value.index == index)

    def layer(self) -> None:
        """One more operator that fits."""
        getattr(self, f"_{self.choose(self.KINDS)}")()
        self.maps.append(self.builder.last)

    def _conv(self) -> None:
        kernel = self.choose([1, 1, 3, 3, 5])
        source = self.pick()
        stride = self.choose([1, 1, 2]) if min(source.shape[1:3]) >= 8 else 1
        self.builder.conv2d(
            self.choose(_CHANNELS),
            kernel,
            stride=stride,
            activation=self.choose(_ACTIVATIONS),
            source=source,
        )

    def _depthwise(self) -> None:
        source = self.pick()
        self.builder.depthwise_conv2d(
            self.choose([3, 5]),
            multiplier=self.choose([1, 1, 1, 2]) if source.shape[3] <= 24 else 1,
            activation=self.choose(_ACTIVATIONS),
            source=source,
        )

    def _transposed(self) -> None:
        source = self.pick()
        _, height, width, _ = source.shape
        channels, stride = self.choose([1, 3, 4, 8, 24]), self.choose([1, 2, 2])
        if stride**2 * height * width * channels > MOST_VALUES:
            stride = 1
        self.builder.transpose_conv(
            channels,
            self.choose([2, 3, 4]),
            stride=stride,
            bias=self.choose([True, False]),
            source=source,
        )

    def _partner(self, value: Value) -> Value:
        """Another map of the same shape: one that is there, or a convolution of this one."""
        equal = [other for other in self.maps if other.shape == value.shape]
        if len(equal) > 1 and self.choose([True, False]):
            return self.choose(equal)
        kernel = self.choose([1, 3])
        self.others.append(self.builder.conv2d(value.shape[3], kernel, source=value).last)
        return self.others[-1]

    def _sum(self) -> None:
        value = self.pick()
        pair = [value, self._partner(value)]
        activation = self.choose(_ACTIVATIONS)
        if self.choose([True, False]):
            pair.reverse()
        if pair[0] is not pair[1] and self.choose(range(4)) == 0:
            self.builder.sub(*pair, activation=activation)
        else:
            self.builder.add(*pair, activation=activation)

    def _product(self) -> None:
        value = self.pick()
        self.builder.mul(value, self._partner(value))

    def _pointwise(self) -> None:
        value = self.pick()
        kind = self.choose(["relu", "relu6", "logistic", "tanh", "quantize"])
        if kind in ("relu", "relu6"):
            self.builder.relu(six=kind == "relu6", source=value)
        else:
            getattr(self.builder, kind)(source=value)

    def _number(self) -> None:
        value = self.pick()
        real = self.choose([-2.5, -0.3, 0.0, 0.004, 0.7, 3.0])
        low, high = (-128, 127) if self.builder.type == "int8" else (0, 255)
        zero, code = (low, high) if real >= 0 else (high, low)
        kind = np.int8 if self.builder.type == "int8" else np.uint8
        constant = self.builder.constant(
            np.full(self.choose([(), (1,), value.shape[-1:]]), code, kind),
            scales=[float(np.float32(max(abs(real), 1e-3) / 255))],
            zero_points=[zero],
        )
        output = value.output if self.choose([True, False]) else None
        name = self.choose(["add", "sub", "mul", "from"])
        if name == "from":
            self.builder.sub(constant, value, output=output)
        else:
            getattr(self.builder, name)(value, constant, output=output)

    def _excitation(self) -> None:
        """A factor, or a number to add, for each channel, row, column or pixel."""
        value = self.pick()
        height, width = value.shape[1:3]
        if self.choose(range(4)) == 0:
            self.others.append(self.builder.conv2d(1, 1, source=value).last)
            self.builder.mul(value, self.others[-1])
            return
        kernel = self.choose([(height, width), (height, width), (height, 1), (1, width)])
        self.others.append(self.builder.average_pool_2d(kernel, source=value).last)
        if self.choose([True, False]):
            line = self.builder.conv2d(value.shape[3], 1, source=self.others[-1]).last
            self.others.append(line)
        pair = [value, self.others[-1]]
        if self.choose([True, False]):
            pair.reverse()
        getattr(self.builder, self.choose(["mul", "mul", "add", "sub"]))(*pair)

    def _numbers(self) -> None:
        """A constant for each channel, or of some other shape."""
        value = self.pick()
        _, height, width, channels = value.shape
        shapes = [(channels,), (1, 1, 1, channels), (height, 1, channels), (width, channels)]
        shape = self.choose([*shapes, value.shape])
        low, kind = (-128, np.int8) if self.builder.type == "int8" else (0, np.uint8)
        codes = np.random.default_rng(self.choose(range(99))).integers(0, 256, shape) + low
        constant = self.builder.constant(
            codes.astype(kind),
            scales=[float(np.float32(self.choose([0.001, 0.013, 0.2])))],
            zero_points=[low + self.choose([0, 77, 255])],
        )
        pair = [value, constant]
        if self.choose([True, False]):
            pair.reverse()
        getattr(self.builder, self.choose(["mul", "add", "sub"]))(*pair)

    def _extreme(self) -> None:
        """The larger or smaller of two values, or the square of their distance (which TensorFlow
        Lite, where a cut leaves it to the CPU, has of int8 values only)."""
        value = self.pick()
        kernel = self.choose([1, 3])
        if self.builder.type == "int8" and self.choose(range(4)) == 0:
            other = self.builder.conv2d(value.shape[3], kernel, source=value).last
            self.others.append(other)
            self.builder.squared_difference(value, other)
            return
        other = self.builder.conv2d(value.shape[3], kernel, source=value, output=value.output).last
        self.others.append(other)
        if self.choose([True, False]) and value.shape[1:3] != (1, 1):
            self.others.append(self.builder.max_pool_2d(value.shape[1:3]).last)
        pair = [value, self.others[-1]]
        if self.choose([True, False]):
            pair.reverse()
        if self.choose(range(3)) or self.builder.type == "uint8":
            self.builder.extreme(self.choose(["MAXIMUM", "MINIMUM"]), *pair)
        else:
            self.builder.squared_difference(*pair)

    def _slope(self) -> None:
        value = self.pick()
        low, kind = (-128, np.int8) if self.builder.type == "int8" else (0, np.uint8)
        codes = np.random.default_rng(self.choose(range(99))).integers(0, 256, value.shape[-1:])
        alpha = (codes + low).astype(kind).reshape(1, 1, -1)
        scale, zero = float(np.float32(self.choose([0.002, 0.01]))), low + self.choose([0, 128])
        constant = self.builder.constant(alpha, scales=[scale], zero_points=[zero])
        self.builder.prelu(constant, source=value)

    def _root(self) -> None:
        """L2_NORMALIZATION, or RSQRT of values that are not negative (which TensorFlow Lite has of
        int8 values only), not of channels that would be left to the CPU where a cut makes the
        values an input."""
        value = self.pick()
        whole = value.shape[-1] <= 64 or value.shape[-1] % 4 == 0
        low = -128 if self.builder.type == "int8" else 0
        if value.shape[-1] % 2 == 0 and self.choose(range(3)):
            self.builder.l2_normalization(source=value)
        elif self.builder.type == "int8" and whole:
            self.others.append(self.builder.relu(source=value).last)
            root = 1 / math.sqrt(value.output[0])
            scale = root / self.choose([30, 255, 700])
            self.builder.rsqrt(output=(float(np.float32(scale)), low + self.choose([0, 40])))
        else:
            self._pointwise()

    def _resize(self) -> None:
        value = self.pick()
        _, height, width, channels = value.shape
        if 4 * height * width * channels > MOST_VALUES:
            self._pointwise()
            return
        size = self.builder.constant(np.array([2 * height, 2 * width], np.int32))
        options: dict[str, Any] = {"align_corners": False, "half_pixel_centers": True}
        self.builder.op(
            "RESIZE_BILINEAR",
            [value, size],
            (1, 2 * height, 2 * width, channels),
            output=value.output,
            options=options,
            version=3,
            spread=value.spread,
        )

    def end(self) -> None:
        """What comes last."""

    def finished(self, most_layers: int) -> bytes:
        """The .tflite file; every result nobody reads is an output, and now and then one that
        somebody reads."""
        self.input("picture")
        for _ in range(self.choose(range(2, most_layers + 1))):
            self.layer()
        self.end()
        operators = self.builder.spec().operators
        read = {index for op in operators for index in op.inputs}
        results = [index for op in operators for index in op.outputs]
        outputs = [index for index in results if index not in read]
        extra = self.choose(results)
        if self.choose([True, False]) and extra not in outputs:
            outputs.append(extra)
        self.builder.output(*(self.value_of(index) for index in sorted(outputs)))
        return self.builder.build()


def network(seed: int, most_layers: int = 8) -> bytes:
    """The .tflite file of a random network."""
    return RandomMaps(seed).finished(most_layers)
