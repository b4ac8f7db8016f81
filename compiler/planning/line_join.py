"""CONCATENATION of maps along rows or columns: each is cut anew along that axis, over the mesh
bus, as the results of spatial passes are.

Reads the Graph level through the planner, adds `CollectStep`s. Facts: docs/format/movement.md,
"Lines of pixels".
"""

from __future__ import annotations

from dataclasses import replace

from ..frontend.graph import Operator
from ..frontend.movement import picture
from .axis_relayout import Along, AxisRelayout
from .builder import PlanBuilder
from .dataflow import scale, zero_point
from .family import Family
from .map_layout import MapAxis, MapLayout
from .pass_steps import FIFO_WORDS, CollectStep, Move

_AXES = {-3: Along.ROWS, -2: Along.COLUMNS}
"""Dimensions of a picture, counted from the last one."""


def joins_lines(planner: PlanBuilder, op: Operator) -> bool:
    """Whether an operator joins lines of pixels, end to end."""
    graph = planner.graph
    along = _along(planner, op)
    if along is None or op.options.get("fused_activation_function"):
        return False
    output = graph.tensor(op.outputs[0])
    for tensor in map(graph.tensor, op.inputs):
        if (scale(tensor), zero_point(tensor)) != (scale(output), zero_point(output)):
            return False
    sources = [planner.layouts.get(planner.dataflow.source(t)) for t in op.inputs]
    return all(isinstance(s, MapLayout) and _is_plain(s, along) for s in sources)


def _along(planner: PlanBuilder, op: Operator) -> Along | None:
    shape = planner.graph.tensor(op.outputs[0]).shape
    if op.name != "CONCATENATION" or picture(shape) is None:
        return None
    axis = int(op.options.get("axis", 0)) % len(shape)
    return _AXES.get(axis - len(shape))


def _is_plain(layout: MapLayout, along: Along) -> bool:
    """A line of pixels, and nothing but that."""
    other = layout.width if along is Along.ROWS else layout.height
    return other == 1 and not layout.has_halo and layout.pixel_words == layout.channel_words


def plan_line_join(planner: PlanBuilder, op: Operator) -> None:
    """One step with a relayout for each part."""
    along = _along(planner, op)
    assert along is not None
    tensor = planner.dataflow.source(op.outputs[0])
    target = planner.lay_out_map(tensor)
    buffer = planner.produce(tensor, target.words)
    moves, place = [], 0
    for part in op.inputs:
        layout = planner.map_layout(op, part)
        relayout = AxisRelayout(_shifted(layout, along, place), target, along)
        moves.append(Move(relayout, planner.consume(part), buffer))
        place += layout.height if along is Along.ROWS else layout.width
    planner.add(
        CollectStep(
            ops=(op.index,),
            moves=tuple(moves),
            fifo_buffer=planner.scratch(f"{op.index} fifo", FIFO_WORDS),
            identity_buffer=planner.identity(),
        )
    )


def _shifted(layout: MapLayout, along: Along, by: int) -> MapLayout:
    """The same pixels, as rows (or columns) of the joint map."""
    if along is Along.ROWS:
        return replace(layout, rows=_moved(layout.rows, by))
    return replace(layout, columns=_moved(layout.columns, by))


def _moved(axis: MapAxis, by: int) -> MapAxis:
    own = tuple((first + by, last + by) for first, last in axis.own)
    held = tuple((first + by, last + by) for first, last in axis.held)
    return MapAxis(axis.low + by, axis.high + by, own, held, axis.needed)


LINE_JOIN = Family("line join", frozenset({"CONCATENATION"}), plan_line_join, accepts=joins_lines)
