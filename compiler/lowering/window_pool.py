"""Pools with windows that cross tiles: pixel planes of the haloed map, and one tensor op for each
group of windows (`pooling.py` explains planes).

Reads WindowPoolStep; writes the Program level. Facts: docs/format/pooling.md, "Windows over
several tiles".
"""

from __future__ import annotations

from dataclasses import replace

from ..planning.pooling import row_planes
from ..planning.vectors import BLOCK_WORDS
from ..planning.window_pool import PoolPart, PoolSource, WindowPoolStep
from .halo import lower_halo
from .lower import Lowering
from .program import (
    Direction,
    MeshMove,
    Mode,
    NarrowToWide,
    Nest,
    Tail,
    TensorKind,
    TensorOp,
)
from .requantise import requantised
from .streams import stream, words

_PIXELS = 4
_LINE_UNITS = 4
_WORD_BYTES = 4


def lower_window_pool(lowering: Lowering, step: WindowPoolStep) -> None:
    """Halo; reset; constant; planes; idle; windows; reset."""
    if step.exchange:
        lower_halo(lowering, step.input, step.input_buffer, step.exchange, step.fill)
    lowering.reset()
    if step.ones:
        count = max(part.rows * part.columns for part in step.parts)
        lowering.add(
            MeshMove(
                tiles=step.tiles,
                direction=Direction.NORTH,
                destination=words(lowering.address(step.ones), count),
                fill=1,
            )
        )
        lowering.program.idle()
    for source in step.sources:
        lowering.add(_planes(lowering, step, source))
    lowering.program.idle()
    for part in step.parts:
        op = _average(lowering, step, part) if step.ones else _maximum(step, part)
        lowering.add(_windows(lowering, step, part, op))
    lowering.reset()


def _planes(lowering: Lowering, step: WindowPoolStep, source: PoolSource) -> NarrowToWide:
    """Four pixels of a row to the four bytes of a line's lanes, block after block."""
    pitch, block = step.input_pitch, step.block_words
    inside = [(_PIXELS, pitch)] + ([(block, 1)] if block > 1 else [])
    planes = row_planes(source.width)
    levels = [*inside, *(((planes, _PIXELS * pitch),) if planes > 1 else ())]
    levels.append((source.height, source.row_words))
    tail = None
    if step.blocks > 1:
        levels.append((step.blocks, BLOCK_WORDS))
        if step.last_words < block:
            tail = Tail(step.last_words, len(levels) - 1, block - step.last_words)
    lines = planes * source.height
    wide = ((lines, 1), (step.blocks, lines)) if step.blocks > 1 else ((lines, 1),)
    base = lowering.address(step.input_buffer) + source.offset
    return NarrowToWide(
        tiles=source.tiles,
        narrow=Nest(base, tuple(levels), (1 << len(levels)) - 1, tail=tail),
        wide=stream(step.plane_line, *wide),
        signal=1,
        transpose=1,
        fill_level=len(inside),
    )


def _windows(lowering: Lowering, step: WindowPoolStep, part: PoolPart, op: TensorOp) -> TensorOp:
    """What both kinds have in common: loops, planes, results."""
    high, wide = part.kernel
    block, blocks = step.block_words, step.blocks
    line = _LINE_UNITS * row_planes(part.width)
    whole = line * part.height
    output = _WORD_BYTES * (lowering.address(step.output_buffer) + part.offset)
    pitch, down = _WORD_BYTES * step.output_pitch, _WORD_BYTES * part.row_words
    tail = None
    if step.last_words < block:
        tail = Tail(step.last_words, 3, _WORD_BYTES * (block - step.last_words))
    levels = (
        (block, _WORD_BYTES),
        (part.columns, pitch),
        (part.rows, down),
        (blocks, _WORD_BYTES * block),
        (1, part.rows * down),
    )
    first = part.first[0] * line + part.first[1]
    return replace(
        requantised(op, part.scaling),
        tiles=part.tiles,
        loops=(wide, high, part.columns, part.rows, blocks),
        narrow_out=Nest(output, levels, 0x1F, tail=tail),
        wide=stream(
            _LINE_UNITS * step.plane_line + first,
            (wide, 1),
            (high, line),
            (part.columns, step.window.columns.stride),
            (part.rows, step.window.rows.stride * line),
            (blocks, whole),
            (1, whole * blocks),
        ),
        signal_output=3,
        signal_operands=4,
        byte_slices=3,
        group_level=4,
        reduced=3,
        last_lanes=_WORD_BYTES * step.last_words - 1,
        lanes=_WORD_BYTES * block - 1,
    )


def _average(lowering: Lowering, step: WindowPoolStep, part: PoolPart) -> TensorOp:
    """Every byte plane times one."""
    kernel = part.kernel[1], part.kernel[0]
    windows, taps = part.rows * part.columns, kernel[0] * kernel[1]
    ones: tuple[tuple[int, int], ...] = ((kernel[0], 0), (kernel[1], 0))
    ones = (*ones, (windows, 4), (1, 4 * windows))
    partial = Nest(0, ((taps, 0), *(((windows, 0),) if windows > 1 else ())), 0, 1, 4)
    if step.blocks > 1:
        ones = (*ones, (step.blocks, 0))
        trips = (*kernel, part.columns, part.rows, step.blocks)
        partial = Nest(0, tuple((count, 0) for count in trips), 0, 2, 4)
    return TensorOp(
        narrow_in=Nest(4 * lowering.address(step.ones), ones, 0xC),
        partial=partial,
        mode=Mode.POOL,
        weight_zero=step.input_zero,
    )


def _maximum(step: WindowPoolStep, part: PoolPart) -> TensorOp:
    """The largest byte, whatever its zero point."""
    high, wide = part.kernel
    return TensorOp(
        kind=TensorKind.MAXIMUM,
        partial=Nest(
            0,
            (
                (wide, int(wide == 1)),
                *((count, 0) for count in (high, part.columns, part.rows, step.blocks)),
            ),
            0,
            2,
            4,
        ),
        mode=Mode.IDENTITY,
        raw=1,
    )
