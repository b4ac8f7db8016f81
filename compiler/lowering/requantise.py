"""The requantiser's fields of a tensor op. Reads constants of the Plan level."""

from __future__ import annotations

from dataclasses import replace

from ..planning.requantization import Requantization
from .program import INF, Mode, TensorOp


def requantised(op: TensorOp, result: Requantization) -> TensorOp:
    """`op` with its accumulator brought to the result's scale, limits and zero point."""
    return replace(
        op,
        multiplier=result.multiplier,
        clamp_max=result.clamp_max,
        clamp_min=result.clamp_min,
        output_zero=result.zero_point,
    )


def copying(op: TensorOp) -> TensorOp:
    """`op` as a copy of four-byte words: times an identity matrix, nothing clamped."""
    return replace(
        op, mode=Mode.IDENTITY, lanes=3, last_lanes=3, multiplier=1.0, clamp_max=INF, clamp_min=-INF
    )
