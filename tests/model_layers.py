"""Layers of `model_builder` without weights whose result keeps the input's quantisation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .model_core import ACTIVATIONS, GraphBuilder, Scale, Value, out_size, pair, window

if TYPE_CHECKING:
    from typing_extensions import Self

SAME_SCALE_VERSION = 2
"""Version of most operators that takes int8."""


class ShapeLayers(GraphBuilder):
    """Pooling, data movement, MEAN."""

    # Layers that keep their input's quantisation

    def _pool(
        self,
        name: str,
        kernel: int | tuple[int, int],
        stride: int | tuple[int, int] | None,
        padding: str,
        *,
        source: Value | None,
        activation: str,
    ) -> Self:
        value = self._pick(source)
        (kh, kw), (sh, sw) = pair(kernel), pair(kernel if stride is None else stride)
        batch, height, width, depth = value.shape
        shape = (
            batch,
            out_size(height, kh, sh, padding),
            out_size(width, kw, sw, padding),
            depth,
        )
        options = {**window(padding, sh, sw), "filter_height": kh, "filter_width": kw}
        options["fused_activation_function"] = ACTIVATIONS[activation]
        return self._same(name, [value], shape, options)

    def average_pool_2d(
        self,
        kernel: int | tuple[int, int],
        *,
        stride: int | tuple[int, int] | None = None,
        padding: str = "valid",
        activation: str = "none",
        source: Value | None = None,
    ) -> Self:
        """AVERAGE_POOL_2D; the stride is the kernel unless given."""
        return self._pool(
            "AVERAGE_POOL_2D", kernel, stride, padding, source=source, activation=activation
        )

    def max_pool_2d(
        self,
        kernel: int | tuple[int, int],
        *,
        stride: int | tuple[int, int] | None = None,
        padding: str = "valid",
        activation: str = "none",
        source: Value | None = None,
    ) -> Self:
        """MAX_POOL_2D; the stride is the kernel unless given."""
        return self._pool(
            "MAX_POOL_2D", kernel, stride, padding, source=source, activation=activation
        )

    def _same(
        self,
        name: str,
        inputs: Sequence[Value],
        shape: Sequence[int],
        options: dict[str, Any] | None = None,
        first: int = 0,
        **more: Any,
    ) -> Self:
        value = inputs[first]
        output = value.output if value.scale else None
        version = SAME_SCALE_VERSION if value.type == "int8" and name != "RESHAPE" else 1
        more = {"version": version, "spread": value.spread, **more}
        return self.op(name, inputs, shape, type=value.type, output=output, options=options, **more)

    def _numbers(self, numbers: Any, name: str) -> Value:
        return self.constant(np.asarray(numbers, np.int32), name)

    def reshape(self, shape: Sequence[int], *, source: Value | None = None) -> Self:
        """RESHAPE to a shape without -1."""
        value = self._pick(source)
        assert math.prod(shape) == math.prod(value.shape), "reshape keeps the element count"
        target = self._numbers(list(shape), "shape")
        return self._same("RESHAPE", [value, target], shape, {"new_shape": list(shape)})

    def expand_dims(self, axis: int, *, source: Value | None = None) -> Self:
        """EXPAND_DIMS: a dimension of 1 in front of `axis` of the result."""
        value = self._pick(source)
        shape = list(value.shape)
        shape.insert(axis if axis >= 0 else len(shape) + 1 + axis, 1)
        return self._same("EXPAND_DIMS", [value, self._numbers(axis, "axis")], shape, version=1)

    def pad(self, pads: Sequence[tuple[int, int]], *, source: Value | None = None) -> Self:
        """PAD by (before, after) of every dimension."""
        value = self._pick(source)
        sizes = [size + sum(pad) for size, pad in zip(value.shape, pads, strict=True)]
        return self._same("PAD", [value, self._numbers(list(pads), "paddings")], sizes)

    def transpose(self, order: Sequence[int], *, source: Value | None = None) -> Self:
        """TRANSPOSE."""
        value = self._pick(source)
        shape = [value.shape[axis] for axis in order]
        return self._same("TRANSPOSE", [value, self._numbers(list(order), "order")], shape)

    def strided_slice(
        self,
        begin: Sequence[int],
        end: Sequence[int],
        strides: Sequence[int] | None = None,
        *,
        source: Value | None = None,
    ) -> Self:
        """STRIDED_SLICE without masks."""
        value = self._pick(source)
        steps = list(strides or [1] * len(begin))
        bounds = zip(value.shape, begin, end, steps, strict=True)
        shape = [len(range(*slice(b, e, s).indices(size))) for size, b, e, s in bounds]
        numbers = [
            self._numbers(list(items), name)
            for items, name in ((begin, "begin"), (end, "end"), (steps, "strides"))
        ]
        return self._same("STRIDED_SLICE", [value, *numbers], shape)

    def split(self, parts: int, axis: int = -1, *, source: Value | None = None) -> list[Value]:
        """SPLIT into equal parts; returns their handles (the first one is `last`)."""
        value = self._pick(source)
        axis %= len(value.shape)
        shape = list(value.shape)
        shape[axis] //= parts
        where = self.constant(np.asarray(axis, np.int32), "axis")
        options = {"num_splits": parts}
        self._same("SPLIT", [where, value], shape, options, 1, more_outputs=parts - 1)
        first = self.last
        return [
            Value(first.index + i, first.shape, first.type, *first.output, first.spread)
            for i in range(parts)
        ]

    def resize_bilinear(
        self,
        size: tuple[int, int],
        *,
        align_corners: bool = False,
        half_pixel_centers: bool = False,
        source: Value | None = None,
    ) -> Self:
        """RESIZE_BILINEAR to (height, width)."""
        return self._resize(
            "RESIZE_BILINEAR", size, align_corners, half_pixel_centers, self._pick(source)
        )

    def resize_nearest_neighbor(
        self,
        size: tuple[int, int],
        *,
        align_corners: bool = False,
        half_pixel_centers: bool = False,
        source: Value | None = None,
    ) -> Self:
        """RESIZE_NEAREST_NEIGHBOR to (height, width)."""
        return self._resize(
            "RESIZE_NEAREST_NEIGHBOR", size, align_corners, half_pixel_centers, self._pick(source)
        )

    def _resize(
        self, name: str, size: tuple[int, int], corners: bool, centers: bool, value: Value
    ) -> Self:
        shape = (value.shape[0], *size, value.shape[3])
        options = {"align_corners": corners, "half_pixel_centers": centers}
        return self._same(name, [value, self._numbers(list(size), "size")], shape, options)

    def concatenation(self, *values: Value, axis: int = -1) -> Self:
        """CONCATENATION of values of one quantisation (TFLite's int8 kernel asks for that)."""
        same = len({value.output for value in values}) == 1
        assert same or self.type == "uint8", "give the inputs the same output=(scale, zero_point)"
        axis %= len(values[0].shape)
        shape = list(values[0].shape)
        shape[axis] = sum(value.shape[axis] for value in values)
        widest = max(range(len(values)), key=lambda i: values[i].scale)
        return self._same("CONCATENATION", list(values), shape, {"axis": axis}, widest)

    def mean(
        self,
        axes: Sequence[int] = (1, 2),
        *,
        keep_dims: bool = False,
        source: Value | None = None,
        output: Scale | None = None,
    ) -> Self:
        """MEAN over `axes`; the input's quantisation unless given."""
        value = self._pick(source)
        sizes = [1 if axis in axes else size for axis, size in enumerate(value.shape)]
        shape = [s for axis, s in enumerate(sizes) if keep_dims or axis not in axes]
        inputs = [value, self._numbers(list(axes), "axes")]
        version = SAME_SCALE_VERSION if value.type == "int8" else 1
        return self.op(
            "MEAN",
            inputs,
            shape,
            options={"keep_dims": keep_dims},
            version=version,
            spread=value.spread,
            output=output or value.output,
        )
