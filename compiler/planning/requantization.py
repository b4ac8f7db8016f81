"""Constants of the requantiser, in the float32 arithmetic the chip's compilers use.

Every division by the output scale is a multiplication by its float32 reciprocal
(docs/format/fully_connected.md, "Arithmetic").
"""

from __future__ import annotations

import math

from ..fast_dataclass import dataclass
from ..float32 import from_bits, single
from ..frontend.graph import Tensor
from .dataflow import scale, zero_point
from .refusal import Refusal

UNLIMITED = (-math.inf, math.inf)
SIGMOID_LIMIT = from_bits(0x41265904)
"""10.396733: clamp in front of the sigmoid's tables, whose results would leave 0..255 beyond it."""
_ACTIVATION_RANGES = {0: UNLIMITED, 1: (0.0, math.inf), 2: (-1.0, 1.0), 3: (0.0, 6.0)}
"""NONE, RELU, RELU_N1_TO_1, RELU6."""


@dataclass(frozen=True, slots=True)
class Requantization:
    """multiplier, clamp, + zero_point. The clamps are in output steps from the zero point."""

    multiplier: float
    clamp_max: float
    clamp_min: float
    zero_point: int


def activation_range(code: int) -> tuple[float, float] | None:
    """(smallest, largest) real value a fused activation lets through (the schema's number);
    None for those that are no clamp."""
    return _ACTIVATION_RANGES.get(code)


def clamps(
    output_scale: float, output_zero: int, limits: tuple[float, float] = UNLIMITED
) -> tuple[float, float]:
    """(max, min) of the byte range 0..255 and of the real `limits` (smallest, largest):
    f32(f32((limit - zero) * scale) * f32(1 / scale))."""
    inverse = single(1 / output_scale)
    high, low = (single((limit - output_zero) * output_scale) for limit in (255, 0))
    smallest, largest = limits
    return single(min(high, largest) * inverse), single(max(low, smallest) * inverse)


def raw_bytes(zero: int, *, lowest: int = 0, highest: int = 255) -> Requantization:
    """Bytes that stay as they are, counted from `zero`, between two of them."""
    return Requantization(1.0, float(highest - zero), float(lowest - zero), zero)


def requantization(
    accumulator_scale: float, output: Tensor, limits: tuple[float, float] = UNLIMITED
) -> Requantization:
    """From an accumulator whose unit is `accumulator_scale` (float32) to `output`, held
    between the real values `limits`."""
    output_scale, output_zero = scale(output), zero_point(output)
    multiplier = single(accumulator_scale * single(1 / output_scale))
    return Requantization(multiplier, *clamps(output_scale, output_zero, limits), output_zero)


def same_quantization(source: Tensor, output: Tensor, op: int) -> int:
    """The zero point on the chip that both have; refuses an operator that would have to
    requantise."""
    if (scale(source), zero_point(source)) != (scale(output), zero_point(output)):
        raise Refusal(op, "the operator keeps values, but its output has another quantisation")
    return zero_point(source)
