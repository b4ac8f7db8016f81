"""`ModelBuilder` for deep networks: values keep their spread over any number of layers.

Weights are random, zero on average over a filter, and as large as it takes for sums of a root
mean square of `SPREAD`, as batch normalisation gives; a RELU leaves 1/sqrt(2) of it. So no layer
saturates or fades, and positions stay visible behind many layers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.model_builder import ModelBuilder
from tests.model_core import Scale, Value, out_size, pair

if TYPE_CHECKING:
    from typing_extensions import Self

SPREAD = 2.0
RECTIFIED = math.sqrt(0.5)
"""Root mean square of a normal variable behind a RELU."""

Branch = Callable[[Scale | None], Value]
"""Builds a branch whose result has the given quantisation, and returns the result."""


class NetworkBuilder(ModelBuilder):
    """Adds what public networks are made of; `rounded` scales channel counts by `width`."""

    def __init__(
        self,
        type: str = "int8",  # noqa: A002
        *,
        width: float = 1.0,
        seed: int = 0,
        per_channel: bool | None = None,
    ):
        super().__init__(type, seed=seed, per_channel=per_channel)
        self.width = width

    def rounded(self, channels: float, least: int = 8) -> int:
        """`channels` times the width, in steps of 8 and never 10% below."""
        wanted = channels * self.width
        result = max(least, int(wanted + 4) // 8 * 8)
        return result + 8 if result < 0.9 * wanted else result

    def at_width(self, channels: int) -> int:
        """`channels` times the width, at least 4."""
        return max(4, int(channels * self.width))

    def image(self, size: int | tuple[int, int], channels: int = 3) -> Self:
        height, width = pair(size)
        return self.input("input", (1, height, width, channels), scale=1 / 64)

    # Spread

    def _weights(self, shape: Sequence[int], axis: int, spread: float, per_channel: bool) -> Value:
        """As the base, for results of `SPREAD`, without the filters' averages (but those of
        depthwise filters)."""
        gain = SPREAD / max(self._source_spread, 1e-3)
        value = super()._weights(shape, axis, spread * gain, per_channel)
        if axis == 0 and math.prod(shape[1:]) >= 16:
            self._centre(value)
        return value

    def _centre(self, value: Value) -> None:
        """Takes the average of every filter away."""
        spec = self.model.tensors[value.index]
        kind = np.int8 if self.type == "int8" else np.uint8
        content = self.model.buffers[spec.buffer]
        assert isinstance(content, bytes) and spec.zero_points is not None
        filters = np.frombuffer(content, kind).reshape(value.shape[0], -1).astype(np.int16)
        middle = np.rint(filters.mean(1, keepdims=True)).astype(np.int16) - spec.zero_points[0]
        low, high = (-127, 127) if self.type == "int8" else (0, 255)
        centred = np.clip(filters - middle, low, high).astype(kind)
        self.model.buffers[spec.buffer] = centred.tobytes()

    def _pick(self, source: Value | None) -> Value:
        value = super()._pick(source)
        self._source_spread = value.spread
        return value

    def _weighted(self, name: str, source: Value, weights: Value, **more: Any) -> Self:
        super()._weighted(name, source, weights, **more)
        return self._rectified(more["activation"])

    def _binary(
        self,
        name: str,
        operands: tuple[Value, Value],
        spread: float,
        activation: str,
        output: Scale | None,
    ) -> Self:
        super()._binary(name, operands, spread, activation, output)
        return self._rectified(activation)

    def _rectified(self, activation: str) -> Self:
        if activation == "none":
            return self
        return self._set(replace(self.last, spread=self.last.spread * RECTIFIED))

    # Parts of networks

    def with_output(self, output: Scale | None) -> Value:
        """The last result; requantised where it has not the quantisation `output`."""
        if output is not None and self.last.output != output:
            self.quantize(output=output)
        return self.last

    def join(self, *branches: Branch, output: Scale | None = None) -> Self:
        """CONCATENATION of branches of one quantisation: `output`, or the first branch's."""
        values = [branches[0](output)]
        values += [branch(output or values[0].output) for branch in branches[1:]]
        return self.concatenation(*values)

    def sum_of(self, a: Value, b: Value, activation: str = "none") -> Self:
        return self.add(a, b, activation=activation)

    def padded(self, window: int | tuple[int, int], *, first: bool = False) -> Self:
        """PAD of rows and columns, as frameworks do before a strided VALID window: half of the
        window's overhang on both sides, or (`first`) the rest behind."""
        before, behind = zip(*(_margins(size, first) for size in pair(window)), strict=True)
        return self.pad([(0, 0), (before[0], behind[0]), (before[1], behind[1]), (0, 0)])

    def silu(self) -> Self:
        """x times LOGISTIC(x)."""
        value = self.last
        self.logistic()
        self.mul(value, self.last)
        return self._set(replace(self.last, spread=0.5 * value.spread))

    def transpose_conv(self, channels: int, kernel: int, stride: int) -> Self:
        """TRANSPOSE_CONV with SAME padding and a bias."""
        value = self._pick(None)
        _, height, width, depth = value.shape
        shape = (1, height * stride, width * stride, channels)
        terms = kernel * kernel * depth / stride**2
        spread = 1 / math.sqrt(terms)
        weights = self._weights((channels, kernel, kernel, depth), 0, spread, self.per_channel)
        bias = self._bias(value, weights, channels, 0.2 * SPREAD)
        options = {"padding": 0, "stride_h": stride, "stride_w": stride}
        self.op(
            "TRANSPOSE_CONV",
            [self._numbers(list(shape), "output_shape"), weights, value, bias],
            shape,
            output=self._spread_scale(SPREAD),
            options=options,
            version=3,
            spread=SPREAD,
        )
        return self

    def channel_constant(self, low: float, high: float, count: int) -> Value:
        """One random number a channel, evenly between `low` and `high`."""
        scale = float(np.float32(max(abs(low), abs(high)) / 127))
        real = self.random.uniform(low, high, count)
        kind, zero = (np.int8, 0) if self.type == "int8" else (np.uint8, 128)
        array = np.clip(np.rint(real / scale) + zero, zero - 127, zero + 127).astype(kind)
        return self.constant(array, "channels", scales=[scale], zero_points=[zero], spread=high)

    def classifier(self, classes: int = 1001, *, dense: bool = False) -> Self:
        """What is behind the last map: an average over it, logits, SOFTMAX."""
        if dense:  # as Keras does it
            self.mean().fully_connected(classes, output=self.logits)
        else:
            self.average_pool_2d(self.last.shape[1:3]).conv2d(classes, 1, output=self.logits)
            self.reshape((1, classes))
        return self.softmax()

    @property
    def logits(self) -> Scale:
        """Numbers of `SPREAD` taken for four times as large: some classes are likely."""
        scale, zero = self._spread_scale(SPREAD)
        return float(np.float32(4 * scale)), zero


def _margins(window: int, first: bool) -> tuple[int, int]:
    total = window - 1
    return (0, total) if first else (total // 2, total - total // 2)


def smaller(size: int, stride: int = 2) -> int:
    """The size behind a strided SAME window."""
    return out_size(size, 1, stride, "same")
