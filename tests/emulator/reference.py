"""Reference arithmetic of the chip, operator by operator, straight from a .tflite graph.

Independent of the emulator: it knows no instruction, only what each TFLite operator must give
when sums are exact, the requantisation is one float32 multiplication, clamps come before the
rounding and halves round to even. Values are counted from the lowest value of their type, so
int8 tensors appear as uint8 (+128); shapes are the tensors' own.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from compiler.frontend.graph import Graph, Operator, TensorType
from compiler.lowering.lookup_tables import lookup_tables

from .lstm_reference import lstm

F = np.float32
Array = np.ndarray[Any, Any]
_SIGNED = {TensorType.INT8: 128, TensorType.INT16: 32768}


class NoReferenceError(Exception):
    """The reference does not know an operator."""


class Reference:
    """Evaluates a graph's operators in order; `values` holds every tensor computed, `states`
    what variable tensors hold behind the run."""

    def __init__(self, graph: Graph, inputs: dict[int, Array]) -> None:
        self.graph = graph
        self.values: dict[int, Array] = dict(inputs)
        self.unknown: set[str] = set()
        self.states: dict[int, Array] = {}

    def run(self) -> dict[int, Array]:
        """All tensors that can be computed; `unknown` names operators that cannot."""
        for op in self.graph.operators:
            if op.outputs[0] in self.values:
                continue
            try:
                results = OPERATORS[op.name](self, op)
            except KeyError:
                self.unknown.add(op.name)
                continue
            except NoReferenceError:
                continue
            results = results if isinstance(results, tuple) else (results,)
            for index, result in zip(op.outputs, results, strict=True):
                self.values[index] = result.reshape(self.graph.tensors[index].shape)
        return self.values

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


def counted(array: Array) -> Array:
    """Values counted from the lowest of their type (only 8-bit values change)."""
    return array.view(np.uint8) ^ np.uint8(0x80) if array.dtype == np.int8 else array


# -- requantisation -----------------------------------------------------------------------------


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


# -- windows ------------------------------------------------------------------------------------


def _padding(size: int, window: int, stride: int, same: bool) -> tuple[int, int, int]:
    """(outputs, padding before, behind)."""
    if not same:
        return (size - window) // stride + 1, 0, 0
    count = -(-size // stride)
    total = max(0, (count - 1) * stride + window - size)
    return count, total // 2, total - total // 2


def windows(x: Array, size: tuple[int, int], op: Operator, dilated: bool) -> Array:
    """x (y, x, c) -> (window y, window x, out y, out x, c), zeros outside."""
    strides = op.options["stride_h"], op.options["stride_w"]
    dilation = (
        (op.options["dilation_h_factor"], op.options["dilation_w_factor"]) if dilated else (1, 1)
    )
    same = int(op.options["padding"]) == 0
    reach = [(k - 1) * d + 1 for k, d in zip(size, dilation, strict=True)]
    outs, pads = [], []
    for axis in range(2):
        count, before, behind = _padding(x.shape[axis], reach[axis], strides[axis], same)
        outs.append(count)
        pads.append((before, behind))
    padded = np.pad(x, (*pads, (0, 0)))

    def part(axis: int, k: int) -> slice:
        first = k * dilation[axis]
        return slice(first, first + (outs[axis] - 1) * strides[axis] + 1, strides[axis])

    return np.stack(
        [np.stack([padded[part(0, i), part(1, j)] for j in range(size[1])]) for i in range(size[0])]
    )


def _image(x: Array) -> Array:
    return x.reshape(x.shape[-3:])


# -- operators ----------------------------------------------------------------------------------


def _bias(ref: Reference, op: Operator) -> Array | int:
    return (
        ref.value(op.inputs[2]).astype(np.int64) if len(op.inputs) > 2 and op.inputs[2] >= 0 else 0
    )


def convolution(ref: Reference, op: Operator) -> Array:
    x, w, out = op.inputs[0], op.inputs[1], op.outputs[0]
    source = _image(ref.value(x)).astype(np.float64) - ref.zero(x)
    weights = ref.value(w).astype(np.float64) - ref.zero(w)
    parts = windows(source, weights.shape[1:3], op, dilated=True)
    if op.name == "DEPTHWISE_CONV_2D":
        multiplier = weights.shape[3] // source.shape[2]
        parts = np.repeat(parts, multiplier, axis=4)
        sums = np.einsum("ijyxc,ijc->yxc", parts, weights[0])
    else:
        rows = parts.transpose(2, 3, 0, 1, 4).reshape(*parts.shape[2:4], -1)
        sums = rows @ weights.reshape(len(weights), -1).T
    factor = product_factor(ref.scale(x)[0], ref.scale(w), output=ref.scale(out)[0])
    activation = int(op.options["fused_activation_function"])
    return requantize(sums + _bias(ref, op), factor, ref.scale(out)[0], ref.zero(out), activation)


def transposed_convolution(ref: Reference, op: Operator) -> Array:
    """Every input adds its products to the outputs under its filter."""
    w, x, out = op.inputs[1], op.inputs[2], op.outputs[0]
    source = _image(ref.value(x)).astype(np.float64) - ref.zero(x)
    weights = ref.value(w).astype(np.float64) - ref.zero(w)
    size, kernel = ref.graph.tensors[out].shape[1:], weights.shape[1:3]
    strides = op.options["stride_h"], op.options["stride_w"]
    reach = [(n - 1) * s + k for n, s, k in zip(source.shape, strides, kernel, strict=False)]
    whole = np.zeros((*np.add(reach, size[:2]), size[2]))
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            rows = slice(i, i + strides[0] * source.shape[0], strides[0])
            columns = slice(j, j + strides[1] * source.shape[1], strides[1])
            whole[rows, columns] += source @ weights[:, i, j].T
    same = int(op.options["padding"]) == 0
    top, left = (
        max((-(-n // s) - 1) * s + k - n, 0) // 2 if same else 0
        for n, s, k in zip(size[:2], strides, kernel, strict=True)
    )
    sums = whole[top : top + size[0], left : left + size[1]]
    bias = ref.value(op.inputs[3]).astype(np.int64) if len(op.inputs) > 3 else 0
    factor = product_factor(ref.scale(x)[0], ref.scale(w), output=ref.scale(out)[0])
    return requantize(sums + bias, factor, ref.scale(out)[0], ref.zero(out))


def fully_connected(ref: Reference, op: Operator) -> Array:
    x, w, out = op.inputs[0], op.inputs[1], op.outputs[0]
    weights = ref.value(w).astype(np.float64) - ref.zero(w)
    rows = ref.value(x).reshape(-1, weights.shape[1]).astype(np.float64) - ref.zero(x)
    factor = product_factor(ref.scale(x)[0], ref.scale(w), output=ref.scale(out)[0])
    sums = rows @ weights.T + _bias(ref, op)
    activation = int(op.options["fused_activation_function"])
    return requantize(sums, factor, ref.scale(out)[0], ref.zero(out), activation)


def quantize(ref: Reference, op: Operator) -> Array:
    x, out = op.inputs[0], op.outputs[0]
    value = ref.value(x)
    if value.dtype.kind == "f":
        raise NoReferenceError
    sums = value.astype(np.int64) - ref.zero(x)
    if ref.scale(x)[0] == ref.scale(out)[0]:
        return (sums + ref.zero(out)).clip(0, 255).astype(np.uint8)
    factor = product_factor(ref.scale(x)[0], output=ref.scale(out)[0])
    return requantize(sums, factor, ref.scale(out)[0], ref.zero(out))


def rectify(ref: Reference, op: Operator) -> Array:
    """RELU, RELU_N1_TO_1, RELU6."""
    x, out = op.inputs[0], op.outputs[0]
    sums = ref.value(x).astype(np.int64) - ref.zero(x)
    factor = product_factor(ref.scale(x)[0], output=ref.scale(out)[0])
    activation = {"RELU": 1, "RELU_N1_TO_1": 2, "RELU6": 3}[op.name]
    return requantize(sums, factor, ref.scale(out)[0], ref.zero(out), activation)


def number(ref: Reference, op: Operator) -> tuple[int, int, F] | None:
    """(tensor, constant operand, its real value) of an operator with one number."""
    for x, c in (op.inputs, op.inputs[::-1]):
        constant = ref.graph.tensors[c]
        if constant.data is not None and len(np.unique(constant.data)) == 1:
            step = F(float(ref.value(c).ravel()[0]) - ref.zero(c))
            return x, c, F(ref.scale(c)[0] * step)
    return None


def _scaled(ref: Reference, op: Operator, x: int, value: F) -> Array:
    """MUL by one number: its factor is part of the multiplier."""
    out = op.outputs[0]
    sums = ref.value(x).astype(np.int64) - ref.zero(x)
    factor = F(F(ref.scale(x)[0] * F(abs(value))) * (F(1) / ref.scale(out)[0]))
    activation = int(op.options["fused_activation_function"])
    sums = sums if value >= 0 else -sums
    return requantize(sums, factor, ref.scale(out)[0], ref.zero(out), activation)


def _shifted(ref: Reference, op: Operator, x: int, c: int, value: F) -> Array:
    """ADD and SUB with one number: whole steps where the scale stays, else 1/16384 steps."""
    out, unit = op.outputs[0], ref.scale(x)[0]
    swapped = op.name == "SUB" and op.inputs[0] == c
    sign = -1 if op.name == "SUB" and not swapped else 1
    steps = sign * float(value) / float(unit)
    if not swapped and unit == ref.scale(out)[0]:
        # The ratio of the scales decides halves: 255 steps of half a step are exactly 127.5.
        code = int(ref.value(c).ravel()[0]) - ref.zero(c)
        steps = float(sign * code * (Fraction(float(ref.scale(c)[0])) / Fraction(float(unit))))
    weight = 1
    if swapped or unit != ref.scale(out)[0]:
        weight = 1 << 14
        while weight > 1 and (255 + abs(steps)) * weight > 1 << 23:
            weight //= 2
    shift = int(np.copysign(np.floor(abs(steps * weight) + 0.5), steps))
    sums = (ref.value(x).astype(np.int64) - ref.zero(x)) * (-weight if swapped else weight) + shift
    factor = F(F(unit / F(weight)) * (F(1) / ref.scale(out)[0]))
    activation = int(op.options["fused_activation_function"])
    return requantize(sums, factor, ref.scale(out)[0], ref.zero(out), activation)


def multiply(ref: Reference, op: Operator) -> Array:
    found = number(ref, op)
    if found is not None:
        return _scaled(ref, op, found[0], found[2])
    a, b, out = op.inputs[0], op.inputs[1], op.outputs[0]
    sums = (ref.value(a).astype(np.int64) - ref.zero(a)) * (
        ref.value(b).astype(np.int64) - ref.zero(b)
    )
    factor = product_factor(ref.scale(a)[0], ref.scale(b)[0], output=ref.scale(out)[0])
    activation = int(op.options["fused_activation_function"])
    return requantize(sums, factor, ref.scale(out)[0], ref.zero(out), activation)


def extreme(ref: Reference, op: Operator) -> Array:
    """MAXIMUM and MINIMUM."""
    first, second = (ref.value(index) for index in op.inputs)
    return np.maximum(first, second) if op.name == "MAXIMUM" else np.minimum(first, second)


def squared_difference(ref: Reference, op: Operator) -> Array:
    a, b, out = op.inputs[0], op.inputs[1], op.outputs[0]
    difference = ref.value(a).astype(np.int64) - ref.value(b)
    factor = product_factor(ref.scale(a)[0], ref.scale(b)[0], output=ref.scale(out)[0])
    return requantize(difference * difference, factor, ref.scale(out)[0], ref.zero(out))


def prelu(ref: Reference, op: Operator) -> Array:
    x, alpha, out = op.inputs[0], op.inputs[1], op.outputs[0]
    sums = ref.value(x).astype(np.int64) - ref.zero(x)
    slopes = ref.value(alpha).astype(np.int64) - ref.zero(alpha)
    unit, point = ref.scale(out)[0], ref.zero(out)
    factor = product_factor(ref.scale(x)[0], ref.scale(alpha)[0], output=unit)
    low = requantize(sums * slopes, factor, unit, point)
    found = number(ref, op)
    if found is not None:
        sign = 1 if found[2] >= 0 else -1
        factor = F(F(ref.scale(x)[0] * F(abs(found[2]))) * (F(1) / unit))
        low = requantize(sign * sums, factor, unit, point)
    high = requantize(sums, product_factor(ref.scale(x)[0], output=unit), unit, point)
    return np.where(sums >= 0, high, low)


ADD_LIMIT = 32767
"""Largest weight of an operand of ADD."""


def add(ref: Reference, op: Operator) -> Array:
    """ADD and SUB: two integer weights in the ratio of the scales, then one multiplication."""
    found = number(ref, op)
    if found is not None:
        return _shifted(ref, op, *found)
    a, b, out = op.inputs[0], op.inputs[1], op.outputs[0]
    first, second = ref.value(a), ref.value(b)
    scales = ref.scale(a)[0], ref.scale(b)[0]
    ratio = Fraction(float(scales[0])) / Fraction(float(scales[1]))
    swap = ratio > 1
    best = (1 / ratio if swap else ratio).limit_denominator(ADD_LIMIT)
    weights = (best.denominator, best.numerator) if swap else (best.numerator, best.denominator)
    sign = -1 if op.name == "SUB" else 1
    sums = (first.astype(np.int64) - ref.zero(a)) * weights[0]
    sums = sums + sign * (second.astype(np.int64) - ref.zero(b)) * weights[1]
    factor = F(F(max(scales) / F(max(weights))) * (F(1) / ref.scale(out)[0]))
    activation = int(op.options["fused_activation_function"])
    return requantize(sums, factor, ref.scale(out)[0], ref.zero(out), activation)


def average_pool(ref: Reference, op: Operator) -> Array:
    """Padding counts for nothing."""
    size = op.options["filter_height"], op.options["filter_width"]
    source = _image(ref.value(op.inputs[0])).astype(np.float64)
    sums = windows(source, size, op, dilated=False).sum((0, 1))
    counts = windows(np.ones_like(source), size, op, dilated=False).sum((0, 1))
    return _average(ref, op, sums, counts)


def mean(ref: Reference, op: Operator) -> Array:
    sums, count = _reduced(ref, op)
    return _average(ref, op, sums, count)


def total(ref: Reference, op: Operator) -> Array:
    """SUM."""
    sums, count = _reduced(ref, op)
    x, out = op.inputs[0], op.outputs[0]
    factor = ref.scale(x)[0] * (F(1) / ref.scale(out)[0])
    return requantize(sums - count * ref.zero(x), factor, ref.scale(out)[0], ref.zero(out))


def largest(ref: Reference, op: Operator) -> Array:
    """REDUCE_MAX."""
    return ref.value(op.inputs[0]).max(_axes(ref, op))


def _axes(ref: Reference, op: Operator) -> tuple[int, ...]:
    return tuple({axis % ref.value(op.inputs[0]).ndim for axis in _integers(ref, op.inputs[1])})


def _reduced(ref: Reference, op: Operator) -> tuple[Array, int]:
    """Sums over the axes, and of how many values each."""
    source = ref.value(op.inputs[0])
    sums = source.sum(_axes(ref, op), dtype=np.float64)
    return sums, source.size // sums.size


def _average(ref: Reference, op: Operator, sums: Array, count: Array | int) -> Array:
    x, out = op.inputs[0], op.outputs[0]
    sums = sums - count * ref.zero(x)
    share = F(1) / np.asarray(count, F)
    factor = (ref.scale(x)[0] * share).astype(F) * (F(1) / ref.scale(out)[0])
    return requantize(sums, factor, ref.scale(out)[0], ref.zero(out))


def max_pool(ref: Reference, op: Operator) -> Array:
    size = op.options["filter_height"], op.options["filter_width"]
    return windows(_image(ref.value(op.inputs[0])), size, op, dilated=False).max((0, 1))


def strided_slice(ref: Reference, op: Operator) -> Array:
    if op.options.get("ellipsis_mask") or op.options.get("new_axis_mask"):
        raise NoReferenceError
    value = ref.value(op.inputs[0])
    begins, ends, strides = (_integers(ref, index) for index in op.inputs[1:4])
    names = ("begin_mask", "end_mask", "shrink_axis_mask")
    from_start, to_end, shrunk = (int(op.options.get(name, 0)) for name in names)
    ranges: list[slice | int] = []
    for axis, (begin, end, stride) in enumerate(zip(begins, ends, strides, strict=True)):
        if shrunk >> axis & 1:
            ranges.append(begin)
            continue
        first = None if from_start >> axis & 1 else begin
        last = None if to_end >> axis & 1 else end
        ranges.append(slice(first, last, stride))
    return value[tuple(ranges)]


def reshape(ref: Reference, op: Operator) -> Array:
    return ref.value(op.inputs[0])


def concatenation(ref: Reference, op: Operator) -> Array:
    out = op.outputs[0]
    parts = []
    for x in op.inputs:
        value = ref.value(x)
        if ref.scale(x)[0] != ref.scale(out)[0] or ref.zero(x) != ref.zero(out):
            factor = product_factor(ref.scale(x)[0], output=ref.scale(out)[0])
            sums = value.astype(np.int64) - ref.zero(x)
            value = requantize(sums, factor, ref.scale(out)[0], ref.zero(out))
        parts.append(value)
    return np.concatenate(parts, axis=int(op.options["axis"]))


def split(ref: Reference, op: Operator) -> tuple[Array, ...]:
    axis = int(ref.value(op.inputs[0]).ravel()[0])
    return tuple(np.split(ref.value(op.inputs[1]), len(op.outputs), axis=axis))


def resize_nearest(ref: Reference, op: Operator) -> Array:
    """In float32, as TensorFlow Lite."""
    value = ref.value(op.inputs[0])
    corners, centers = op.options["align_corners"], op.options["half_pixel_centers"]
    for axis in (1, 2):
        before, after = value.shape[axis], ref.graph.tensors[op.outputs[0]].shape[axis]
        ends = F(before - 1) / F(after - 1) if corners and after > 1 else F(before) / F(after)
        places = (np.arange(after, dtype=F) + F(0.5 if centers else 0)) * ends
        chosen = np.floor(places + F(0.5)) if corners else np.floor(places)
        value = value.take(np.minimum(chosen.astype(int), before - 1), axis)
    return value


def tile(ref: Reference, op: Operator) -> Array:
    return np.tile(ref.value(op.inputs[0]), ref.value(op.inputs[1]).ravel().astype(int))


def pad(ref: Reference, op: Operator) -> Array:
    x = op.inputs[0]
    widths = ref.value(op.inputs[1]).astype(int)
    return np.pad(ref.value(x), widths, constant_values=ref.zero(x))


def resize_bilinear(ref: Reference, op: Operator) -> Array:
    """Half-pixel centres, twice the size, or the same size."""
    source, out = ref.value(op.inputs[0]), op.outputs[0]
    shape = ref.graph.tensors[out].shape
    if shape == source.shape:
        return source
    if not op.options["half_pixel_centers"] or shape[1:3] != tuple(
        2 * n for n in source.shape[1:3]
    ):
        raise NoReferenceError
    padded = np.pad(source[0].astype(np.int64), ((1, 1), (1, 1), (0, 0)), mode="edge")
    sums = _doubled(_doubled(padded).transpose(1, 0, 2)).transpose(1, 0, 2)
    return np.rint(sums.astype(F) * F(1 / 16)).astype(np.uint8)[None]


def _doubled(x: Array) -> Array:
    result = np.empty((2 * (len(x) - 2), *x.shape[1:]), np.int64)
    result[0::2] = x[:-2] + 3 * x[1:-1]
    result[1::2] = 3 * x[1:-1] + x[2:]
    return result


# -- functions from tables ----------------------------------------------------------------------


def table(name: str, values: Array) -> Array:
    """float32 Horner evaluation of one of the chip's tables."""
    chip = lookup_tables()[name]
    coefficients = np.array(chip.coefficients, F).reshape(8, 5)
    chosen = coefficients[(values[..., None] >= np.array(chip.breakpoints, F)).sum(-1)]
    result = chosen[..., 4]
    for power in (3, 2, 1, 0):
        result = (result * values + chosen[..., power]).astype(F)
    return result


