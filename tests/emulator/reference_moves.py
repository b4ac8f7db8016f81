"""Operators of `reference` that move values: slices, shapes, padding and resizing."""

from __future__ import annotations

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


def strided_slice(ref: Tensors, op: Operator) -> Array:
    if op.options.get("ellipsis_mask") or op.options.get("new_axis_mask"):
        raise NoReferenceError
    value = ref.value(op.inputs[0])
    begins, ends, strides = (integers(ref, index) for index in op.inputs[1:4])
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


def reshape(ref: Tensors, op: Operator) -> Array:
    return ref.value(op.inputs[0])


def concatenation(ref: Tensors, op: Operator) -> Array:
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


def split(ref: Tensors, op: Operator) -> tuple[Array, ...]:
    axis = int(ref.value(op.inputs[0]).ravel()[0])
    return tuple(np.split(ref.value(op.inputs[1]), len(op.outputs), axis=axis))


def resize_nearest(ref: Tensors, op: Operator) -> Array:
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


def tile(ref: Tensors, op: Operator) -> Array:
    return np.tile(ref.value(op.inputs[0]), ref.value(op.inputs[1]).ravel().astype(int))


def pad(ref: Tensors, op: Operator) -> Array:
    x = op.inputs[0]
    widths = ref.value(op.inputs[1]).astype(int)
    return np.pad(ref.value(x), widths, constant_values=ref.zero(x))


def resize_bilinear(ref: Tensors, op: Operator) -> Array:
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


def cut(ref: Tensors, op: Operator) -> Array:
    """SLICE."""
    begins, sizes = (integers(ref, index) for index in op.inputs[1:3])
    ranges = (slice(b, None if n < 0 else b + n) for b, n in zip(begins, sizes, strict=True))
    return ref.value(op.inputs[0])[tuple(ranges)]


def space_to_depth(ref: Tensors, op: Operator) -> Array:
    block = op.options["block_size"]
    x = image(ref.value(op.inputs[0]))
    height, width, depth = x.shape
    x = x.reshape(height // block, block, width // block, block, depth)
    return x.transpose(0, 2, 1, 3, 4)


def transpose(ref: Tensors, op: Operator) -> Array:
    return ref.value(op.inputs[0]).transpose(integers(ref, op.inputs[1]))


def pack(ref: Tensors, op: Operator) -> Array:
    return np.stack([ref.value(index) for index in op.inputs], op.options["axis"])
