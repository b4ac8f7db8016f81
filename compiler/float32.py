"""float32 arithmetic in Python floats, without numpy."""

from __future__ import annotations

import struct

_SINGLE = struct.Struct("<f")
_WORD = struct.Struct("<I")


def single(value: float) -> float:
    """`value` rounded to float32. The product of two float32 is exact in a Python float, and
    rounding a quotient of two float32 twice does no harm, so one operation in Python floats
    followed by this gives the float32 result."""
    try:
        rounded: float = _SINGLE.unpack(_SINGLE.pack(value))[0]
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")
    return rounded


def from_bits(bits: int) -> float:
    """The float32 with this bit pattern."""
    value: float = _SINGLE.unpack(_WORD.pack(bits))[0]
    return value
