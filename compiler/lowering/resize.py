"""Lowering of the doubling RESIZE_BILINEAR.

Reads `ResizeStep`s. Facts: docs/format/elementwise.md, "Doubling".

    halo exchange; reset; the border's pixels copied outwards; reset; interpolation; idle.
"""

from __future__ import annotations

from dataclasses import replace

from ..float32 import from_bits
from ..planning.patches import Patch
from ..planning.resize import DoubledPart, EdgeCopy, ResizeStep
from .constant_lines import fence_identity
from .elementwise import LINE_UNITS, WORD_BYTES, copy_words
from .halo import lower_halo
from .lower import Lowering
from .program import Mode, Nest, TensorKind, TensorOp
from .streams import stream

QUARTERS = 1 / 16384
"""Two weights of four quarters each, 32 units a quarter."""
BYTE_SLICES = 3
_COLUMN_LOOP, _ROW_LOOP = 2, 3
_STEP = 2
"""Quarters from one output to the next."""


def lower_resize(lowering: Lowering, step: ResizeStep) -> None:
    """One doubling; it asks the next layer for a reset behind its halo exchange."""
    if step.exchange:
        lower_halo(lowering, step.input, step.input_buffer, step.exchange, step.zero)
    if lowering.sync.reset_before_parameters:
        lowering.reset()
    lowering.reset()
    fence_identity(lowering, step.identity)
    for edge in step.edges:
        lowering.add(_edge(lowering, step, edge))
    lowering.reset()
    for part in step.parts:
        lowering.add(_interpolation(lowering, step, part))
    lowering.program.idle()
    lowering.sync.reset_before_parameters = True


def _edge(lowering: Lowering, step: ResizeStep, edge: EdgeCopy) -> TensorOp:
    base, words = lowering.address(step.input_buffer), step.input.pixel_words
    place = Patch(0, words, edge.row_words, edge.map_words)
    return copy_words(
        lowering,
        edge.tiles,
        (edge.rows, edge.columns, words),
        (base + edge.source, place),
        (base + edge.target, place),
    )


def _interpolation(lowering: Lowering, step: ResizeStep, part: DoubledPart) -> TensorOp:
    """Four pixels around every output. The clamps hold the two interpolators, the initial
    value a pixel's pitch and the output zero point a row's."""
    words, pitch = step.input.channel_words, WORD_BYTES * step.input.pixel_words
    row, height, width = WORD_BYTES * part.source_row, part.height, part.width
    columns, rows = part.phases
    return TensorOp(
        tiles=part.tiles,
        kind=TensorKind.INTERPOLATE,
        loops=(2, 2, width, height, 1, words),
        narrow_in=replace(
            stream(
                WORD_BYTES * (lowering.address(step.input_buffer) + part.source),
                (2, pitch),
                (2, row),
                (width, 0),
                (height, 0),
                (1, WORD_BYTES * part.source_map),
                (words, WORD_BYTES),
            ),
            enabled=0b110011,
        ),
        narrow_out=stream(
            WORD_BYTES * (lowering.address(step.output_buffer) + part.target),
            (1, WORD_BYTES),
            (width, WORD_BYTES * step.output.pixel_words),
            (height, WORD_BYTES * part.target_row),
            (1, WORD_BYTES * part.target_map),
            (words, WORD_BYTES),
        ),
        partial=Nest(0, ((4, 0), (width * height * words, 0)), 0, 1, LINE_UNITS),
        mode=Mode.ELEMENTWISE,
        byte_slices=BYTE_SLICES,
        group_level=5,
        reduced=0b11,
        last_lanes=WORD_BYTES - 1,
        lanes=WORD_BYTES - 1,
        multiplier=QUARTERS,
        clamp_max=_interpolator(_COLUMN_LOOP, columns),
        clamp_min=_interpolator(_ROW_LOOP, rows),
        initial=pitch,
        output_zero=row,
    )


def _interpolator(level: int, first: int) -> float:
    """Loop level, first phase and step, a byte each, as the bits of a float32."""
    return from_bits(level | first << 8 | _STEP << 16)
