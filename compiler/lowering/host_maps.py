"""A map to the host's scratch memory and back.

Reads HostStoreStep and HostFetchStep; writes the Program level. Facts: docs/format/pooling.md,
"Maps in the host's memory".
"""

from __future__ import annotations

from collections.abc import Iterator

from ..planning.host_maps import HostFetchStep, HostStoreStep
from ..planning.map_output import ITEM_WORDS, LINE_WORDS, WORD_BYTES, OutputRectangle
from ..planning.tiling import GRID
from .builder import RING_AND_FEED, TAG_INPUT, TAG_OUTPUT
from .collected_output import lines_of, rectangle_of_tile, words_of
from .feed_buffer import signed16
from .image_input import FEED_ITEMS, feed_turns
from .lower import Lowering
from .map_output import pack, send_tile
from .program import (
    Flag,
    Infeed,
    Pop,
    Ring,
    RingConsume,
    ScalarFence,
    ScalarFlag,
    Wait,
    WideToNarrow,
)
from .streams import fifo, stream

_SCRATCH_LOW, _SCRATCH_HIGH = 3, 2
"""Registers of the scratch memory's base, loaded by the program's frame."""
_FEED_FLAGS = 1 << ScalarFlag.AVDATA_INFEED | 1 << ScalarFlag.AVDATA_POP
_HEADROOM = 4
"""Items of the feed buffer that the stream leaves free."""
_PRODUCER_B = 2
_OUTFEED = 0x10
"""Scalar unit: everything sent to the host is there."""


def lower_host_store(lowering: Lowering, step: HostStoreStep) -> None:
    """reset; all tiles pack; the tiles send, one after the other."""
    program = lowering.program
    lowering.reset()
    _address(lowering, step)
    for rectangle in step.rectangles:
        lowering.add(pack(lowering, step, rectangle))
    program.address_to_descriptor()
    program.fire(step.size, TAG_OUTPUT)
    for tile, rectangle in _tiles(step):
        send_tile(lowering, step, tile, rectangle)
    for rectangle in step.rectangles:
        lines = lines_of(step, rectangle)
        lowering.sync.advance(Flag.NARROW_TO_WIDE, lines, rectangle.tiles)
        lowering.sync.advance(Flag.RING_WRITE, lines, rectangle.tiles)


def lower_host_fetch(lowering: Lowering, step: HostFetchStep) -> None:
    """reset; the feed starts again; all tiles unpack what is popped for one after the other; idle;
    reset."""
    program, stored = lowering.program, step.stored
    lowering.restart_rings()
    program.idle()
    lowering.add(ScalarFence(producers=_PRODUCER_B, producer_b=program.producer_b, units=_OUTFEED))
    lowering.add(ScalarFence(flags=_FEED_FLAGS, units=RING_AND_FEED))
    _address(lowering, stored)
    items = stored.size // (ITEM_WORDS * WORD_BYTES)
    lowering.add(
        Infeed(
            activations=1,
            buffer=feed_turns(0, items, always=True),
            signal=0,
            wait=Wait(ScalarFlag.AVDATA_INFEED, 0, _HEADROOM - 2 * FEED_ITEMS),
        )
    )
    program.address_to_descriptor()
    program.fire(stored.size, TAG_INPUT)
    for rectangle in stored.rectangles:
        lowering.add(_unpack(step, rectangle, lowering.address(step.output)))
    first = 0
    for tile, rectangle in _tiles(stored):
        _pop(lowering, step, tile, rectangle, first)
        first += words_of(stored, rectangle) // ITEM_WORDS
    program.idle()
    lowering.reset()


def _address(lowering: Lowering, step: HostStoreStep) -> None:
    """(r4:r5) = scratch base + the map's place."""
    lowering.program.copy_address(_SCRATCH_LOW, _SCRATCH_HIGH, 5, 4, 6, offset=step.scratch_offset)


def _tiles(step: HostStoreStep) -> Iterator[tuple[int, OutputRectangle]]:
    """Tile row after tile row from the last one up, every other one backwards."""
    found = rectangle_of_tile(step)
    for row in reversed(range(GRID)):
        columns = range(GRID) if row % 2 else reversed(range(GRID))
        for tile in (GRID * row + column for column in columns):
            if tile in found:
                yield tile, found[tile]


def _unpack(step: HostFetchStep, rectangle: OutputRectangle, buffer: int) -> WideToNarrow:
    layout = step.stored.input
    levels = (
        (layout.channel_words, 1),
        (rectangle.columns, layout.pixel_words),
        (rectangle.rows, rectangle.row_words),
    )
    kept = [level for level in levels if level[0] > 1] or [(1, 1)]
    return WideToNarrow(
        tiles=rectangle.tiles,
        wide=fifo(step.stored.line, lines_of(step.stored, rectangle)),
        narrow=stream(buffer + rectangle.offset, *kept),
        signal=0,
        waits=(Wait(Flag.RING_READ_A, 0, 1),),
        fill_level=len(kept),
    )


def _pop(
    lowering: Lowering, step: HostFetchStep, tile: int, rectangle: OutputRectangle, first: int
) -> None:
    """A tile's items, from number `first` of the map on."""
    program, stored = lowering.program, step.stored
    lowering.add(
        RingConsume(
            tiles=1 << tile,
            ring=Ring.A,
            wide=fifo(stored.line, lines_of(stored, rectangle)),
            signal=0,
            wait=Wait(Flag.WIDE_TO_NARROW, 0, -LINE_WORDS, LINE_WORDS, space=True),
        )
    )
    turn = Wait(ScalarFlag.PRODUCER_B, 2, program.producer_b)
    lowering.add(
        Pop(
            source=1,
            buffer=feed_turns(first, words_of(stored, rectangle) // ITEM_WORDS),
            signal_space=0,
            waits=(
                Wait(ScalarFlag.AVDATA_POP, 0, signed16(first + 1)),
                *(() if first else (turn,)),
            ),
            on=1,
            destinations=1 << tile,
            lanes=LINE_WORDS - 1,
        )
    )
