"""Lowering of what surrounds the layers of spatial passes.

Reads `PassInputStep`s, `CollectStep`s and `ParkStep`s. Facts: docs/format/passes.md.
"""

from __future__ import annotations

from ..planning.pass_steps import CollectStep, Move, ParkedRectangle, ParkStep, PassInputStep
from .axis_relayout import RelayoutLowering
from .halo import lower_halo
from .lower import Lowering
from .program import NarrowToWide, TileInstruction, WideToNarrow
from .streams import stream

LINE_WORDS = 64


def lower_pass_input(lowering: Lowering, step: PassInputStep) -> None:
    """reset; relayout; reset; halo; idle."""
    lowering.reset()
    _relayout(lowering, step, step.move, make_identity=bool(step.identity_buffer))
    if step.exchange:
        buffer = step.move.target
        lower_halo(lowering, step.layout, buffer, step.exchange, step.zero)
    lowering.program.idle()


def lower_collect(lowering: Lowering, step: CollectStep) -> None:
    """reset, reset; for each part: relayout; reset."""
    lowering.reset()
    lowering.reset()
    for number, move in enumerate(step.moves):
        fresh = number == 0 and bool(step.identity_buffer)
        _relayout(lowering, step, move, make_identity=fresh)


def _relayout(
    lowering: Lowering, step: PassInputStep | CollectStep, move: Move, *, make_identity: bool
) -> None:
    line = lowering.plan.identity_line
    relayout = RelayoutLowering(
        lowering,
        move.relayout,
        lowering.address(move.source),
        lowering.address(move.target),
        lowering.address(step.fifo_buffer),
    )
    relayout.send()
    if make_identity:
        relayout.make_identity(lowering.address(step.identity_buffer), line)
    relayout.copy(line)
    lowering.reset()


def lower_park(lowering: Lowering, step: ParkStep) -> None:
    """Out: reset; moves. Back: idle; moves; idle; reset."""
    if step.restore:
        lowering.program.idle()
    else:
        lowering.reset()
    for rectangle in step.rectangles:
        lowering.add(_parked(lowering, step, rectangle))
    if step.restore:
        lowering.program.idle()
        lowering.reset()


def _parked(lowering: Lowering, step: ParkStep, rectangle: ParkedRectangle) -> TileInstruction:
    """All rows of the tile's map, line by line; the last line perhaps in part."""
    row = rectangle.columns * step.pixel_words
    lines = -(-rectangle.rows * row // LINE_WORDS)
    wide = stream(step.line, (lines, 1))
    narrow = stream(lowering.address(step.buffer), (row, 1), (rectangle.rows, row))
    if step.restore:
        return WideToNarrow(tiles=rectangle.tiles, wide=wide, narrow=narrow, fill_level=2)
    return NarrowToWide(tiles=rectangle.tiles, narrow=narrow, wide=wide, fill_level=2)
