"""QUANTIZE of a vector in blocks which becomes a line of pixels: every tile puts its block where it
belongs in the whole vector.

Reads the Graph level through the planner, adds a `PointwiseStep`. Facts:
docs/format/movement.md, "Lines of pixels".
"""

from __future__ import annotations

from ..frontend.graph import Operator
from ..frontend.movement import picture, words_of
from .builder import PlanBuilder
from .dataflow import scale, zero_point
from .elementwise import fused
from .family import Family
from .line_reshape import LINE_RESHAPE, MOST_COLLECTED
from .patches import Patch, PatchClass
from .pointwise import Function, add_function_of
from .vectors import Blocks, VectorLayout, is_private, vector_layout


def is_requantised_line(planner: PlanBuilder, op: Operator) -> bool:
    """Whether nothing but the operator needs the vector, and a RESHAPE to a line its result."""
    layout = vector_layout(planner, op.inputs[0])
    result = planner.dataflow.source(op.outputs[0])
    readers = planner.dataflow.readers(result)
    if layout is None or layout.from_host or layout.offset or planner.dataflow.is_output(result):
        return False
    if len(readers) != 1 or readers[0].name not in LINE_RESHAPE.operators:
        return False
    size = picture(planner.graph.tensor(readers[0].outputs[0]).shape)
    if size is None or size[:2] == (1, 1) or min(size[:2]) > 1:
        return False
    whole = size[0] * size[1] * words_of(size[2]) == layout.blocks.words <= MOST_COLLECTED
    return (
        whole
        and is_private(planner, op)
        and not planner.needs_beyond(planner.dataflow.source(readers[0].outputs[0]), readers[0])
    )


def plan_requantised_line(planner: PlanBuilder, op: Operator) -> None:
    """One step, in the vector's buffer, which becomes as long as the whole vector."""
    layout = vector_layout(planner, op.inputs[0])
    assert layout is not None
    source, result = (planner.dataflow.source(t) for t in (op.inputs[0], op.outputs[0]))
    blocks, tensor = layout.blocks, planner.graph.tensor(op.inputs[0])
    if planner.owns(source, layout.buffer) and not layout.pitch:
        planner.enlarge(layout.buffer, blocks.words)
        buffer = planner.take_over(result, layout.buffer)
    else:
        buffer = planner.produce(result, blocks.words)
    planner.record(result, VectorLayout(blocks, buffer, pitch=blocks.block))
    add_function_of(
        planner,
        op,
        (layout.buffer, buffer),
        tuple(_block(blocks, tile, layout.pitch) for tile in range(blocks.tiles)),
        channel_words=blocks.block,
        function=Function(fused(planner, op, scale(tensor))),
        zero=zero_point(tensor),
    )


def _block(blocks: Blocks, tile: int, pitch: int) -> PatchClass:
    """One tile's."""
    size, whole = blocks.size(tile), blocks.words
    source = Patch(pitch * tile, size, size, size)
    target = Patch(blocks.block * tile, whole, whole, whole)
    return PatchClass(1, 1, (source,), target, 1 << tile, words=size)


REQUANTISED_LINE = Family(
    "requantised line",
    frozenset({"QUANTIZE"}),
    plan_requantised_line,
    accepts=is_requantised_line,
)
