"""Operators of `reference` that the chip computes from tables of polynomials."""

from __future__ import annotations

import numpy as np

from compiler.frontend.graph import Operator
from compiler.lowering.lookup_tables import lookup_tables

from .reference_arithmetic import Array, F, NoReferenceError, Tensors


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


def softmax(ref: Tensors, op: Operator) -> Array:
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
