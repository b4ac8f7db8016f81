"""The end of the tensor unit's pipeline: accumulator -> float32 -> clamp -> table -> integer.

Facts: docs/format/execution.md, "Requantisation" and "Lookup tables".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..lowering.program import LoadLookup

Array = NDArray[Any]
Float32 = NDArray[np.float32]
_SEGMENTS = 8
_COEFFICIENTS = 5
_ODD_LIMIT = 1e-6
"""A table of an odd function starts at 0 with a (nearly) zero constant and holds x >= 0 only."""


@dataclass(frozen=True, eq=False)
class LookupTable:
    """Piecewise polynomial: coefficients (8, 5) in ascending powers, 7 breakpoints."""

    coefficients: Float32
    breakpoints: Float32

    @classmethod
    def of(cls, instruction: LoadLookup) -> LookupTable:
        """The table an instruction loads; missing values are zero."""
        size = _SEGMENTS * _COEFFICIENTS
        coefficients = np.zeros(size, np.float32)
        coefficients[: len(instruction.coefficients)] = instruction.coefficients[:size]
        breakpoints = np.zeros(_SEGMENTS - 1, np.float32)
        breakpoints[: len(instruction.breakpoints)] = instruction.breakpoints[: _SEGMENTS - 1]
        return cls(coefficients.reshape(_SEGMENTS, _COEFFICIENTS), breakpoints)

    @property
    def odd(self) -> bool:
        """Whether the table holds the non-negative half of an odd function."""
        return bool(self.breakpoints[0] > 0 and abs(self.coefficients[0, 0]) < _ODD_LIMIT)

    def polynomial(self, values: Float32) -> Float32:
        """float32 Horner evaluation in the segment of each value."""
        segment = (values[..., None] >= self.breakpoints).sum(-1)
        chosen = self.coefficients[segment]
        result: Float32 = chosen[..., 4]
        for power in (3, 2, 1, 0):
            result = (result * values + chosen[..., power]).astype(np.float32)
        return result

    def evaluate(self, values: Float32, *, reduce: bool) -> Float32:
        """The function; reduce: value = m * 4**e with 1 <= m < 4, result scaled by 2**-e
        (reciprocal square root)."""
        if reduce:
            positive = np.maximum(values, np.float32(1e-30))
            exponent = (np.frexp(positive)[1] - 1) // 2
            mantissa = np.ldexp(values, -2 * exponent).astype(np.float32)
            return np.asarray(np.ldexp(self.polynomial(mantissa), -exponent), np.float32)
        if self.odd:
            return (self.polynomial(np.abs(values)) * np.sign(values)).astype(np.float32)
        return self.polynomial(values)


def scale(accumulators: Array, factors: Array | np.float32) -> Float32:
    """Exact integers to float32 (to nearest even), times float32 factors."""
    result: Float32 = accumulators.astype(np.float32) * factors
    return result


def clamp(values: Float32, low: float, high: float) -> Float32:
    """The limits are float32 and hold before rounding."""
    result: Float32 = np.minimum(np.maximum(values, np.float32(low)), np.float32(high))
    return result


def round_to_bytes(values: Float32, zero_point: int, *, wide: bool) -> Array:
    """Round half to even, add the zero point, clip to 8 bits (16 if wide); little-endian bytes
    along the last axis."""
    with np.errstate(invalid="ignore"):
        integers = np.rint(values).astype(np.int64) + zero_point
    if not wide:
        return integers.clip(0, 255).astype(np.uint8)
    return np.ascontiguousarray(integers.clip(0, 65535).astype("<u2")).view(np.uint8)