LOGISTIC_LIMIT = F(10.396732)


def logistic(ref: Reference, op: Operator) -> Array:
    x, out = op.inputs[0], op.outputs[0]
    if ref.scale(out)[0] != F(1 / 256) or ref.zero(out) != 0:
        raise NoReferenceError
    values = (ref.value(x).astype(np.int64) - ref.zero(x)).astype(F) * ref.scale(x)[0]
    values = np.clip(values, -LOGISTIC_LIMIT, LOGISTIC_LIMIT)
    return np.rint(table("sigmoid_256", values)).clip(0, 255).astype(np.uint8)


def hyperbolic(ref: Reference, op: Operator) -> Array:
    """128 tanh(x) + 128 = 256 / (1 + exp(-2 x)), by that table."""
    x, out = op.inputs[0], op.outputs[0]
    if ref.scale(out)[0] != F(1 / 128) or ref.zero(out) != 128:
        raise NoReferenceError
    values = (ref.value(x).astype(np.int64) - ref.zero(x)).astype(F) * F(2 * ref.scale(x)[0])
    values = np.clip(values, -LOGISTIC_LIMIT, LOGISTIC_LIMIT)
    return np.rint(table("sigmoid_256", values)).clip(0, 255).astype(np.uint8)


def _bits(pattern: int) -> F:
    return np.array(pattern, np.uint32).view(F)[()]


