"""A convolution layer's parameters on their way: from the tiles that own them, or from the
host, round the ring to the tiles that compute, there into wide memory and the scaling unit.

Reads `ConvolutionStep`s. Facts: docs/format/convolution.md, "Parameters".
"""

from __future__ import annotations

from dataclasses import replace

from ..planning.convolution import ConvolutionStep
from .host_stream import PACKED_LANES, spread_packed_rows
from .lower import Lowering
from .program import (
    Flag,
    Nest,
    Outfeed,
    Pop,
    Ring,
    RingConsume,
    RingProduce,
    ScalarFlag,
    Tail,
    Wait,
    WideToNarrow,
)
from .streams import stream

WORD_BYTES = 4
ROW_BYTES = 16
"""A row of a packed layer: four lanes of four bytes."""
REINJECTION_WORDS = 128
"""Words of the scalar core's memory that parameters pass through."""
MESSAGE_WORDS = 64
REINJECTION_LIMIT = 0x3F
PARAMETER_PACKETS = 2
"""Pop.source: words that came over the ring."""
SCALING_BIAS = 64
"""8-byte unit of the scaling unit's memory where its biases begin."""
SCALING_SLOT = 32
"""8-byte units from one of its two slots to the other."""


def _line_by_line(address: int, lines: int) -> Nest:
    """Lines that are a message each."""
    if lines == 1:
        return stream(address, (1, 1))
    return stream(address, (1, 1), (lines, 1))


