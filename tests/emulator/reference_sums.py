"""Operators of `reference` that compute: convolutions, pools, sums, products and comparisons."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from compiler.frontend.graph import Operator

from .reference_arithmetic import (
    Array,
    F,
    NoReferenceError,
    Tensors,
    image,
    integers,
    product_factor,
    requantize,
)


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


def _bias(ref: Tensors, op: Operator) -> Array | int:
    return (
        ref.value(op.inputs[2]).astype(np.int64) if len(op.inputs) > 2 and op.inputs[2] >= 0 else 0
    )


def convolution(ref: Tensors, op: Operator) -> Array:
    x, w, out = op.inputs[0], op.inputs[1], op.outputs[0]
    source = image(ref.value(x)).astype(np.float64) - ref.zero(x)
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


def transposed_convolution(ref: Tensors, op: Operator) -> Array:
    """Every input adds its products to the outputs under its filter."""
    w, x, out = op.inputs[1], op.inputs[2], op.outputs[0]
    source = image(ref.value(x)).astype(np.float64) - ref.zero(x)
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


def fully_connected(ref: Tensors, op: Operator) -> Array:
    x, w, out = op.inputs[0], op.inputs[1], op.outputs[0]
    weights = ref.value(w).astype(np.float64) - ref.zero(w)
    rows = ref.value(x).reshape(-1, weights.shape[1]).astype(np.float64) - ref.zero(x)
    factor = product_factor(ref.scale(x)[0], ref.scale(w), output=ref.scale(out)[0])
    sums = rows @ weights.T + _bias(ref, op)
    activation = int(op.options["fused_activation_function"])
    return requantize(sums, factor, ref.scale(out)[0], ref.zero(out), activation)


def quantize(ref: Tensors, op: Operator) -> Array:
    x, out = op.inputs[0], op.outputs[0]
    value = ref.value(x)
    if value.dtype.kind == "f":
        raise NoReferenceError
    sums = value.astype(np.int64) - ref.zero(x)
    if ref.scale(x)[0] == ref.scale(out)[0]:
        return (sums + ref.zero(out)).clip(0, 255).astype(np.uint8)
    factor = product_factor(ref.scale(x)[0], output=ref.scale(out)[0])
    return requantize(sums, factor, ref.scale(out)[0], ref.zero(out))


def rectify(ref: Tensors, op: Operator) -> Array:
    """RELU, RELU_N1_TO_1, RELU6."""
    x, out = op.inputs[0], op.outputs[0]
    sums = ref.value(x).astype(np.int64) - ref.zero(x)
    factor = product_factor(ref.scale(x)[0], output=ref.scale(out)[0])
    activation = {"RELU": 1, "RELU_N1_TO_1": 2, "RELU6": 3}[op.name]
    return requantize(sums, factor, ref.scale(out)[0], ref.zero(out), activation)


def number(ref: Tensors, op: Operator) -> tuple[int, int, F] | None:
    """(tensor, constant operand, its real value) of an operator with one number."""
    for x, c in (op.inputs, op.inputs[::-1]):
        constant = ref.graph.tensors[c]
        if constant.data is not None and len(np.unique(constant.data)) == 1:
            step = F(float(ref.value(c).ravel()[0]) - ref.zero(c))
            return x, c, F(ref.scale(c)[0] * step)
    return None


def _scaled(ref: Tensors, op: Operator, x: int, value: F) -> Array:
    """MUL by one number: its factor is part of the multiplier."""
    out = op.outputs[0]
    sums = ref.value(x).astype(np.int64) - ref.zero(x)
    factor = F(F(ref.scale(x)[0] * F(abs(value))) * (F(1) / ref.scale(out)[0]))
    activation = int(op.options["fused_activation_function"])
    sums = sums if value >= 0 else -sums
    return requantize(sums, factor, ref.scale(out)[0], ref.zero(out), activation)


def _shifted(ref: Tensors, op: Operator, x: int, c: int, value: F) -> Array:
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


def multiply(ref: Tensors, op: Operator) -> Array:
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


def extreme(ref: Tensors, op: Operator) -> Array:
    """MAXIMUM and MINIMUM."""
    first, second = (ref.value(index) for index in op.inputs)
    return np.maximum(first, second) if op.name == "MAXIMUM" else np.minimum(first, second)


def squared_difference(ref: Tensors, op: Operator) -> Array:
    a, b, out = op.inputs[0], op.inputs[1], op.outputs[0]
    if (ref.scale(a)[0], ref.zero(a)) != (ref.scale(b)[0], ref.zero(b)):
        return _square_of_wide_difference(ref, op)
    difference = ref.value(a).astype(np.int64) - ref.value(b)
    factor = product_factor(ref.scale(a)[0], ref.scale(b)[0], output=ref.scale(out)[0])
    return requantize(difference * difference, factor, ref.scale(out)[0], ref.zero(out))


def _square_of_wide_difference(ref: Tensors, op: Operator) -> Array:
    """The distance has 15 bits, up to the largest there is or the end of the result's range."""
    a, b, out = op.inputs[0], op.inputs[1], op.outputs[0]
    ends = [[float(ref.scale(x)[0]) * (end - ref.zero(x)) for end in (0, 255)] for x in (a, b)]
    largest = max(ends[0][1] - ends[1][0], ends[1][1] - ends[0][0])
    beyond = ((256 - ref.zero(out)) * float(ref.scale(out)[0])) ** 0.5
    step = F(min(largest, beyond) / 32767)
    sums, unit = _weighted(ref, op, -1)
    factor = F(unit * F(F(1) / step))
    distance = np.rint(np.minimum(abs(sums).astype(F) * factor, F(32767))).astype(np.int64)
    factor = F(F(step * step) * (F(1) / ref.scale(out)[0]))
    return requantize(distance * distance, factor, ref.scale(out)[0], ref.zero(out))


