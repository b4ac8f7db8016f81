"""Lowering of MUL of two maps.

Reads `ProductStep`s. Facts: docs/format/elementwise.md, "Products".

    reset; products, one byte a word, while the second operand comes through a FIFO in wide
    memory; identity, where it is not there yet; the bytes together again; resets.
"""

from __future__ import annotations

from ..planning.multiply import SPREAD, ProductStep
from ..planning.patches import Patch, PatchClass
from .constant_lines import make_identity
from .elementwise import LINE_UNITS, WORD_BYTES
from .lower import Lowering
from .program import Flag, Mode, NarrowToWide, Nest, TensorOp, Unit, Wait
from .requantise import copying, requantised
from .streams import fifo, stream

BYTE_SLICES = 3
Levels = tuple[tuple[int, int], ...]


def lower_product(lowering: Lowering, step: ProductStep) -> None:
    """One product; it asks the next layer for a reset behind its halo exchange."""
    lowering.reset()
    for tile_class in step.classes:
        lowering.add(_products(lowering, step, tile_class))
        lowering.add(_second_operand(lowering, step, tile_class))
        words = tile_class.height * tile_class.width * step.channel_words
        lowering.sync.advance(Flag.NARROW_TO_WIDE, words, tile_class.tiles)
    made = make_identity(lowering, step.identity)
    lowering.fence_unit(Unit.NARROW_TO_WIDE)
    for tile_class in step.classes:
        lowering.add(_together(lowering, step, tile_class))
    program = lowering.program
    program.tile_fence(1 << Flag.NARROW_TO_WIDE, Unit.ALL, value=int(made))
    program.tile_fence(1 << Flag.PARAMETERS, Unit.ALL)
    lowering.reset()
    lowering.sync.reset_before_parameters = True


def _loops(step: ProductStep, tile_class: PatchClass) -> tuple[int, ...]:
    """Words of a row, and rows if there are several."""
    width = tile_class.width * step.channel_words
    return (width, tile_class.height) if tile_class.height > 1 else (width,)


def _rows(step: ProductStep, tile_class: PatchClass, place: Patch, factor: int) -> Levels:
    """Words and rows of a patch that has no gaps between its pixels, `factor` bytes a word."""
    width = tile_class.width * step.channel_words
    words = (*_loops(step, tile_class), 1)
    strides = (factor, factor * place.row_words, factor * place.map_words)
    if tile_class.height == 1:
        return ((width, factor), (1, factor * place.map_words), (1, factor * place.map_words))
    return tuple(zip(words, strides, strict=True))


def _products(lowering: Lowering, step: ProductStep, tile_class: PatchClass) -> TensorOp:
    loops = _loops(step, tile_class)
    idle = tuple((count, 0) for count in loops)
    source, spread = tile_class.sources[0], _spread(step, tile_class)
    op = TensorOp(
        tiles=tile_class.tiles,
        loops=(SPREAD, 1, *loops),
        narrow_in=stream(
            WORD_BYTES * (lowering.address(step.first) + source.offset),
            (WORD_BYTES, 1),
            *_rows(step, tile_class, source, WORD_BYTES),
        ),
        narrow_out=stream(
            WORD_BYTES * lowering.address(step.spread),
            (1, WORD_BYTES),
            (SPREAD, WORD_BYTES),
            *_rows(step, tile_class, spread, WORD_BYTES * SPREAD),
        ),
        wide=Nest(LINE_UNITS * step.line, ((SPREAD, 1), (1, 0), *idle), 1, 1, LINE_UNITS),
        partial=Nest(0, ((1, 1), (SPREAD, 0), *idle), 1, 1, LINE_UNITS),
        signal_operands=1,
        waits=(Wait(Flag.NARROW_TO_WIDE, 1, 1),),
        mode=Mode.IDENTITY,
        byte_slices=BYTE_SLICES,
        raw=1,
        input_zero=step.zeros[0],
        weight_zero=step.zeros[1],
        group_level=4,
        last_lanes=WORD_BYTES - 1,
        lanes=WORD_BYTES - 1,
    )
    return requantised(op, step.requantization)


def _second_operand(lowering: Lowering, step: ProductStep, tile_class: PatchClass) -> NarrowToWide:
    """Every word a line of its own."""
    source = tile_class.sources[0]
    loops = _loops(step, tile_class)
    strides = (1, source.row_words)[: len(loops)]
    words = tile_class.height * tile_class.width * step.channel_words
    narrow = stream(
        lowering.address(step.second) + source.offset, *zip(loops, strides, strict=True)
    )
    if step.second_pixel:
        pixels = tile_class.height * tile_class.width
        narrow = stream(lowering.address(step.second), (step.channel_words, 1), (pixels, 0))
    return NarrowToWide(
        tiles=tile_class.tiles,
        narrow=narrow,
        wide=fifo(step.line, words),
        signal=0,
        waits=(Wait(Flag.PARAMETERS, 0, -1, space=True),),
    )


def _together(lowering: Lowering, step: ProductStep, tile_class: PatchClass) -> TensorOp:
    """Four words of one byte each -> one word, times the byte planes of the identity."""
    loops = _loops(step, tile_class)
    idle = tuple((count, 0) for count in loops)
    target = tile_class.target
    return copying(
        TensorOp(
            tiles=tile_class.tiles,
            loops=(SPREAD, 1, *loops),
            narrow_in=stream(
                WORD_BYTES * lowering.address(step.spread),
                (SPREAD, WORD_BYTES),
                *_rows(step, tile_class, _spread(step, tile_class), WORD_BYTES * SPREAD),
            ),
            narrow_out=stream(
                WORD_BYTES * (lowering.address(step.output) + target.offset),
                (1, WORD_BYTES),
                *_rows(step, tile_class, target, WORD_BYTES),
            ),
            wide=Nest(LINE_UNITS * lowering.plan.identity_line, ((SPREAD, 1), (1, 0), *idle), 1, 1),
            partial=Nest(0, ((SPREAD, 0), (1, 0), *idle), 0, 1, LINE_UNITS),
            byte_slices=BYTE_SLICES,
            raw=1,
            group_level=2,
        )
    )


def _spread(step: ProductStep, tile_class: PatchClass) -> Patch:
    """The scratch as the patch would be: no gaps, in units of a word's four."""
    row = tile_class.width * step.channel_words
    return Patch(0, step.channel_words, row, row * tile_class.height)
