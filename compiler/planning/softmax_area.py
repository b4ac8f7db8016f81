"""Narrow memory of SOFTMAX: how long its working vectors are, and which vectors are made for it.

The producer of a vector that only a SOFTMAX reads leaves it where the SOFTMAX works. Facts:
docs/format/softmax.md, "Places".
"""

from __future__ import annotations

from ..frontend.graph import Operator
from .builder import PlanBuilder
from .plan import WIDE_LINES
from .vectors import BLOCK_WORDS, Blocks, VectorLayout
from .wide_memory import stack_blocks

AHEAD = -1.0
BEHIND_WORK = 2.0
"""Allocation ranks: the work area first, so that it takes address 0; the input behind it."""
BEHIND_INPUT = 2.1
"""The result follows the input, which is the work area of a SOFTMAX without tables."""
WORD_CHANNELS = 4
GATHER_LINES = 6
"""FIFOs of a ring message: two lines at the readers, and four below them for the sender."""
CONSUMER_LINES = 2


def has_tables(elements: int) -> bool:
    """Whether the last word has unused channels, which tables keep out."""
    return bool(elements % WORD_CHANNELS)


def blocks_of(elements: int) -> Blocks:
    """The blocks SOFTMAX wants its input in, and leaves its result in."""
    return Blocks.spread(-(-elements // WORD_CHANNELS))


def span_words(elements: int) -> int:
    """Words between the working vectors: their length, at least a block."""
    return max(-(-elements // WORD_CHANNELS), BLOCK_WORDS)


def result_offset(elements: int) -> int:
    """Words from the start of the work area to the tile's block of the result."""
    span, block = span_words(elements), blocks_of(elements).block
    if has_tables(elements):
        return 2 * block + 2 * span + 4 * block + 1
    return 4 * span + 4 * block + 1


def work_words(elements: int) -> int:
    """Words of the work area: three vectors, or what the result's place asks for. With tables
    the result is a part of it, without them it lies behind."""
    if has_tables(elements):
        end = result_offset(elements) + blocks_of(elements).block
        return max(3 * span_words(elements), end)
    return result_offset(elements)


def input_words(elements: int) -> int:
    """Words the producer of the input reserves at it: four blocks of scratch, or, without
    tables, the whole work area."""
    return 4 * blocks_of(elements).block if has_tables(elements) else work_words(elements)


def only_softmax(planner: PlanBuilder, source: int) -> Operator | None:
    """The SOFTMAX that alone reads a tensor (a source), if there is one."""
    readers = planner.dataflow.readers(source)
    if len(readers) != 1 or readers[0].name != "SOFTMAX" or planner.dataflow.is_output(source):
        return None
    return readers[0]


def produce_vector(planner: PlanBuilder, source: int, blocks: Blocks) -> VectorLayout:
    """The buffer of a vector (a source) that the current step writes in blocks, and its layout:
    in front of a SOFTMAX, that of its work area."""
    channels = planner.graph.tensor(source).shape[-1]
    if only_softmax(planner, source) is not None and blocks == blocks_of(channels):
        buffer = planner.produce(source, input_words(channels), rank=BEHIND_WORK)
        layout = VectorLayout(blocks, buffer, room=input_words(channels))
    else:
        buffer = planner.produce(source, blocks.size(0))
        layout = VectorLayout(blocks, buffer)
    planner.record(source, layout)
    return layout


def input_area(planner: PlanBuilder, source: int, blocks: Blocks) -> VectorLayout | None:
    """The layout of an input from the host (a source) that a SOFTMAX without tables alone
    reads: every block at its place in the vector. None: nothing of the kind."""
    elements = 4 * blocks.words
    if only_softmax(planner, source) is None:
        return None
    buffer = planner.produce(source, work_words(elements), rank=BEHIND_WORK)
    return VectorLayout(
        blocks, buffer, pitch=blocks.block, from_host=True, room=work_words(elements)
    )


def first_gather_lines(slot_lines: int) -> dict[str, int]:
    """First lines of the scatter's two slots ("fifo") and of the FIFOs of the first gather of
    SOFTMAX behind it ("gather"), which no fence separates."""
    return stack_blocks(WIDE_LINES, {"gather": GATHER_LINES, "fifo": 2 * slot_lines})
