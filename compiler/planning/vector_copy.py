"""A vector copied on its tiles, for a reader that works in place where others need the values.

Reads VectorLayouts, writes a step of the Plan level.
"""

from __future__ import annotations

from ..fast_dataclass import dataclass
from ..frontend.graph import Operator
from .plan import Step
from .vectors import Blocks, VectorLayout
from .wide_memory import IDENTITY_LINE

FIFO_LINES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorCopyStep(Step):
    """Block b, `offset + pitch * b` words into buffer `input`, to the start of buffer `output`,
    through the two-line FIFO at `line`."""

    blocks: Blocks
    input: str
    offset: int
    pitch: int
    output: str
    line: int


def copy_step(op: Operator, layout: VectorLayout, output: str) -> VectorCopyStep:
    """The step, for `op`."""
    line = IDENTITY_LINE - FIFO_LINES
    return VectorCopyStep(
        ops=(op.index,),
        blocks=layout.blocks,
        input=layout.buffer,
        offset=layout.offset,
        pitch=layout.pitch,
        output=output,
        line=line,
        lowest_line=line,
    )
