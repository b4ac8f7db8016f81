"""Lowering of a map output.

Reads `MapOutputStep`s. Facts: docs/format/execution_order.md, "Map output". All tiles pack their
own pixels into lines at once; then, tile after tile, the lines go over the ring to the host.
"""

from __future__ import annotations

from ..planning.host_maps import HostStoreStep
from ..planning.map_output import ITEM_WORDS, MapOutputStep, OutputRectangle
from .builder import TAG_OUTPUT
from .collected_output import fifo_lines, lines_of, lower_batches, rectangle_of_tile, words_of
from .lower import Lowering
from .program import Flag, NarrowToWide, Nest, Outfeed, RingProduce, Wait
from .streams import fifo, one_line, stream

HOST_LIMIT = 0x7F


def lower_map_output(lowering: Lowering, step: MapOutputStep) -> None:
    """Send one map to the host."""
    program = lowering.program
    if step.batches:
        program.idle()
    else:
        program.barrier()
    lowering.load_base(step)
    program.address_from_base(step.host_offset)
    for rectangle in step.rectangles:
        lowering.add(pack(lowering, step, rectangle))
    if step.batches:
        lower_batches(lowering, step)
    else:
        program.address_to_descriptor()
        program.fire(step.size, TAG_OUTPUT)
        for tile, rectangle in rectangle_of_tile(step).items():
            send_tile(lowering, step, tile, rectangle)
    for rectangle in step.rectangles:
        lines = lines_of(step, rectangle)
        lowering.sync.advance(Flag.NARROW_TO_WIDE, lines, rectangle.tiles)
        lowering.sync.advance(Flag.RING_WRITE, lines, rectangle.tiles)


def pack(
    lowering: Lowering, step: MapOutputStep | HostStoreStep, rectangle: OutputRectangle
) -> NarrowToWide:
    """The tile's pixels, one behind the other, into the two-line FIFO."""
    layout = step.input
    pixel = ((layout.channel_words, 1),) if layout.channel_words > 1 else ()
    rows = ((rectangle.rows, rectangle.row_words),) if rectangle.rows > 1 else ()
    wide = rectangle.columns > 1 or not (pixel or rows)
    columns = ((rectangle.columns, layout.pixel_words),) if wide else ()
    loops = (*pixel, *columns, *rows)
    lines = lines_of(step, rectangle)
    written = lowering.sync.count(Flag.RING_WRITE, rectangle.tiles)
    level = 0 if lines > 1 else 1
    return NarrowToWide(
        tiles=rectangle.tiles,
        narrow=stream(lowering.address(step.input_buffer) + rectangle.offset, *loops),
        wide=fifo(step.line, lines) if lines > 1 else one_line(step.line),
        signal=level,
        waits=(Wait(Flag.RING_WRITE, level, written - 1, space=True),),
        fill_level=len(loops),
    )


def send_tile(
    lowering: Lowering, step: MapOutputStep | HostStoreStep, tile: int, rectangle: OutputRectangle
) -> None:
    """Its lines from the FIFO to the host."""
    program = lowering.program
    items = -(-words_of(step, rectangle) // ITEM_WORDS)
    lines = lines_of(step, rectangle)
    filled = lowering.sync.on_tile(Flag.NARROW_TO_WIDE, tile)
    lowering.add(Outfeed(buffer=Nest(0, ((items, 0),)), signal=1, limit=HOST_LIMIT))
    lowering.sync.outfed += 1
    lowering.add(
        RingProduce(
            tiles=1 << tile,
            wide=fifo_lines(step, lines),
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
