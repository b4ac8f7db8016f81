"""Lowering of maps that tile 0 collects.

Reads `MapCollectionStep`s; writes the Program level. Facts: docs/format/tiling.md, "Maps on one
tile".
"""

from __future__ import annotations

from ..planning.collected_map import MapCollectionStep
from ..planning.plan import TILES
from .lower import Lowering
from .ring_transfer import RingLines, end_of_round, ring_message

_CONSUMER, _PRODUCER = 2, 6
"""Lines below the top at which the readers' and the senders' FIFOs begin."""


def lower_map_collection(lowering: Lowering, step: MapCollectionStep) -> None:
    """idle; a message from each tile with a pixel; all of them are over."""
    lowering.program.idle()
    layout, base = step.input, lowering.address(step.buffer)
    lines = RingLines(step.top - _CONSUMER, step.top - _PRODUCER)
    for tile in range(1, TILES):
        if all(layout.own_size(tile)):
            corner = layout.own_corner(tile)
            ring_message(
                lowering,
                tile,
                1,
                source=base + layout.offset(tile, *corner),
                destination=base + layout.offset(0, *corner),
                count=layout.channel_words,
                lines=lines,
            )
    end_of_round(lowering)
