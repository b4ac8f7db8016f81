"""Words moved between tiles, message after message over the ring.

Reads MapMoveStep; writes the Program level. Facts: docs/format/movement.md, "Moves".
"""

from __future__ import annotations

from ..planning.map_moves import Fill, MapMoveStep, Walk
from .lower import Lowering
from .program import Direction, Flag, MeshMove
from .ring_transfer import RingLines, ring_run
from .runs import Run

PRODUCER_BELOW = 4
"""Lines from a message's reader's FIFO down to its sender's."""
MOST_EVENTS = 30000
"""Words a tile may receive before its counters start again."""


def lower_map_move(lowering: Lowering, step: MapMoveStep) -> None:
    """reset; fills; messages; the scalar core waits; reset."""
    lowering.reset()
    for fill in step.fills:
        lowering.add(_fill(lowering, fill))
    if step.fills:
        lowering.program.idle()
    lines = RingLines(step.consumer_line, step.consumer_line - PRODUCER_BELOW)
    for message in step.messages:
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
    _restart(lowering)


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
