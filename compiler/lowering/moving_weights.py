"""FULLY_CONNECTED whose weights are not on the tiles that compute: they come chunk by chunk
from the host over ring A, or from other tiles over ring B, through a FIFO of two chunks.

Reads FullyConnectedStep; writes the Program level. Facts: docs/format/memory.md, "Streaming".
"""

from __future__ import annotations

from dataclasses import replace

from ..planning.fully_connected import FullyConnectedStep
from ..planning.plan import Piece
from .lower import Lowering
from .program import (
    Flag,
    Nest,
    Ring,
    RingConsume,
    RingProduce,
    TensorOp,
    Wait,
    WideToNarrow,
)
from .streams import stream

BIAS_UNIT = 64
SLOT_UNITS = 32
"""The scaling unit holds two slots of 32 8-byte units for scales from 0, for bias from 64."""
LINE_UNITS = 4
"""64-byte units of a wide line."""
_SLOTS = 2


class MovingWeights:
    """The transport of one layer's weights and header vectors, and what it changes in the
    tensor ops. pieces: one a block, on whatever tile; () for weights on the host."""

    def __init__(
        self, lowering: Lowering, step: FullyConnectedStep, pieces: tuple[Piece, ...]
    ) -> None:
        self.lowering = lowering
        self.step = step
        self.pieces = pieces
        self.ring = Ring.B if pieces else Ring.A
        self.arrival = Flag.RING_READ_B if pieces else Flag.RING_READ_A
        self.chunk = step.chunk_words
        self.count = -(-step.inputs // 4) // self.chunk

    def consume(self) -> None:
        """The FIFO of weights, and the ring of header lines in front of each block."""
        step, headers = self.step, len(self.step.headers)
        self.lowering.program.idle()
        consumer = RingConsume(
            tiles=step.blocks.mask,
            ring=self.ring,
            wide=Nest(step.weight_line, self._levels(1), int(self.chunk > 1), 1, self.chunk),
            signal=1,
            wait=Wait(Flag.PARAMETERS, 1, 1 - _SLOTS, space=True),
        )
        if headers:
            consumer = replace(
                consumer,
                header=1,
                header_level=len(self._levels(1)),
                header_first=step.header_line,
                header_split=headers - 1,
                header_last=step.header_line + _SLOTS * headers - 1,
                header_lines=headers,
            )
        self.lowering.add(consumer)

    def load_headers(self) -> None:
        """Scales and bias of the block to the scaling unit, once its first chunk is there."""
        loaded = [name for name in self.step.headers if name != "zero_point"]
        if not loaded:
            return
        self.lowering.add(
            WideToNarrow(
                tiles=self.step.blocks.mask,
                wide=Nest(
                    self.step.header_line,
                    ((len(loaded), 1),),
                    1,
                    1,
                    len(self.step.headers),
                ),
                narrow=Nest(
                    0 if loaded[0] == "scale" else BIAS_UNIT,
                    ((SLOT_UNITS, 1), (len(loaded), BIAS_UNIT)),
                    3,
                    2,
                    SLOT_UNITS,
                ),
                signal=2,
                waits=(
                    Wait(self.arrival, 1, 1, self.count),
                    Wait(Flag.AVDATA, 2, -1, 1, True),
                ),
                to_scaling=1,
                fill_level=1,
            )
        )

    def through_fifo(self, op: TensorOp) -> TensorOp:
        """The tensor op of resident weights, reading them from the FIFO instead."""
        vector = op.narrow_in.base
        words = self.chunk * self.count
        levels = self._levels(LINE_UNITS)
        again = (self.count, 4 * self.chunk) if self.count > 1 else (1, 4 * words)
        op = replace(
            op,
            loops=tuple(count for count, _ in levels),
            narrow_in=stream(vector, (self.chunk, 4), (1, 4 * words), again),
            wide=Nest(
                LINE_UNITS * self.step.weight_line,
                levels,
                int(self.chunk > 1),
                1,
                LINE_UNITS * self.chunk,
            ),
            partial=Nest(0, tuple((count, 0) for count, _ in levels)),
            waits=(Wait(self.arrival, 1, 1), *self._scaling_waits(len(levels))),
            group_level=len(levels),
            reduced=(1 << len(levels)) - 1,
        )
        return self._with_zero_vector(op)

    def send(self) -> None:
        """Block after block, each to the tile that computes it."""
        step, program = self.step, self.lowering.program
        index = step.segments[0]
        segment = self.lowering.segment(index)
        if not self.pieces:
            rows = segment.rows // segment.blocks
            parts = [(tile, rows) for tile in range(segment.blocks)]
            self.lowering.host.distribute(index, segment.data, segment.lanes, parts)
            return
        for tile, piece in enumerate(self.pieces):
            self.lowering.add(
                RingProduce(
                    tiles=1 << piece.tile,
                    wide=stream(piece.address, (piece.lines, 1)),
                    signal_sent=0,
                    waits=(Wait(Flag.RING_PRODUCER_B, 1, program.producer_b),),
                    channel_b=1,
                    destinations=1 << tile,
                )
            )
            program.producer_b += piece.lines

    def _levels(self, stride: int) -> tuple[tuple[int, int], ...]:
        """A chunk, then the chunks of the block."""
        levels = ((self.chunk, stride),)
        return (*levels, (self.count, 0)) if self.count > 1 else levels

    def _scaling_waits(self, level: int) -> tuple[Wait, ...]:
        loaded = {"scale", "bias"} & set(self.step.headers)
        return (Wait(Flag.WIDE_TO_SCALING, level, 1),) if loaded else ()

    def _with_zero_vector(self, op: TensorOp) -> TensorOp:
        headers = self.step.headers
        if "zero_point" not in headers:
            return op
        first = self.step.header_line + headers.index("zero_point")
        return replace(
            op,
            zero_vector_start=first,
            zero_vector_step=len(headers),
            zero_vector_last=first + (_SLOTS - 1) * len(headers),
        )
