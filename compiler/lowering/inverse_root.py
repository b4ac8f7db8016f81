"""RSQRT: bytes to 16-bit arguments, their inverse roots, and those to bytes again.

Reads RootStep; writes the Program level. Facts: docs/format/activation.md, "RSQRT".

    reset; identity, where it is not there yet; reset; arguments; table; reset; roots; reset;
    result; reset.
"""

from __future__ import annotations

from dataclasses import replace

from ..planning.inverse_root import RootStep
from ..planning.patches import PatchClass
from ..planning.requantization import UNLIMITED, Requantization
from .activation_tables import INVERSE_ROOT, load_table
from .constant_lines import make_identity
from .elementwise import LINE_UNITS, WORD_BYTES, words_of_pixels
from .lower import Lowering
from .lstm_products import BYTE_SLICES, widen
from .program import Mode, Nest, TensorOp
from .requantise import requantised
from .streams import stream

_AS_IT_IS = Requantization(1.0, UNLIMITED[1], UNLIMITED[0], 0)


def lower_root(lowering: Lowering, step: RootStep) -> None:
    """Counters are zero at both ends."""
    lowering.reset()
    make_identity(lowering, step.identity)
    lowering.reset()
    arguments = WORD_BYTES * lowering.address(step.arguments)
    roots = WORD_BYTES * lowering.address(step.roots)
    tiles = 0
    for tile_class in step.classes:
        tiles |= tile_class.tiles
        source = WORD_BYTES * (lowering.address(step.input) + tile_class.sources[0].offset)
        op = widen(lowering, tile_class.tiles, _words(step, tile_class), source, arguments)
        lowering.add(requantised(replace(op, input_zero=step.input_zero), step.argument))
    load_table(lowering, "inverse_root", tiles)
    lowering.reset()
    for tile_class in step.classes:
        words = _words(step, tile_class)
        written = stream(roots, (2, WORD_BYTES), (words, 2 * WORD_BYTES))
        op = _from_wide(lowering, tile_class.tiles, words, arguments, written)
        lowering.add(requantised(replace(op, activation=INVERSE_ROOT), _AS_IT_IS))
    lowering.reset()
    for tile_class in step.classes:
        words = _words(step, tile_class)
        target = lowering.address(step.output), tile_class.target, tile_class
        written = words_of_pixels(*target, step.channel_words)
        op = _from_wide(lowering, tile_class.tiles, words, roots, written)
        lowering.add(requantised(op, step.result))
    lowering.reset()


def _words(step: RootStep, tile_class: PatchClass) -> int:
    """Words of bytes of the tiles' pixels."""
    return tile_class.height * tile_class.width * step.channel_words


def _from_wide(lowering: Lowering, tiles: int, words: int, source: int, written: Nest) -> TensorOp:
    """Words of four 16-bit values, times the slices of the identity."""
    return TensorOp(
        tiles=tiles,
        loops=(4, words),
        narrow_in=stream(source, (4, 2), (words, 2 * WORD_BYTES)),
        narrow_out=written,
        wide=Nest(LINE_UNITS * lowering.plan.identity_line, ((4, 1), (words, 0)), 1, 1),
        partial=Nest(0, ((4, 0), (words, 0)), 0, 1, LINE_UNITS),
        mode=Mode.POOL,
        byte_slices=BYTE_SLICES,
        group_level=2,
        last_lanes=WORD_BYTES - 1,
        lanes=WORD_BYTES - 1,
    )
