"""Reference arithmetic of an LSTM as the chip computes it (docs/format/lstm.md), from a graph.

Both parts of a gate are rounded to bytes in the hidden state's unit before they are added.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from compiler.frontend.graph import Operator

from .reference_arithmetic import Array, F, Tensors, product_factor, requantize
from .reference_tables import table

SIGMOID_LIMIT, TANH_LIMIT = F(10.396732330322266), F(6.874806880950928)
INPUT, FORGET, CELL, OUTPUT = range(4)
HIDDEN_STATE, CELL_STATE = 18, 19
WIDE = 65535


def lstm(ref: Tensors, op: Operator) -> Array:
    """The hidden states of all steps; the last hidden and cell state go to `ref.states`."""
    hidden, cell = (ref.value(op.inputs[i]).reshape(-1) for i in (HIDDEN_STATE, CELL_STATE))
    h, c = hidden.astype(np.int64), cell.astype(np.int64)
    rows = []
    for x in ref.value(op.inputs[0]).reshape(-1, ref.graph.tensors[op.inputs[0]].shape[-1]):
        h, c = _step(ref, op, x, h, c)
        rows.append(h)
    ref.states[op.inputs[HIDDEN_STATE]] = h.astype(np.uint8)
    ref.states[op.inputs[CELL_STATE]] = c.astype(np.int16)
    return np.stack(rows).astype(np.uint8)


def _step(ref: Tensors, op: Operator, x: Array, h: Array, c: Array) -> tuple[Array, Array]:
    hidden, cell = op.inputs[HIDDEN_STATE], op.inputs[CELL_STATE]
    unit, cell_unit = ref.scale(hidden)[0], ref.scale(cell)[0]
    gates = [_gate(ref, op, gate, x, h) for gate in range(4)]
    byte, fine, g_unit = F(1 / 255), F(1 / 16383.5), F(1 / 127.5)
    candidate = _round((gates[INPUT] * gates[CELL]), byte * g_unit * (F(1) / fine), 16384)
    kept = _round(gates[FORGET] * c, byte * cell_unit * (F(1) / cell_unit), 32768)
    first, second = _weights(Fraction(float(cell_unit)) / Fraction(float(fine)))
    sums = (kept * first + candidate * second).astype(F)
    step = max(cell_unit, fine) / F(max(first, second))
    values = sums * (step * (F(1) / cell_unit))
    clip = op.options["cell_clip"]
    low, high = F(-32768), F(32767)
    if clip > 0:
        most = F(clip) * (F(1) / cell_unit)
        low, high = max(low, -most), min(high, most)
    after = np.rint(np.minimum(np.maximum(values, low), high)).astype(np.int64)
    squashed = _odd("tanh_16383", np.clip(sums * step, -TANH_LIMIT, TANH_LIMIT))
    squashed = np.rint(squashed).astype(np.int64)
    product = (gates[OUTPUT] * squashed).astype(F) * (byte * fine * (F(1) / unit))
    zero = ref.zero(hidden)
    result = (np.rint(np.clip(product, -zero - 1, 256 - zero)).astype(np.int64) + zero).clip(0, 255)
    return result, after


def _gate(ref: Tensors, op: Operator, gate: int, x: Array, h: Array) -> Array:
    hidden = op.inputs[HIDDEN_STATE]
    unit, zero = ref.scale(hidden)[0], ref.zero(hidden)
    total = -2 * zero
    parts = (
        (x, op.inputs[0], op.inputs[1 + gate], ref.value(op.inputs[12 + gate]).astype(np.int64)),
        (h, hidden, op.inputs[5 + gate], 0),
    )
    for values, source, weights, bias in parts:
        matrix = ref.value(weights).astype(np.int64) - ref.zero(weights)
        sums = matrix @ (values.astype(np.int64) - ref.zero(source)) + bias
        factor = product_factor(ref.scale(source)[0], ref.scale(weights)[0], output=unit)
        total = total + requantize(sums, factor, unit, zero).astype(np.int64)
    real = total.astype(F) * unit
    if gate == CELL:
        values = np.rint(_odd("tanh_127", np.clip(real, -TANH_LIMIT, TANH_LIMIT)))
        return (values.astype(np.int64) + 128).clip(0, 255) - 128
    sigmoid = table("sigmoid_255", np.clip(real, -SIGMOID_LIMIT, SIGMOID_LIMIT))
    return np.rint(sigmoid).astype(np.int64).clip(0, 255)


def _odd(name: str, values: Array) -> Array:
    return table(name, np.abs(values)) * np.sign(values)


def _round(sums: Array, factor: F, zero: int) -> Array:
    """16-bit values around `zero`, without it."""
    return (np.rint(sums.astype(F) * factor).astype(np.int64) + zero).clip(0, WIDE) - zero


def _weights(ratio: Fraction) -> tuple[int, int]:
    """The closest ratio of two numbers up to 32767."""
    if ratio > 1:
        found = 1 / (1 / ratio).limit_denominator(32767)
    else:
        found = ratio.limit_denominator(32767)
    return found.numerator, found.denominator
