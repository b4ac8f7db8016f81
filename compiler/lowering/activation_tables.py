"""The activation tables: piecewise quartics the requantiser evaluates in float32.

A table has eight segments of five coefficients (constant first, of the absolute argument) and
seven ascending breakpoints; the segment is the number of breakpoints not above the argument.
The numbers are constants of the chip's tool chain, given here by their float32 bit patterns
because every model's program holds them as they are. Facts: docs/format/activation.md.

Reads nothing; writes the Program level.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from functools import cache

from ..planning.requantization import from_bits
from .lower import Lowering
from .program import Flag, LoadLookup, Unit

Bits = tuple[int, ...]

OPERATION_FLAGS = 1 << Flag.AVDATA | 1 << Flag.PARAMETERS | 1 << Flag.PARTIAL_SUMS
"""The tensor op's own counters."""


class Activation(enum.Enum):
    """What a table computes, and over which arguments."""

    SIGMOID = "256 / (1 + exp(-x)), |x| <= 10.4"
    EXPONENTIAL = "65536 exp(x), -13.04 <= x <= 0"
    INVERSE_ROOT = "65535 / sqrt(2 x), 1 <= x < 4"


_TABLES: Mapping[Activation, tuple[tuple[Bits, ...], Bits]] = {
    Activation.SIGMOID: (
        (
            (0x4200549C, 0x415DB7C6, 0x40111A70, 0x3E29F7BB, 0x3B95F260),
            (0x4304A187, 0x42AB6803, 0x41AEE024, 0x40251EB8, 0x3DF136B6),
            (0x43077562, 0x42A46B63, 0x418371FD, 0x3F05681A, 0xBE04C80F),
            (0x4300006A, 0x427FE396, 0xBEA8C7FE, 0xC0C9F57D, 0xBF94C0E4),
            (0x430000B8, 0x427FB331, 0x3EF2682D, 0xC0CF35B5, 0x3F9CB2B2),
            (0x42DDC7C6, 0x42C56C6F, 0xC1D72011, 0x405BE5C6, 0xBE2FF6D3),
            (0x4343D750, 0x41EFBC0B, 0xC0B6A9CD, 0x3EFB0C86, 0xBC82C2D7),
            (0x4374CC57, 0x4085560C, 0xBF168355, 0x3D187E2A, 0xBA69A584),
        ),
        (0xC0B479B1, 0xC03DC92E, 0xBFABA1F5, 0x3DB069F8, 0x3FE71FBC, 0x4099A343, 0x41078F0A),
    ),
    Activation.EXPONENTIAL: (
        (
            (0x44E5F55C, 0x441D8DC9, 0x42A2AFA8, 0x4095CAB4, 0x3DCF45C2),
            (0x4659A168, 0x45D554F6, 0x44A0412A, 0x42D9B585, 0x4060D81F),
            (0x470121BE, 0x46A24017, 0x459FE964, 0x44112FBE, 0x41CB5DD3),
            (0x47449FF0, 0x4715E4C2, 0x4639C0CA, 0x44DA36F1, 0x42CA1D8D),
            (0x476D9BF8, 0x4751C52C, 0x469F09C7, 0x45702E8D, 0x4394BA1D),
            (0x477D4A57, 0x4774D594, 0x46DAA6A6, 0x45D3725E, 0x4434D33D),
            (0x477FF661, 0x477F9434, 0x46FC2A11, 0x461A0641, 0x44C72AEA),
            (0x477FFF00, 0x477FFEF3, 0x46FFFA9E, 0x462A207C, 0x451C7C63),
        ),
        (0xC0FF9475, 0xC0AF6050, 0xC07BB089, 0xC02CB4EC, 0xBFE0F9A9, 0xBF6ABD95, 0xBE32671F),
    ),
    Activation.INVERSE_ROOT: (
        (
            (0x47D62FB4, 0xC803F636, 0x47DB5722, 0xC740BE35, 0x460A357B),
            (0x47C2E514, 0xC7C6C3C5, 0x4788A6AD, 0xC6C69257, 0x456B57AA),
            (0x47AF3D7E, 0xC7907D9A, 0x47209FC4, 0xC63CB459, 0x44B4D079),
            (0x479D13D2, 0xC75017DD, 0x46B9CF3F, 0xC5AF4FB6, 0x4406E281),
            (0x478C9847, 0xC7153A9E, 0x46558933, 0xC5217249, 0x434718C8),
            (0x477CEE8C, 0xC6D93E73, 0x45FB974C, 0xC499F9B3, 0x4299BA81),
            (0x476756F3, 0xC6A64A81, 0x45A14319, 0xC4256088, 0x420A6991),
            (0x476756F3, 0xC6A64A81, 0x45A14319, 0xC4256088, 0x420A6991),
        ),
        (0x3F96545A, 0x3FB9F21D, 0x3FE5FDA8, 0x401006EB, 0x40332A53, 0x405BFF99, 0x7F800000),
    ),
}


@cache
def table(activation: Activation) -> LoadLookup:
    """The instruction that loads the table (for all tiles)."""
    segments, breakpoints = _TABLES[activation]
    return LoadLookup(
        coefficients=tuple(from_bits(bits) for segment in segments for bits in segment),
        breakpoints=tuple(from_bits(bits) for bits in breakpoints),
    )


def load_table(lowering: Lowering, activation: Activation, tiles: int) -> None:
    """Load the table on the tiles of the mask, once their tensor ops are done."""
    lowering.program.tile_fence(OPERATION_FLAGS, Unit.TENSOR)
    loaded = table(activation)
    lowering.add(
        LoadLookup(tiles=tiles, coefficients=loaded.coefficients, breakpoints=loaded.breakpoints)
    )
