"""Copies of words inside a tile by the tensor unit: times the byte identity, bytes unchanged.

Reads nothing; writes values of the Program level. Facts: docs/format/movement.md, "Copies".
"""

from __future__ import annotations

from ..fast_dataclass import dataclass
from .program import Nest, TensorOp
from .requantise import copying
from .streams import stream

WORD_BYTES = 4
LINE_UNITS = 4
_LINE_BYTES = 256


@dataclass(frozen=True, slots=True)
class Place:
    """Pixels in narrow memory: word address, words from a pixel, a row and a map to the next."""

    base: int
    pixel: int
    row: int
    map: int


def raw_copy(
    tiles: int, size: tuple[int, int, int], source: Place, target: Place, line: int
) -> TensorOp:
    """Copy `size` (words, columns, rows), with the identity in wide `line`; no signals."""
    words, columns, rows = size
    steps = words * columns * rows
    idle = ((steps, 0),) if steps > 1 else ()
    return copying(
        TensorOp(
            tiles=tiles,
            loops=(1, steps),
            narrow_in=Nest(
                source.base,
                (
                    (words, 1),
                    (1, 0),
                    (columns, source.pixel),
                    (1, 0),
                    (rows, source.row),
                    (1, 0),
                    (1, source.map),
                ),
                0x55,
            ).scaled(WORD_BYTES),
            narrow_out=stream(
                target.base,
                (words, 1),
                (columns, target.pixel),
                (rows, target.row),
                (1, target.map),
            ).scaled(WORD_BYTES),
            wide=Nest(LINE_UNITS * line, ((1, LINE_UNITS), *idle), 1),
            partial=Nest(0, idle or ((1, 1),), 0, int(steps == 1), _LINE_BYTES),
        )
    )
