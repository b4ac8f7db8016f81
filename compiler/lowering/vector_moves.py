"""Vectors that are copied, joined or packed.

Reads VectorCopyStep and JoinedStep; writes the Program level. Facts: docs/format/movement.md.
"""

from __future__ import annotations

from ..planning.vector_concatenation import JoinedStep
from ..planning.vector_copy import VectorCopyStep
from .lower import Lowering
from .mesh_transfer import MeshTransfer
from .streams import stream


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


def lower_joined(lowering: Lowering, step: JoinedStep) -> None:
    """The parts are where they belong."""
    for _ in range(step.parts):
        lowering.program.idle()
    lowering.reset()
