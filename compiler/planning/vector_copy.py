"""A vector moved: to another place on its tiles, for a reader that works in place where others need
the values, or into other blocks, which lie on other tiles.

Reads VectorLayouts, writes steps of the Plan level. Facts: docs/format/movement.md, "Vectors".
"""

from __future__ import annotations

from collections.abc import Iterator

from ..fast_dataclass import dataclass
from ..frontend.graph import Operator
from .plan import Step
from .vectors import Blocks, VectorLayout
from .wide_memory import IDENTITY_LINE

COPY_LINES = 2
MESSAGE_LINES = 6
CONSUMER_LINES = 2


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


@dataclass(frozen=True, slots=True)
class VectorMessage:
    """`words` words from word `source` of a buffer on one tile to word `target` of another
    buffer on tile `reader`."""

    sender: int
    reader: int
    source: int
    target: int
    words: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorMoveStep(Step):
    """Messages over the ring, in order, from buffers `inputs` (one for each message) to buffer
    `output`, through FIFOs at `consumer_line` and four lines below it."""

    messages: tuple[VectorMessage, ...]
    inputs: tuple[str, ...]
    output: str
    consumer_line: int


def copy_step(op: Operator, layout: VectorLayout, wanted: Blocks, output: str) -> Step:
    """The step, for `op`, that brings a vector into blocks at the start of buffer `output`."""
    if layout.blocks != wanted:
        return move_step(op, [(layout, 0)], wanted, output)
    line = IDENTITY_LINE - COPY_LINES
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


def move_step(
    op: Operator, parts: list[tuple[VectorLayout, int]], wanted: Blocks, output: str
) -> VectorMoveStep:
    """The step, for `op`, that brings vectors, each from a word of the result on, into the
    blocks of one vector at the start of buffer `output`."""
    messages: list[VectorMessage] = []
    inputs: list[str] = []
    for layout, first in parts:
        cut = tuple(_messages(layout, first, wanted))
        messages += cut
        inputs += [layout.buffer] * len(cut)
    line = IDENTITY_LINE - MESSAGE_LINES
    return VectorMoveStep(
        ops=(op.index,),
        messages=tuple(messages),
        inputs=tuple(inputs),
        output=output,
        consumer_line=line + MESSAGE_LINES - CONSUMER_LINES,
        lowest_line=line,
    )


def _messages(layout: VectorLayout, first: int, wanted: Blocks) -> Iterator[VectorMessage]:
    """What each tile sends to each: word w of the vector is word `first` + w of the result."""
    for sender in range(layout.blocks.tiles):
        start = layout.blocks.block * sender
        end = start + layout.blocks.size(sender)
        low = first + start
        while low < first + end:
            reader, target = divmod(low, wanted.block)
            high = min(first + end, wanted.block * (reader + 1))
            place = layout.offset + layout.pitch * sender + (low - first - start)
            yield VectorMessage(sender, reader, place, target, high - low)
            low = high
