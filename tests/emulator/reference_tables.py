"""Operators of `reference` that the chip computes from tables of polynomials."""

from __future__ import annotations

import numpy as np

from compiler.frontend.graph import Operator
from compiler.lowering.lookup_tables import lookup_tables

from .reference_arithmetic import Array, F, NoReferenceError, Tensors, requantize


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


def logistic(ref: Tensors, op: Operator) -> Array:
    x, out = op.inputs[0], op.outputs[0]
    if ref.scale(out)[0] != F(1 / 256) or ref.zero(out) != 0:
        raise NoReferenceError
    values = (ref.value(x).astype(np.int64) - ref.zero(x)).astype(F) * ref.scale(x)[0]
    values = np.clip(values, -LOGISTIC_LIMIT, LOGISTIC_LIMIT)
    return np.rint(table("sigmoid_256", values)).clip(0, 255).astype(np.uint8)


def hyperbolic(ref: Tensors, op: Operator) -> Array:
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


def inverse_root(values: Array) -> Array:
    """65535 / sqrt(2 x) of arguments of at least 1, as 16-bit integers."""
    exponents = (np.frexp(values)[1] - 1) // 2
    roots = table("inverse_root", np.ldexp(values, -2 * exponents).astype(F))
    return np.rint(np.ldexp(roots, -exponents)).clip(0, 65535).astype(np.int64)


def rsqrt(ref: Tensors, op: Operator) -> Array:
    """The argument times a power of four that brings the root of 1 to the end of the range."""
    x, out = op.inputs[0], op.outputs[0]
    codes = ref.value(x).astype(np.int64) - ref.zero(x)
    largest = 1 / (float(ref.scale(x)[0]) ** 0.5 * float(ref.scale(out)[0]))
    room = 256 - ref.zero(out)
    factor = next(4**n for n in range(5) if 2**n * largest >= room)
    roots = inverse_root(np.maximum(codes * factor, 1).astype(F))
    unit = F(2**0.5 / 65535 * (factor / float(ref.scale(x)[0])) ** 0.5)
    return requantize(roots, F(unit * (F(1) / ref.scale(out)[0])), ref.scale(out)[0], ref.zero(out))


def l2_normalization(ref: Tensors, op: Operator) -> Array:
    """x * r, whose norm is about 2**14.5, times the inverse root of that."""
    x, out = op.inputs[0], op.outputs[0]
    values = ref.value(x).astype(np.int64) - ref.zero(x)
    whole = values.shape[-1] <= 2048
    squares = (values**2).sum(-1, keepdims=True).astype(F) * F(4 if whole else 1)
    products = (values * inverse_root(np.maximum(squares, F(1)))).astype(F) * F(1 if whole else 0.5)
    products = np.rint(products).astype(np.int64)
    squares = (products**2).sum(-1, keepdims=True).astype(F) * F(2**-28)
    factor = F(F(2**-13.5 / 65535) * (F(1) / ref.scale(out)[0]))
    result = products * inverse_root(np.maximum(squares, F(1)))
    return requantize(result, factor, ref.scale(out)[0], ref.zero(out))


def softmax(ref: Tensors, op: Operator) -> Array:
    """exp by table in 16 bits, the sum's reciprocal as a squared inverse root by table."""
    x = op.inputs[0]
    codes = ref.value(x).ravel().astype(np.int64)
    scale = F(op.options["beta"]) * ref.scale(x)[0]
    values = np.minimum(np.maximum((codes - codes.max()).astype(F) * scale, EXPONENT_LOW), F(0))
    powers = np.rint(table("exponential", values)).clip(0, 65535).astype(np.int64)
    total = F(powers.sum()) * SUM_FACTOR
    root = int(inverse_root(np.array(total, F)))
    inverse = int(np.rint(min(F(F(root * root) * SUM_FACTOR), F(32768))))
    result = np.minimum((powers * inverse).astype(F) * RESULT_FACTOR, F(255))
    return np.rint(result).astype(np.uint8)
