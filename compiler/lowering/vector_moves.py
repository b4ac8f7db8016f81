"""Vectors that are copied, moved or joined.

Reads VectorCopyStep, VectorMoveStep and JoinedStep; writes the Program level.
Facts: docs/format/movement.md.
"""

from __future__ import annotations

from ..planning.vector_concatenation import JoinedStep
from ..planning.vector_copy import VectorCopyStep, VectorMoveStep
from .lower import Lowering
from .mesh_transfer import MeshTransfer
from .ring_transfer import RingLines, ring_message
from .streams import stream

PRODUCER_BELOW = 4
"""Lines from a message's reader's FIFO down to its sender's."""


def lower_vector_copy(lowering: Lowering, step: VectorCopyStep) -> None:
    """Every tile's block through a FIFO of two lines."""
    lowering.reset()
    transfer = MeshTransfer()
    source = lowering.address(step.input) + step.offset
    target = lowering.address(step.output)
    for tile in range(step.blocks.tiles):
        count = step.blocks.size(tile)
        start = source + step.pitch * tile
        transfer.local_copy(tile, stream(start, (count, 1)), stream(target, (count, 1)), step.line)
    for instruction in transfer.instructions():
        lowering.add(instruction)
    lowering.reset()


def lower_vector_move(lowering: Lowering, step: VectorMoveStep) -> None:
    """reset; one message after the other; the scalar core waits; reset."""
    lowering.reset()
    output = lowering.address(step.output)
    lines = RingLines(step.consumer_line, step.consumer_line - PRODUCER_BELOW)
    for message, name in zip(step.messages, step.inputs, strict=True):
        ring_message(
            lowering,
            message.sender,
            1 << message.reader,
            source=lowering.address(name) + message.source,
            destination=output + message.target,
            count=message.words,
            lines=lines,
        )
    lowering.program.barrier()
    lowering.reset()


def lower_joined(lowering: Lowering, step: JoinedStep) -> None:
    """The parts are where they belong."""
    for _ in range(step.parts):
        lowering.program.idle()
    lowering.reset()
