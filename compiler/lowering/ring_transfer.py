"""One message over the ring bus: narrow words of one tile to the narrow memories of others.

Four instructions, consumers first: wide-to-narrow and ring consumer at the readers, ring
producer and narrow-to-wide at the sender, each pair around a two-line FIFO. Messages take
turns over the whole program (the producer counter); everything else counts from the last
reset. Facts: docs/format/fully_connected.md, "Ring messages".
"""

from __future__ import annotations

from ..fast_dataclass import dataclass
from .lower import Lowering
from .mesh_transfer import LINE_WORDS
from .program import (
    ALL_TILES,
    Flag,
    NarrowToWide,
    Nest,
    Ring,
    RingConsume,
    RingProduce,
    ScalarFence,
    Unit,
    Wait,
    WideToNarrow,
)
from .runs import Run
from .streams import fifo, one_line

RING_AND_MESH = Unit.ALL & ~(
    Unit.TENSOR | Unit.NARROW_TO_WIDE | Unit.WIDE_TO_NARROW | Unit.RING_CONSUMER_B
)
"""Units idle before the tiles tell the scalar core that a round of messages is over."""


@dataclass(frozen=True, slots=True)
class RingLines:
    """First lines of the FIFOs at the readers and at the sender, two lines each."""

    consumer: int
    producer: int


def ring_message(
    lowering: Lowering,
    sender: int,
    readers: int,
    *,
    source: int,
    destination: int,
    count: int,
    lines: RingLines,
) -> None:
    """`count` words at `source` of tile `sender` to `destination` of the tiles `readers`."""
    run = ((count, 1),)
    ring_run(
        lowering,
        sender,
        readers,
        source=Run(source, run),
        destination=Run(destination, run),
        lines=lines,
    )


def ring_run(
    lowering: Lowering,
    sender: int,
    readers: int,
    *,
    source: Run,
    destination: Run,
    lines: RingLines,
) -> None:
    """The words of one stream of tile `sender` to as many of the tiles `readers`; a barrier in
    front, if bytes of the host may still be under way to these."""
    if lowering.program.overtakes_feed(sender, readers):
        lowering.program.barrier()
    lowering.program.takes_turn(sender)
    _receive(lowering, readers, destination, lines.consumer)
    _send(lowering, sender, readers, source, lines.producer)


def _receive(lowering: Lowering, readers: int, destination: Run, line: int) -> None:
    """The readers' side: from the ring into a buffer at `line`, and into narrow memory."""
    sync = lowering.sync
    length = _lines(destination)
    reader = (readers & -readers).bit_length() - 1
    level, buffer = _line_buffer(line, length)
    loaded = destination.nest()
    lowering.add(
        WideToNarrow(
            tiles=readers,
            wide=buffer,
            narrow=loaded,
            signal=0 if destination.words > 1 else 1,
            waits=(Wait(Flag.RING_READ_A, level, sync.on_tile(Flag.RING_READ_A, reader) + 1),),
            fill_level=len(loaded.levels),
        )
    )
    drained = sync.on_tile(Flag.WIDE_TO_NARROW, reader) - LINE_WORDS
    lowering.add(
        RingConsume(
            tiles=readers,
            ring=Ring.A,
            wide=buffer,
            signal=level,
            wait=Wait(Flag.WIDE_TO_NARROW, level, drained, LINE_WORDS, True),
        )
    )
    sync.advance(Flag.RING_READ_A, length, readers)
    sync.advance(Flag.WIDE_TO_NARROW, destination.words, readers)


def _send(lowering: Lowering, sender: int, readers: int, source: Run, line: int) -> None:
    """The sender's side: narrow words into a buffer at `line`, and round the ring."""
    sync = lowering.sync
    length = _lines(source)
    level, buffer = _line_buffer(line, length)
    stored = source.nest()
    outer = ((1, 1), (length, 0)) if length > 1 else ((1, 1),)
    filled = sync.on_tile(Flag.NARROW_TO_WIDE, sender) + 1
    lowering.add(
        RingProduce(
            tiles=1 << sender,
            wide=Nest(line, outer, 1, 1, 1),
            signal_read=1,
            signal_sent=2,
            waits=(turn(lowering), Wait(Flag.NARROW_TO_WIDE, 1, filled)),
            destinations=readers,
        )
    )
    sent = sync.on_tile(Flag.RING_WRITE, sender)
    lowering.add(
        NarrowToWide(
            tiles=1 << sender,
            narrow=stored,
            wide=buffer,
            signal=level,
            waits=(Wait(Flag.RING_WRITE, level, sent - 1, 1, True),),
            fill_level=len(stored.levels),
        )
    )
    sync.advance(Flag.NARROW_TO_WIDE, length, 1 << sender)
    sync.advance(Flag.RING_WRITE, length, 1 << sender)


def _lines(run: Run) -> int:
    """Ring lines that the words of a stream take."""
    return -(-run.words // LINE_WORDS)


def _line_buffer(line: int, length: int) -> tuple[int, Nest]:
    """Loop level of a line, and the buffer that `length` lines pass through."""
    return (0, fifo(line, length)) if length > 1 else (1, one_line(line))


def turn(lowering: Lowering) -> Wait:
    """Wait until all ring A messages that were issued before have been sent."""
    before = lowering.program.producer_a
    lowering.program.producer_a += 1
    return Wait(Flag.RING_PRODUCER_A, 2, before)


def end_of_round(lowering: Lowering) -> None:
    """All ring and mesh units of all tiles idle, and the scalar core knows it."""
    lowering.program.tile_fence(0, RING_AND_MESH, notify=1)
    lowering.add(ScalarFence(tiles=ALL_TILES, notify_count=1, notify_tiles=ALL_TILES))