EXPONENT_LOW = _bits(0xC1509C0D)
SUM_FACTOR = _bits(0x37800080)  # 2**-16 * (1 + 2**-16)
RESULT_FACTOR = _bits(0x34000157)


def softmax(ref: Reference, op: Operator) -> Array:
    """exp by table in 16 bits, the sum's reciprocal as a squared inverse root by table."""
    x = op.inputs[0]
    codes = ref.value(x).ravel().astype(np.int64)
    scale = F(op.options["beta"]) * ref.scale(x)[0]
    values = np.minimum(np.maximum((codes - codes.max()).astype(F) * scale, EXPONENT_LOW), F(0))
    powers = np.rint(table("exponential", values)).clip(0, 65535).astype(np.int64)
    total = F(powers.sum()) * SUM_FACTOR
    exponent = int(np.floor((np.frexp(total)[1] - 1) / 2))
    mantissa = np.array([np.ldexp(total, -2 * exponent)], F)
    root = np.ldexp(table("inverse_root", mantissa)[0], -exponent)
    root = int(np.rint(root).clip(0, 65535))
    inverse = int(np.rint(min(F(F(root * root) * SUM_FACTOR), F(32768))))
    result = np.minimum((powers * inverse).astype(F) * RESULT_FACTOR, F(255))
    return np.rint(result).astype(np.uint8)


