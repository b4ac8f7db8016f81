"""REDUCE_MIN: the largest of the bytes counted from 255 down, counted so once more.

Reads the Graph level through the planner, adds `PointwiseStep`s and what the maximum adds. Facts:
docs/format/pooling.md, "Reductions".
"""

from __future__ import annotations

from ..frontend.graph import Operator
from ..frontend.reductions import reduced_picture
from .builder import PlanBuilder
from .family import Family
from .gathered_pool import GATHERED_POOL
from .map_layout import MapLayout
from .patches import Operand, Patch, PatchClass, patch_classes, scratch_map
from .pointwise import Function, add_function, add_function_of
from .requantization import Requantization
from .vectors import VectorLayout
from .window_pool import WINDOW_POOL

_NEGATED = Function(Requantization(1.0, 255.0, 0.0, 0), weight=-1, initial=255)


def is_reduced_minimum(planner: PlanBuilder, op: Operator) -> bool:
    """Whether a map is reduced over its rows, its columns, or both."""
    layout = planner.layouts.get(planner.dataflow.source(op.inputs[0]))
    return isinstance(layout, MapLayout) and reduced_picture(planner.graph, op) is not None


def plan_reduced_minimum(planner: PlanBuilder, op: Operator) -> None:
    """The map negated, its maximum, and that negated in place."""
    source = planner.dataflow.source(op.inputs[0])
    layout = planner.map_layout(op, source)
    operand = Operand(source, layout, planner.consume(source), planner.birth(source))
    negated = scratch_map(planner, op, "negated", layout)
    add_function(planner, op, operand, negated, function=_NEGATED, zero=0)
    shown = planner.show_as(source, layout, negated.buffer)
    pool = GATHERED_POOL if GATHERED_POOL.accepts(planner, op) else WINDOW_POOL
    pool.plan(planner, op)
    planner.show_as(source, *shown)
    result = planner.dataflow.source(op.outputs[0])
    made = planner.layouts[result]
    if isinstance(made, VectorLayout):
        words, classes, buffer = 1, _blocks(made), planner.keep(made.buffer)
    else:
        assert isinstance(made, MapLayout)
        buffer = planner.consume(result)
        words, classes = made.channel_words, patch_classes([made], made)
    add_function_of(
        planner,
        op,
        (buffer, buffer),
        classes,
        channel_words=words,
        function=_NEGATED,
        zero=0,
    )


def _blocks(layout: VectorLayout) -> tuple[PatchClass, ...]:
    """The blocks of a vector as rows of pixels of one word."""
    classes = []
    for tiles, count in layout.blocks.groups():
        row = Patch(layout.offset, 1, count, count)
        classes.append(PatchClass(1, count, (row,), row, tiles))
    return tuple(classes)


REDUCED_MINIMUM = Family(
    "reduced minimum", frozenset({"REDUCE_MIN"}), plan_reduced_minimum, is_reduced_minimum
)
