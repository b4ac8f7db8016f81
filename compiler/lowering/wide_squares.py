"""Squares of 16-bit differences of two operands.

Reads SquareStep; writes the Program level. Facts: docs/format/elementwise.md, "Composed
operators".

    reset; identity and a reset, where it is not there yet; weights; differences; reset; products
    of each with itself, the bytes together again; reset.
"""

from __future__ import annotations

from dataclasses import replace

from ..planning.wide_squares import SquareStep
from .constant_lines import make_identity
from .elementwise import WORD_BYTES, sum_operations
from .lower import Lowering
from .lstm_products import WIDE_RESULT, Factor, Product, write_product
from .streams import stream


def lower_square(lowering: Lowering, step: SquareStep) -> None:
    """Counters are zero at both ends."""
    lowering.reset()
    if make_identity(lowering, step.identity):
        lowering.reset()
    wide = WORD_BYTES * lowering.address(step.difference.output)
    words = step.channel_words
    operations = sum_operations(lowering, step.difference)
    for tile_class, op in zip(step.classes, operations, strict=True):
        row = 2 * WORD_BYTES * words * tile_class.width
        levels = (
            (2, WORD_BYTES),
            (tile_class.width, 2 * WORD_BYTES * words),
            (tile_class.height, row),
            (1, row * tile_class.height),
            (words, 2 * WORD_BYTES),
        )
        lowering.add(replace(op, narrow_out=stream(wide, *levels), activation=WIDE_RESULT))
    lowering.reset()
    for tile_class in step.classes:
        factor = Factor(wide, wide=True)
        product = Product(
            tile_class.tiles,
            words * tile_class.height * tile_class.width,
            factor,
            factor,
            WORD_BYTES * (lowering.address(step.output) + tile_class.target.offset),
            wide_result=False,
            spread=WORD_BYTES * lowering.address(step.spread),
            line=step.line,
        )
        write_product(lowering, product, step.square)
    lowering.reset()
