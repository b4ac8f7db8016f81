"""Lowering of a map output.

Reads `MapOutputStep`s. Facts: docs/format/execution_order.md, "Map output". All tiles pack their
own pixels into lines at once; then, tile after tile, the lines go over the ring to the host.
"""

from __future__ import annotations

from ..planning.map_output import ITEM_WORDS, LINE_WORDS, MapOutputStep, OutputRectangle
from ..planning.tiling import tiles_of
from .builder import TAG_OUTPUT
from .lower import Lowering
from .program import Flag, NarrowToWide, Nest, Outfeed, RingProduce, Wait
from .streams import fifo, one_line, stream

HOST_LIMIT = 0x7F


def lower_map_output(lowering: Lowering, step: MapOutputStep) -> None:
    """Send one map to the host."""
    program = lowering.program
    program.barrier()
    program.load_base()
    program.address_from_base()
    for rectangle in step.rectangles:
        lowering.add(_pack(lowering, step, rectangle))
    program.address_to_descriptor()
    program.fire(step.size, TAG_OUTPUT)
    by_tile = {tile: r for r in step.rectangles for tile in tiles_of(r.tiles)}
    for tile, rectangle in sorted(by_tile.items()):
        _send(lowering, step, tile, rectangle)
    for rectangle in step.rectangles:
        lines = _lines(step, rectangle)
        lowering.sync.advance(Flag.NARROW_TO_WIDE, lines, rectangle.tiles)
        lowering.sync.advance(Flag.RING_WRITE, lines, rectangle.tiles)


def _words(step: MapOutputStep, rectangle: OutputRectangle) -> int:
    return rectangle.rows * rectangle.columns * step.input.channel_words


def _lines(step: MapOutputStep, rectangle: OutputRectangle) -> int:
    return -(-_words(step, rectangle) // LINE_WORDS)


def _pack(lowering: Lowering, step: MapOutputStep, rectangle: OutputRectangle) -> NarrowToWide:
    """The tile's pixels, one behind the other, into the two-line FIFO."""
    layout = step.input
    lines = _lines(step, rectangle)
    written = lowering.sync.count(Flag.RING_WRITE, rectangle.tiles)
    level = 0 if lines > 1 else 1
    return NarrowToWide(
        tiles=rectangle.tiles,
        narrow=stream(
            lowering.address(step.input_buffer) + rectangle.offset,
            (layout.channel_words, 1),
            (rectangle.columns, layout.pixel_words),
            (rectangle.rows, rectangle.row_words),
        ),
        wide=fifo(step.line, lines) if lines > 1 else one_line(step.line),
        signal=level,
        waits=(Wait(Flag.RING_WRITE, level, written - 1, space=True),),
        fill_level=3,
    )


def _send(lowering: Lowering, step: MapOutputStep, tile: int, rectangle: OutputRectangle) -> None:
    program = lowering.program
    items = -(-_words(step, rectangle) // ITEM_WORDS)
    lines = _lines(step, rectangle)
    filled = lowering.sync.on_tile(Flag.NARROW_TO_WIDE, tile)
    lowering.add(Outfeed(buffer=Nest(0, ((items, 0),)), signal=1, limit=HOST_LIMIT))
    levels = ((1, 1), (lines, 0)) if lines > 1 else ((1, 1),)
    lowering.add(
        RingProduce(
            tiles=1 << tile,
            wide=Nest(step.line, levels, 1, 1, 1),
            signal_read=1,
            signal_sent=2,
            waits=(
                Wait(Flag.RING_PRODUCER_A, 2, program.producer_a),
                Wait(Flag.NARROW_TO_WIDE, 1, filled + 1),
            ),
            to_host=1,
        )
    )
    program.producer_a += 1
