"""Words moved: what stays on its tile by copies of all tiles at once, the rest message after
message over the ring.

Reads MapMoveStep; writes the Program level. Facts: docs/format/movement.md, "Moves".
"""

from __future__ import annotations

from ..planning.map_moves import Fill, MapMessage, MapMoveStep, Walk
from ..planning.vector_copy import COPY_LINES
from .lower import Lowering
from .mesh_transfer import MeshTransfer
from .program import Direction, Flag, MeshMove
from .ring_transfer import RingLines, ring_run
from .runs import Run

PRODUCER_BELOW = 4
"""Lines from a message's reader's FIFO down to its sender's."""
MOST_EVENTS = 30000
"""Words a tile may receive before its counters start again."""


def lower_map_move(lowering: Lowering, step: MapMoveStep) -> None:
    """reset; fills; copies, reset; messages; the scalar core waits; reset."""
    lowering.reset()
    for fill in step.fills:
        lowering.add(_fill(lowering, fill))
    if step.fills:
        lowering.program.idle()
    lines = RingLines(step.consumer_line, step.consumer_line - PRODUCER_BELOW)
    _copy_inside(lowering, step)
    messages = [message for message in step.messages if not message.stays]
    for message in messages:
        received = lowering.sync.on_tile(Flag.WIDE_TO_NARROW, message.reader)
        if received + message.read.words > MOST_EVENTS and received:
            _restart(lowering)
        ring_run(
            lowering,
            message.sender,
            message.readers,
            source=_run(lowering, message.source, message.read),
            destination=_run(lowering, message.target, message.written),
            lines=lines,
        )
    if messages:
        _restart(lowering)


def _copy_inside(lowering: Lowering, step: MapMoveStep) -> None:
    """What is read and written by the same tile: one copy of every tile at a time, through a FIFO
    between those of the ring, and a reset."""
    line = step.consumer_line - COPY_LINES
    waiting = [message for message in step.messages if message.stays]
    while waiting:
        transfer, later, busy = MeshTransfer(), list[MapMessage](), set[int]()
        for message in waiting:
            if message.sender in busy:
                later.append(message)
                continue
            busy.add(message.sender)
            transfer.local_copy(
                message.sender,
                _run(lowering, message.source, message.read).nest(),
                _run(lowering, message.target, message.written).nest(),
                line,
            )
        for instruction in transfer.instructions():
            lowering.add(instruction)
        lowering.reset()
        waiting = later


def _restart(lowering: Lowering) -> None:
    lowering.program.barrier()
    lowering.reset()


def _run(lowering: Lowering, buffer: str, walk: Walk) -> Run:
    return Run(lowering.address(buffer) + walk.offset, walk.levels)


def _fill(lowering: Lowering, fill: Fill) -> MeshMove:
    return MeshMove(
        direction=Direction.NORTH,
        destination=_run(lowering, fill.buffer, fill.walk).nest(),
        fill=fill.byte * 0x01010101,
    )
