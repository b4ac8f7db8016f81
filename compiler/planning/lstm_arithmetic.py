"""Constants of an LSTM's cell: units, weights, limits.

    i, f, o = sigmoid(..), g = tanh(..)     bytes, from gate sums in the hidden state's unit
    c' = f * c + i * g                      16 bits, both products rounded first
    h' = o * tanh(f * c + i * g)            the sum not rounded again

Facts: docs/format/lstm.md, "Arithmetic".
"""

from __future__ import annotations

from fractions import Fraction

from ..fast_dataclass import dataclass
from ..float32 import from_bits, single
from ..frontend.graph import Tensor
from .dataflow import scale, zero_point
from .elementwise import best_ratio
from .requantization import Requantization, clamps

SIGMOID_UNIT = single(1 / 255)
TANH_UNIT = single(1 / 127.5)
"""Unit of the byte that the cell gate's table gives."""
TANH_ZERO = 128
FINE_UNIT = single(1 / 16383.5)
"""Unit of 16-bit tanh, and of the product input gate * cell gate."""
FINE_ZERO = 1 << 14
CELL_ZERO = 1 << 15
_HIGHEST = 65535
TANH_LIMIT = from_bits(0x40DBFE6B)
"""Beyond this argument the tables do not change."""


@dataclass(frozen=True, slots=True)
class CellArithmetic:
    """hidden_zero, hidden_unit: of the gates' two sums and of the result. sum_initial: start
    of a sum of two bytes; widening: byte -> 16 bits; candidate: input gate * cell gate; kept:
    forget gate * cell; weights, cell_initial: of the sum of both products (`kept` first);
    cell: to the cell state; tanh_unit: to the table's argument; hidden: output gate * tanh."""

    hidden_zero: int
    hidden_unit: float
    sum_initial: int
    widening: Requantization
    candidate: Requantization
    kept: Requantization
    weights: tuple[int, int]
    cell_initial: int
    cell: Requantization
    tanh_unit: float
    hidden: Requantization


def cell_arithmetic(hidden: Tensor, cell: Tensor, clip: float = 0.0) -> CellArithmetic:
    """hidden: int8; cell: int16, zero point 0; clip: largest real value of a cell (0: none)."""
    unit, zero, cell_unit = scale(hidden), zero_point(hidden), scale(cell)
    weights = best_ratio(Fraction(cell_unit) / Fraction(FINE_UNIT))
    sum_unit = single(max(cell_unit, FINE_UNIT) / single(max(weights)))
    fine = _wide_range(FINE_UNIT, FINE_ZERO)
    state = _wide_range(cell_unit, CELL_ZERO)
    inverse = single(1 / cell_unit)
    clipped = state
    if clip > 0:
        most = single(single(clip) * inverse)
        clipped = min(state[0], most), max(state[1], -most)
    return CellArithmetic(
        hidden_zero=zero,
        hidden_unit=unit,
        sum_initial=-2 * zero,
        widening=Requantization(1.0, *clamps(SIGMOID_UNIT, 0), 0),
        candidate=Requantization(
            single(single(SIGMOID_UNIT * TANH_UNIT) * single(1 / FINE_UNIT)), *fine, FINE_ZERO
        ),
        kept=Requantization(single(single(SIGMOID_UNIT * cell_unit) * inverse), *state, CELL_ZERO),
        weights=weights,
        cell_initial=-(CELL_ZERO * weights[0] + FINE_ZERO * weights[1]),
        cell=Requantization(single(sum_unit * inverse), *clipped, CELL_ZERO),
        tanh_unit=sum_unit,
        hidden=Requantization(
            single(single(SIGMOID_UNIT * FINE_UNIT) * single(1 / unit)), *clamps(unit, zero), zero
        ),
    )


def _wide_range(unit: float, zero: int) -> tuple[float, float]:
    """(max, min) of 0..65535, as `clamps` of a byte."""
    inverse = single(1 / unit)
    high, low = (single(single((limit - zero) * unit) * inverse) for limit in (_HIGHEST, 0))
    return high, low