class LayerParameters:
    """The transport of one layer. arrival: counter of weight chunks that came in; vectors:
    header vectors for the scaling unit; from_host: no tile owns the parameters."""

    def __init__(self, lowering: Lowering, step: ConvolutionStep) -> None:
        self.lowering = lowering
        self.sync = lowering.sync
        self.step = step
        self.tiles = step.tiles
        self.headers = len(step.headers)
        self.vectors = sum(name in step.headers for name in ("scale", "bias"))
        self.from_host = not lowering.placement(step.segments[0])
        ring_a = step.packed or self.from_host
        self.ring = Ring.A if ring_a else Ring.B
        self.arrival = Flag.RING_READ_A if ring_a else Flag.RING_READ_B
        self.streamed = step.chunks.count > 1

    def consume(self) -> None:
        """Weights go to one or two chunk buffers, header vectors to a ring of their own."""
        step, chunks = self.step, self.step.chunks
        levels = [(chunks.lines, 1)]
        if self.streamed:
            levels.append((chunks.count, 0))
        levels += [(1, 0), (step.output_blocks, 0)]
        base = step.blocks.headers
        released = self.sync.count(Flag.PARAMETERS, self.tiles)
        consumer = RingConsume(
            tiles=self.tiles,
            ring=self.ring,
            wide=Nest(
                step.blocks.weights,
                tuple(levels),
                int(chunks.lines > 1),
                1,
                0 if chunks.single_buffered else chunks.lines,
            ),
            signal=1,
            wait=Wait(Flag.PARAMETERS, 1, released + 1 - chunks.slots, space=True),
        )
        if self.headers:
            consumer = replace(
                consumer,
                header=1,
                header_level=2 if self.streamed else 1,
                header_first=base,
                header_split=self.headers - 1,
                header_last=base + chunks.slots * self.headers - 1,
                header_lines=self.headers,
            )
        self.lowering.add(consumer)

    def load_headers(self) -> None:
        """Scale and bias vectors of each block into the two slots of the scaling unit."""
        if not self.vectors:
            return
        step, chunks = self.step, self.step.chunks
        units = 2 if step.packed else min(-(-step.output_channels // 16) * 8, SCALING_SLOT)
        blocks = step.output_blocks
        single = chunks.single_buffered
        self.lowering.add(
            WideToNarrow(
                tiles=self.tiles,
                wide=Nest(
                    step.blocks.headers,
                    ((self.vectors, 1), (blocks, 0)),
                    1,
                    0 if single else 1,
                    0 if single else self.headers,
                ),
                narrow=Nest(
                    0 if "scale" in step.headers else SCALING_BIAS,
                    ((units, 1), (self.vectors, SCALING_BIAS), (blocks, 0)),
                    3,
                    2,
                    SCALING_SLOT,
                ),
                signal=2,
                waits=(
                    Wait(self.arrival, 1, self.arrived() + 1, chunks.count),
                    Wait(Flag.AVDATA, 2, self.sync.count(Flag.AVDATA, self.tiles) - 1, space=True),
                ),
                to_scaling=1,
                fill_level=1,
            )
        )

    def arrived(self) -> int:
        """Weight chunks that came in so far."""
        return self.sync.count(self.arrival, self.tiles)

    def send(self) -> None:
        """From the host or the tiles that keep the layer's parameters to those that compute
        it."""
        if self.from_host:
            self._send_from_host()
            return
        pieces = self.lowering.placement(self.step.segments[0])
        program = self.lowering.program
        if self.step.packed:
            self._reinject(sum(piece.lines for piece in pieces))
        for piece in pieces:
            turn_b = Wait(Flag.RING_PRODUCER_B, 1, program.producer_b)
            if self.step.packed:
                turn_a = Wait(Flag.RING_PRODUCER_A, 1, program.producer_a - 1)
                producer = RingProduce(
                    tiles=1 << piece.tile,
                    wide=_line_by_line(piece.address, piece.lines),
                    signal_sent=1,
                    waits=(turn_a, turn_b),
                    channel_b=1,
                    to_host=1,
                )
                program.producer_a += piece.lines
            else:
                producer = RingProduce(
                    tiles=1 << piece.tile,
                    wide=stream(piece.address, (piece.lines, 1)),
                    signal_sent=0,
                    waits=(turn_b,),
                    channel_b=1,
                    destinations=self.tiles,
                )
            program.producer_b += piece.lines
            self.lowering.add(producer)

    def _send_from_host(self) -> None:
        index = self.step.segments[0]
        segment = self.lowering.segment(index)
        data, lanes = segment.data, segment.lanes
        if self.step.packed:
            data, lanes = spread_packed_rows(data, self._packed_rows()), PACKED_LANES
        self.lowering.host.broadcast(index, data, lanes, self.tiles)

    def _packed_rows(self) -> int:
        """16-byte rows of a packed layer."""
        step = self.step
        if step.depthwise:
            return (step.window.taps + self.headers) * step.output_blocks
        return step.window.taps * step.input_words + self.headers

    def _reinject(self, lines: int) -> None:
        """Packed parameters: whole lines into the scalar core's memory, 16-byte rows out."""
        sync = self.sync
        words = self._packed_rows() * ROW_BYTES // WORD_BYTES
        messages, rest = -(-words // MESSAGE_WORDS), words % MESSAGE_WORDS
        self.lowering.add(
            Pop(
                source=PARAMETER_PACKETS,
                buffer=Nest(
                    0,
                    ((MESSAGE_WORDS, 1), (messages, 0)),
                    1,
                    1,
                    MESSAGE_WORDS,
                    Tail(rest, 1, MESSAGE_WORDS - rest) if rest else None,
                ),
                signal_ring=1,
                signal_space=0,
                waits=(Wait(ScalarFlag.RING_OUTFEED, 0, sync.outfed + 1),),
                on=1,
                destinations=self.tiles,
                lanes=WORD_BYTES - 1,
            )
        )
        self.lowering.add(
            Outfeed(
                buffer=Nest(0, ((MESSAGE_WORDS, 1), (lines, 0)), 1, 1, MESSAGE_WORDS),
                signal=0,
                wait=Wait(ScalarFlag.SCALAR_INFEED, 0, sync.reinjected + 1 - REINJECTION_WORDS),
                limit=REINJECTION_LIMIT,
            )
        )
        sync.outfed += messages * MESSAGE_WORDS
        sync.reinjected += words
