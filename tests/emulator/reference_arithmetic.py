"""What the operators of `reference` share: tensors, and the requantisation in float32."""

from __future__ import annotations

from typing import Any

import numpy as np

from compiler.frontend.graph import Graph, TensorType

F = np.float32
Array = np.ndarray[Any, Any]
_SIGNED = {TensorType.INT8: 128, TensorType.INT16: 32768}


class NoReferenceError(Exception):
    """The reference does not know an operator."""


def counted(array: Array) -> Array:
    """Values counted from the lowest of their type (only 8-bit values change)."""
    return array.view(np.uint8) ^ np.uint8(0x80) if array.dtype == np.int8 else array


def as_stored(array: Array, *, signed: bool) -> Array:
    """The other way round: counted values as an int8 (`signed`) or another tensor has them."""
    return np.asarray(array ^ np.uint8(0x80)).view(np.int8) if signed else array


def limits(scale: F, zero: int, activation: int) -> tuple[F, F]:
    """(lowest, highest) value before rounding, in output steps from the zero point."""
    inverse = F(1) / F(scale)
    low, high = (F(F(F(bound - zero) * F(scale)) * inverse) for bound in (0, 255))
    if activation in (1, 3):
        low = max(low, F(0))
    if activation == 3:
        high = min(high, F(F(6) * inverse))
    if activation == 2:
        low, high = max(low, F(-1 * inverse)), min(high, F(inverse))
    return low, high


def requantize(sums: Array, factor: Any, scale: F, zero: int, activation: int = 0) -> Array:
    low, high = limits(scale, zero, activation)
    values = np.minimum(np.maximum(sums.astype(F) * factor, low), high)
    return (np.rint(values).astype(np.int64) + zero).clip(0, 255).astype(np.uint8)


def product_factor(*scales: Any, output: F) -> Any:
    """float32 product of input scales times the reciprocal of the output's."""
    factor = scales[0]
    for scale in scales[1:]:
        factor = (np.asarray(factor, F) * np.asarray(scale, F)).astype(F)
    return np.asarray(factor, F) * (F(1) / F(output))


def image(x: Array) -> Array:
    return x.reshape(x.shape[-3:])


def integers(ref: Tensors, index: int) -> list[int]:
    data = ref.graph.tensors[index].data
    return [int(value) for value in np.asarray(data).ravel()]


class Tensors:
    """The tensors of a graph: `values` holds every tensor computed, `states` what variable
    tensors hold behind the run."""

    def __init__(self, graph: Graph, inputs: dict[int, Array]) -> None:
        self.graph = graph
        self.values: dict[int, Array] = dict(inputs)
        self.states: dict[int, Array] = {}

    def value(self, index: int) -> Array:
        if index in self.values:
            return self.values[index]
        tensor = self.graph.tensors[index]
        data = tensor.data
        if data is None and tensor.is_variable:
            kind = np.int16 if tensor.type == TensorType.INT16 else np.int8
            return counted(np.full(tensor.shape, self._quantization(index).zero_points[0], kind))
        if data is None:
            raise NoReferenceError
        return counted(np.asarray(data).reshape(self.graph.tensors[index].shape))

    def scale(self, index: int) -> Array:
        return np.array(self._quantization(index).scales, F)

    def zero(self, index: int) -> int:
        tensor = self.graph.tensors[index]
        return self._quantization(index).zero_points[0] + _SIGNED.get(tensor.type, 0)

    def _quantization(self, index: int) -> Any:
        quantization = self.graph.tensors[index].quantization
        if quantization is None or not quantization.scales:
            raise NoReferenceError
        return quantization