def prelu(ref: Tensors, op: Operator) -> Array:
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


def add(ref: Tensors, op: Operator) -> Array:
    """ADD and SUB: two integer weights in the ratio of the scales, then one multiplication."""
    found = number(ref, op)
    if found is not None:
        return _shifted(ref, op, *found)
    out = op.outputs[0]
    sums, unit = _weighted(ref, op, -1 if op.name == "SUB" else 1)
    factor = F(unit * (F(1) / ref.scale(out)[0]))
    activation = int(op.options["fused_activation_function"])
    return requantize(sums, factor, ref.scale(out)[0], ref.zero(out), activation)


def _weighted(ref: Tensors, op: Operator, sign: int) -> tuple[Array, F]:
    """First operand + sign * second one, and the unit of that."""
    a, b = op.inputs[0], op.inputs[1]
    first, second = ref.value(a), ref.value(b)
    scales = ref.scale(a)[0], ref.scale(b)[0]
    ratio = Fraction(float(scales[0])) / Fraction(float(scales[1]))
    swap = ratio > 1
    best = (1 / ratio if swap else ratio).limit_denominator(ADD_LIMIT)
    weights = (best.denominator, best.numerator) if swap else (best.numerator, best.denominator)
    sums = (first.astype(np.int64) - ref.zero(a)) * weights[0]
    sums = sums + sign * (second.astype(np.int64) - ref.zero(b)) * weights[1]
    return sums, F(max(scales) / F(max(weights)))


def average_pool(ref: Tensors, op: Operator) -> Array:
    """Padding counts for nothing."""
    size = op.options["filter_height"], op.options["filter_width"]
    source = image(ref.value(op.inputs[0])).astype(np.float64)
    sums = windows(source, size, op, dilated=False).sum((0, 1))
    counts = windows(np.ones_like(source), size, op, dilated=False).sum((0, 1))
    return _average(ref, op, sums, counts)


def mean(ref: Tensors, op: Operator) -> Array:
    sums, count = _reduced(ref, op)
    return _average(ref, op, sums, count)


def total(ref: Tensors, op: Operator) -> Array:
    """SUM."""
    sums, count = _reduced(ref, op)
    x, out = op.inputs[0], op.outputs[0]
    factor = ref.scale(x)[0] * (F(1) / ref.scale(out)[0])
    return requantize(sums - count * ref.zero(x), factor, ref.scale(out)[0], ref.zero(out))


def largest(ref: Tensors, op: Operator) -> Array:
    """REDUCE_MAX."""
    return ref.value(op.inputs[0]).max(_axes(ref, op))


def smallest(ref: Tensors, op: Operator) -> Array:
    """REDUCE_MIN."""
    return ref.value(op.inputs[0]).min(_axes(ref, op))


def _axes(ref: Tensors, op: Operator) -> tuple[int, ...]:
    return tuple({axis % ref.value(op.inputs[0]).ndim for axis in integers(ref, op.inputs[1])})


def _reduced(ref: Tensors, op: Operator) -> tuple[Array, int]:
    """Sums over the axes, and of how many values each."""
    source = ref.value(op.inputs[0])
    sums = source.sum(_axes(ref, op), dtype=np.float64)
    return sums, source.size // sums.size


def _average(ref: Tensors, op: Operator, sums: Array, count: Array | int) -> Array:
    x, out = op.inputs[0], op.outputs[0]
    sums = sums - count * ref.zero(x)
    share = F(1) / np.asarray(count, F)
    factor = (ref.scale(x)[0] * share).astype(F) * (F(1) / ref.scale(out)[0])
    return requantize(sums, factor, ref.scale(out)[0], ref.zero(out))


def max_pool(ref: Tensors, op: Operator) -> Array:
    size = op.options["filter_height"], op.options["filter_width"]
    return windows(image(ref.value(op.inputs[0])), size, op, dilated=False).max((0, 1))
