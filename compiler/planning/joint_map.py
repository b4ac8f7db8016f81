"""Maps that are joined along their channels: a joint map has the words of all parts in each
pixel, and convolutions write their part right there.

Reads the Graph level through the planner. Facts: docs/format/tiling.md, "Joint maps".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..fast_dataclass import dataclass
from ..frontend.movement import picture
from .tiling import GRID

if TYPE_CHECKING:
    from ..frontend.graph import Operator
    from .builder import PlanBuilder
    from .dataflow import Dataflow

WORD_CHANNELS = 4
_WRITERS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D"})
_AXES = (3, -1)
_RANK = 4
_TWO_BLOCKS = range(17, 33)
"""Words of a vector on two tiles."""


@dataclass(frozen=True, slots=True)
class JointPart:
    """A tensor's place in a joint map: `words` words of each pixel of `joint`, from `offset`
    on."""

    joint: int
    offset: int
    words: int


def joins_maps(planner: PlanBuilder, op: Operator) -> bool:
    """Whether an operator joins maps along their channels, each part in words of its own: the
    channels of all parts but the last are multiples of four, or those of the result are counted
    with the words' unused bytes."""
    if op.name != "CONCATENATION":
        return False
    shapes = [planner.graph.tensor(t).shape for t in (*op.inputs, *op.outputs)]
    if not all(len(shape) == _RANK and shape[1] * shape[2] > 1 for shape in shapes):
        return False
    words = sum(-(-shape[3] // WORD_CHANNELS) for shape in shapes[:-1])
    whole = all(shape[3] % WORD_CHANNELS == 0 for shape in shapes[:-2])
    return op.options.get("axis") in _AXES and (whole or shapes[-1][3] == WORD_CHANNELS * words)


def joint_parts(planner: PlanBuilder, op: Operator) -> list[JointPart]:
    """Where the operator's inputs go, in order."""
    parts: list[JointPart] = []
    offset = 0
    for tensor in op.inputs:
        words = -(-planner.graph.tensor(tensor).shape[3] // WORD_CHANNELS)
        parts.append(JointPart(op.outputs[0], offset, words))
        offset += words
    return parts


def written_in_place(planner: PlanBuilder, tensor: int) -> JointPart | None:
    """The place where the writer of a tensor (a source) puts it, if that is a joint map: the
    tensor is the result of a convolution, and nothing but the joining operator reads it."""
    flow = planner.dataflow
    readers = flow.readers(tensor)
    producer = flow.producer(tensor)
    if len(readers) != 1 or producer is None:
        return None
    if producer.name not in _WRITERS and not repeats_vector(flow, producer):
        return None
    sources = [flow.source(t) for t in readers[0].inputs]
    if flow.is_output(tensor) or sources.count(tensor) != 1 or not joins_maps(planner, readers[0]):
        return None
    return joint_parts(planner, readers[0])[sources.index(tensor)]


def repeats_vector(flow: Dataflow, op: Operator) -> bool:
    """A TILE of a requantised vector of two blocks over a map of at least four rows and columns,
    going by the graph alone."""
    if op.name != "TILE":
        return False
    graph = flow.graph
    pixel = picture(graph.tensor(op.inputs[0]).shape)
    repeated = picture(graph.tensor(op.outputs[0]).shape)
    before = flow.producer(flow.source(op.inputs[0]))
    if pixel is None or repeated is None or before is None or before.name != "QUANTIZE":
        return False
    vector = flow.producer(flow.source(before.inputs[0]))
    return (
        pixel[:2] == (1, 1)
        and repeated[2] == pixel[2]
        and min(repeated[:2]) >= GRID
        and -(-pixel[2] // WORD_CHANNELS) in _TWO_BLOCKS
        and vector is not None
        and vector.name in ("CONV_2D", "FULLY_CONNECTED")
    )
