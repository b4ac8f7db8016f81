"""All-gather: blocks of a vector on the tiles -> the whole vector on every reading tile.

One ring message a block, in tile order. Facts: docs/format/fully_connected.md, "Gather".
"""

from __future__ import annotations

from ..planning.fully_connected import GatherStep
from .builder import RING_AND_FEED
from .lower import Lowering
from .program import ScalarFence
from .ring_transfer import RingLines, ring_message


def lower_gather(lowering: Lowering, step: GatherStep) -> None:
    """reset, or barrier behind the host's scatter; messages; barrier; reset; and, in front of the
    layer, a reset on both cores. A vector that is there already leaves only that."""
    if step.again:
        lowering.add(ScalarFence(units=RING_AND_FEED))
        lowering.reset()
        return
    source = lowering.address(step.input) + step.offset
    vector = lowering.address(step.output)
    lines = RingLines(step.consumer_line, step.producer_line)
    if step.after_host:
        lowering.program.barrier()
    else:
        lowering.reset()
    for tile in range(step.blocks.tiles):
        ring_message(
            lowering,
            tile,
            step.readers,
            source=source + step.pitch * tile,
            destination=vector + step.blocks.block * tile,
            count=step.blocks.size(tile),
            lines=lines,
        )
    lowering.program.barrier()
    lowering.reset()
    if step.early:
        return
    lowering.add(ScalarFence(units=RING_AND_FEED))
    lowering.reset()