def _integers(ref: Reference, index: int) -> list[int]:
    data = ref.graph.tensors[index].data
    return [int(value) for value in np.asarray(data).ravel()]


def cut(ref: Reference, op: Operator) -> Array:
    """SLICE."""
    begins, sizes = (_integers(ref, index) for index in op.inputs[1:3])
    ranges = (slice(b, None if n < 0 else b + n) for b, n in zip(begins, sizes, strict=True))
    return ref.value(op.inputs[0])[tuple(ranges)]


def space_to_depth(ref: Reference, op: Operator) -> Array:
    block = op.options["block_size"]
    x = _image(ref.value(op.inputs[0]))
    height, width, depth = x.shape
    x = x.reshape(height // block, block, width // block, block, depth)
    return x.transpose(0, 2, 1, 3, 4)


def transpose(ref: Reference, op: Operator) -> Array:
    return ref.value(op.inputs[0]).transpose(_integers(ref, op.inputs[1]))


def pack(ref: Reference, op: Operator) -> Array:
    return np.stack([ref.value(index) for index in op.inputs], op.options["axis"])


OPERATORS: dict[str, Callable[[Reference, Operator], Any]] = {
    "ADD": add,
    "AVERAGE_POOL_2D": average_pool,
    "CONCATENATION": concatenation,
    "CONV_2D": convolution,
    "DEPTHWISE_CONV_2D": convolution,
    "EXPAND_DIMS": reshape,
    "FULLY_CONNECTED": fully_connected,
    "LOGISTIC": logistic,
    "MAXIMUM": extreme,
    "MAX_POOL_2D": max_pool,
    "MEAN": mean,
    "MINIMUM": extreme,
    "MUL": multiply,
    "PACK": pack,
    "PAD": pad,
    "PRELU": prelu,
    "QUANTIZE": quantize,
    "REDUCE_MAX": largest,
    "RELU": rectify,
    "RELU6": rectify,
    "RELU_N1_TO_1": rectify,
    "RESHAPE": reshape,
    "RESIZE_BILINEAR": resize_bilinear,
    "RESIZE_NEAREST_NEIGHBOR": resize_nearest,
    "SLICE": cut,
    "SOFTMAX": softmax,
    "SPACE_TO_DEPTH": space_to_depth,
    "SPLIT": split,
    "SQUARED_DIFFERENCE": squared_difference,
    "SQUEEZE": reshape,
    "STRIDED_SLICE": strided_slice,
    "SUB": add,
    "SUM": total,
    "TANH": hyperbolic,
    "TILE": tile,
    "TRANSPOSE": transpose,
    "TRANSPOSE_CONV": transposed_convolution,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": lstm,
}
