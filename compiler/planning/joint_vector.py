"""Vectors that are joined: results of layers that a CONCATENATION alone reads are written side by
side, each from a word of its own on.

Reads the Graph level through the planner. Facts: docs/format/movement.md, "Joint vectors".
"""

from __future__ import annotations

from ..fast_dataclass import dataclass
from ..frontend.graph import Operator
from .builder import PlanBuilder
from .vectors import BLOCK_WORDS, Blocks, VectorLayout

_LAYERS = ("FULLY_CONNECTED",)
BEHIND_VECTORS = 0.5
"""Allocation rank of a joint vector: behind the vectors its layers read."""


@dataclass(frozen=True, slots=True)
class JointPlace:
    """`words` words of all parts in `buffer`; this part begins `offset` words into it."""

    buffer: str
    offset: int
    words: int

    def layout(self, blocks: Blocks) -> VectorLayout:
        """The part as a vector on one tile."""
        return VectorLayout(blocks, self.buffer, self.offset)


def part_words(planner: PlanBuilder, op: Operator) -> list[int]:
    """Words of each vector that a CONCATENATION joins."""
    return [-(-planner.graph.tensor(t).shape[-1] // 4) for t in op.inputs]


def is_joint(planner: PlanBuilder, op: Operator) -> bool:
    """Whether a CONCATENATION's inputs can be written side by side: vectors of layers with one
    tile of outputs, which nothing else reads, and which together fit a tile's block."""
    flow = planner.dataflow
    if op.name != "CONCATENATION" or len(set(op.inputs)) != len(op.inputs):
        return False
    if sum(part_words(planner, op)) > BLOCK_WORDS:
        return False
    for index in op.inputs:
        source = flow.source(index)
        producer = flow.producer(source)
        shape = planner.graph.tensor(index).shape
        if producer is None or producer.name not in _LAYERS or flow.is_output(source):
            return False
        if len(flow.readers(source)) != 1 or any(size != 1 for size in shape[:-1]):
            return False
    return True


def joint_place(planner: PlanBuilder, source: int) -> JointPlace | None:
    """Where the current step writes a vector (a source) that is a part of a joint one; None if
    it is not."""
    readers = planner.dataflow.readers(source)
    if len(readers) != 1 or not is_joint(planner, readers[0]):
        return None
    op = readers[0]
    words = part_words(planner, op)
    place = [planner.dataflow.source(t) for t in op.inputs].index(source)
    buffer = joint_buffer(op)
    if not planner.has_buffer(buffer):
        planner.scratch(buffer, sum(words), rank=BEHIND_VECTORS)
    return JointPlace(planner.keep(buffer), sum(words[:place]), sum(words))


def joint_buffer(op: Operator) -> str:
    """Name of the buffer of a CONCATENATION's parts."""
    return f"{op.index} parts"
