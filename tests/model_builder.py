"""Makes small quantised TensorFlow Lite models in memory, for the tests of every stage.

    model = ModelBuilder(seed=1).input("x", (1, 8, 8, 3)).conv2d(16, 3).average_pool_2d(2).build()

Every layer reads the last result (or `source=`), and its result becomes the last one; `last`
is a handle to keep for branches:

    builder = ModelBuilder("uint8").input("x", (1, 8, 8, 16))
    trunk = builder.last
    model = builder.conv2d(16, 3).add(trunk, builder.last).build()

Weights are random from `seed`; output scales follow from the expected spread of the values, so
that results use their range and seldom saturate. `output=(scale, zero_point)` overrides them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .model_core import ACTIVATIONS, NUMPY, Scale, Value, middle, out_size, pair, window
from .model_layers import SAME_SCALE_VERSION, ShapeLayers

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["ModelBuilder", "Scale", "Value"]
INT8_VERSIONS = {"CONV_2D": 3, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 4}


class ModelBuilder(ShapeLayers):
    """`type`: "int8" or "uint8" activations. `per_channel` weights: by default for int8 only."""

    def _spread_scale(self, spread: float, activation: str = "none") -> Scale:
        """The quantisation of values with this root mean square behind `activation`."""
        low, high = -3 * spread, 3 * spread
        low = {"none": low, "relu_n1_to_1": max(low, -1.0)}.get(activation, 0.0)
        high = min(high, {"relu6": 6.0, "relu_n1_to_1": 1.0}.get(activation, high))
        scale = float(np.float32((high - low) / 255))
        lowest = -128 if self.type == "int8" else 0
        return scale, lowest + round(-low / scale)

    def _weights(self, shape: Sequence[int], axis: int, spread: float, per_channel: bool) -> Value:
        """Random weights whose real values have the root mean square `spread`."""
        count = shape[axis] if per_channel else 1
        levels = 40.0
        scales = spread / levels * self.random.uniform(0.5, 1.5, count)
        zero = 0 if self.type == "int8" else int(self.random.integers(110, 146))
        low, high = (-127, 127) if self.type == "int8" else (0, 255)
        raw = np.rint(self.random.normal(zero, levels, tuple(shape)))
        array = np.clip(raw, low, high).astype(NUMPY[self.type])
        exact = [float(np.float32(scale)) for scale in scales]
        return self.constant(
            array,
            "weights",
            scales=exact,
            zero_points=[zero] * count,
            axis=axis,
            spread=spread,
        )

    def _bias(self, source: Value, weights: Value, count: int, spread: float) -> Value:
        scales = self.model.tensors[weights.index].scales or ()
        exact = [float(np.float32(source.scale * scale)) for scale in scales]
        real = self.random.normal(0, spread, count)
        array = np.rint(real / np.asarray(exact)).astype(np.int32)
        return self.constant(array, "bias", scales=exact)

    def _weighted(
        self,
        name: str,
        source: Value,
        weights: Value,
        *,
        shape: Sequence[int],
        options: dict[str, Any],
        activation: str,
        bias: bool,
        output: Scale | None,
        terms: int,
    ) -> Self:
        spread = source.spread * weights.spread * math.sqrt(terms)
        values = None
        if bias or name != "FULLY_CONNECTED":  # TFLite's quantised convolutions need one
            values = self._bias(source, weights, shape[-1], 0.2 * spread if bias else 0.0)
        return self.op(
            name,
            [source, weights, values],
            shape,
            output=output or self._spread_scale(spread, activation),
            options={"fused_activation_function": ACTIVATIONS[activation], **options},
            version=INT8_VERSIONS[name] if self.type == "int8" else 1,
            spread=spread,
        )

    # Layers with weights

    def conv2d(
        self,
        channels: int,
        kernel: int | tuple[int, int],
        *,
        stride: int | tuple[int, int] = 1,
        padding: str = "same",
        dilation: int | tuple[int, int] = 1,
        activation: str = "none",
        bias: bool = True,
        source: Value | None = None,
        output: Scale | None = None,
    ) -> Self:
        """CONV_2D; pairs are (height, width). Without `bias` it is a vector of zeros."""
        value = self._pick(source)
        batch, height, width, depth = value.shape
        (kh, kw), (sh, sw), (dh, dw) = pair(kernel), pair(stride), pair(dilation)
        terms = kh * kw * depth
        weights = self._weights(
            (channels, kh, kw, depth), 0, 1 / math.sqrt(terms), self.per_channel
        )
        shape = (
            batch,
            out_size(height, (kh - 1) * dh + 1, sh, padding),
            out_size(width, (kw - 1) * dw + 1, sw, padding),
            channels,
        )
        options = {**window(padding, sh, sw), "dilation_h_factor": dh, "dilation_w_factor": dw}
        return self._weighted(
            "CONV_2D",
            value,
            weights,
            shape=shape,
            options=options,
            activation=activation,
            bias=bias,
            output=output,
            terms=terms,
        )

    def transpose_conv(
        self,
        channels: int,
        kernel: int | tuple[int, int],
        *,
        stride: int | tuple[int, int] = 2,
        padding: str = "same",
        size: tuple[int, int] | None = None,
        bias: bool = True,
        source: Value | None = None,
        output: Scale | None = None,
    ) -> Self:
        """TRANSPOSE_CONV to `size` (default: what Keras makes); pairs are (height, width).
        Without `bias` it has none."""
        value = self._pick(source)
        batch, height, width, depth = value.shape
        (kh, kw), (sh, sw) = pair(kernel), pair(stride)
        more = (max(kh - sh, 0), max(kw - sw, 0)) if padding == "valid" else (0, 0)
        rows, columns = size or (height * sh + more[0], width * sw + more[1])
        terms = max(kh * kw // (sh * sw), 1) * depth
        weights = self._weights(
            (channels, kh, kw, depth), 0, 1 / math.sqrt(terms), self.per_channel
        )
        shape = self._numbers([batch, rows, columns, channels], "output shape")
        spread = value.spread * weights.spread * math.sqrt(terms)
        inputs = [shape, weights, value]
        if bias:
            inputs.append(self._bias(value, weights, channels, 0.2 * spread))
        return self.op(
            "TRANSPOSE_CONV",
            inputs,
            (batch, rows, columns, channels),
            output=output or self._spread_scale(spread, "none"),
            options=window(padding, sh, sw),
            version=3 if bias else 2 if self.type == "int8" else 1,
            spread=spread,
        )

    def depthwise_conv2d(
        self,
        kernel: int | tuple[int, int],
        *,
        multiplier: int = 1,
        stride: int | tuple[int, int] = 1,
        padding: str = "same",
        dilation: int | tuple[int, int] = 1,
        activation: str = "none",
        bias: bool = True,
        source: Value | None = None,
        output: Scale | None = None,
    ) -> Self:
        """DEPTHWISE_CONV_2D; pairs are (height, width)."""
        value = self._pick(source)
        batch, height, width, depth = value.shape
        (kh, kw), (sh, sw), (dh, dw) = pair(kernel), pair(stride), pair(dilation)
        channels = depth * multiplier
        weights = self._weights((1, kh, kw, channels), 3, 1 / math.sqrt(kh * kw), self.per_channel)
        shape = (
            batch,
            out_size(height, (kh - 1) * dh + 1, sh, padding),
            out_size(width, (kw - 1) * dw + 1, sw, padding),
            channels,
        )
        options = {**window(padding, sh, sw), "depth_multiplier": multiplier}
        options |= {"dilation_h_factor": dh, "dilation_w_factor": dw}
        return self._weighted(
            "DEPTHWISE_CONV_2D",
            value,
            weights,
            shape=shape,
            options=options,
            activation=activation,
            bias=bias,
            output=output,
            terms=kh * kw,
        )

    def fully_connected(
        self,
        units: int,
        *,
        activation: str = "none",
        bias: bool = True,
        keep_num_dims: bool = False,
        per_channel: bool = False,
        source: Value | None = None,
        output: Scale | None = None,
    ) -> Self:
        """FULLY_CONNECTED over the last dimension (kept dimensions) or over all but the first."""
        value = self._pick(source)
        depth = value.shape[-1] if keep_num_dims else math.prod(value.shape[1:])
        weights = self._weights((units, depth), 0, 1 / math.sqrt(depth), per_channel)
        shape = (*value.shape[:-1], units) if keep_num_dims else (value.shape[0], units)
        options = {"keep_num_dims": keep_num_dims}
        return self._weighted(
            "FULLY_CONNECTED",
            value,
            weights,
            shape=shape,
            options=options,
            activation=activation,
            bias=bias,
            output=output,
            terms=depth,
        )

    # Elementwise

    def _binary(
        self,
        name: str,
        operands: tuple[Value, Value],
        spread: float,
        activation: str,
        output: Scale | None,
    ) -> Self:
        options = {"fused_activation_function": ACTIVATIONS[activation]}
        return self.op(
            name,
            operands,
            np.broadcast_shapes(operands[0].shape, operands[1].shape),
            output=output or self._spread_scale(spread, activation),
            options=options,
            version=2 if self.type == "int8" else 1,
            spread=spread,
        )

    def add(
        self, a: Value, b: Value, *, activation: str = "none", output: Scale | None = None
    ) -> Self:
        """ADD."""
        return self._binary("ADD", (a, b), math.hypot(a.spread, b.spread), activation, output)

    def sub(
        self, a: Value, b: Value, *, activation: str = "none", output: Scale | None = None
    ) -> Self:
        """SUB."""
        return self._binary("SUB", (a, b), math.hypot(a.spread, b.spread), activation, output)

    def mul(
        self, a: Value, b: Value, *, activation: str = "none", output: Scale | None = None
    ) -> Self:
        """MUL."""
        return self._binary("MUL", (a, b), a.spread * b.spread, activation, output)

    def extreme(self, name: str, a: Value, b: Value) -> Self:
        """MAXIMUM or MINIMUM, of values with one quantisation."""
        shape = np.broadcast_shapes(a.shape, b.shape)
        return self.op(name, (a, b), shape, output=a.output, version=2, spread=a.spread)

    def squared_difference(self, a: Value, b: Value, *, output: Scale | None = None) -> Self:
        """SQUARED_DIFFERENCE."""
        shape, spread = np.broadcast_shapes(a.shape, b.shape), a.spread**2 + b.spread**2
        scale = output or self._spread_scale(spread, "relu")
        return self.op("SQUARED_DIFFERENCE", (a, b), shape, output=scale, spread=spread)

    def prelu(
        self, alpha: Value, *, source: Value | None = None, output: Scale | None = None
    ) -> Self:
        """PRELU."""
        value = self._pick(source)
        scale = output or self._spread_scale(value.spread)
        return self.op("PRELU", (value, alpha), value.shape, output=scale, spread=value.spread)

    def _table_op(
        self, name: str, source: Value | None, scale: Scale, options: dict[str, Any], spread: float
    ) -> Self:
        value = self._pick(source)
        version = SAME_SCALE_VERSION if value.type == "int8" else 1
        return self.op(
            name,
            [value],
            value.shape,
            output=scale,
            options=options,
            version=version,
            spread=spread,
        )

    def softmax(self, *, beta: float = 1.0, source: Value | None = None) -> Self:
        """SOFTMAX over the last dimension."""
        scale = (1 / 256, -128 if self.type == "int8" else 0)
        return self._table_op("SOFTMAX", source, scale, {"beta": beta}, 0.3)

    def logistic(self, *, source: Value | None = None) -> Self:
        """LOGISTIC."""
        scale = (1 / 256, -128 if self.type == "int8" else 0)
        return self._table_op("LOGISTIC", source, scale, {}, 0.6)

    def tanh(self, *, source: Value | None = None) -> Self:
        """TANH."""
        return self._table_op("TANH", source, (1 / 128, middle(self.type)), {}, 0.6)

    def l2_normalization(self, *, source: Value | None = None) -> Self:
        """L2_NORMALIZATION over the last dimension."""
        channels = self._pick(source).shape[-1]
        scale = (1 / 128, middle(self.type))
        return self._table_op("L2_NORMALIZATION", source, scale, {}, 1 / math.sqrt(channels))

    def rsqrt(self, *, output: Scale, source: Value | None = None) -> Self:
        """RSQRT."""
        return self._table_op("RSQRT", source, output, {}, 1.0)

    def relu(self, *, six: bool = False, source: Value | None = None) -> Self:
        """RELU or RELU6 with the quantisation of the input."""
        value = self._pick(source)
        return self._same("RELU6" if six else "RELU", [value], value.shape)

    def quantize(
        self,
        type: str = "",  # noqa: A002
        output: Scale | None = None,
        *,
        source: Value | None = None,
    ) -> Self:
        """QUANTIZE to `type` and `output` (default: the builder's type, a fitting scale)."""
        value, kind = self._pick(source), type or self.type
        scale = output or (float(np.float32(6 * value.spread / 255)), middle(kind))
        return self.op(
            "QUANTIZE", [value], value.shape, type=kind, output=scale, spread=value.spread
        )

    def dequantize(self, *, source: Value | None = None) -> Self:
        """DEQUANTIZE to float32."""
        value = self._pick(source)
        version = SAME_SCALE_VERSION if value.type == "int8" else 1
        return self.op(
            "DEQUANTIZE",
            [value],
            value.shape,
            type="float32",
            version=version,
            spread=value.spread,
        )
