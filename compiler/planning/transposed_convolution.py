"""TRANSPOSE_CONV: one ordinary convolution for each phase of its strides, all of which write into
the same map, a stride apart.

Reads the Graph level through the planner, adds `ConvolutionStep`s. Facts:
docs/format/convolution.md, "Transposed convolutions".
"""

from __future__ import annotations

from ..frontend.graph import Operator
from .builder import PlanBuilder
from .convolution import (
    ConvolutionWindow,
    LayerShape,
    TileClass,
    add_layer,
    check_layer,
    group_tiles,
)
from .family import Family, always
from .map_layout import MapLayout
from .refusal import Refusal
from .tiling import GRID, AxisNeed, MapNeed, length, split, union_needs
from .transposed_phases import AxisPhase, Phase, as_convolution, phases


def plan_transposed(planner: PlanBuilder, op: Operator) -> None:
    """Add the steps of the phases, those of one buffer."""
    layer = as_convolution(op)
    layout = planner.map_layout(op, layer.inputs[0])
    check_layer(planner, layer, layout)
    output = planner.lay_out_map(op.outputs[0])
    found, segments = phases(planner.graph, op), planner.add_segments(op)
    if len(found) != len(segments):
        raise Refusal(op.index, f"no parameter data is known for this {op.name}")
    buffer = ""
    for phase, segment in zip(found, segments, strict=True):
        window = ConvolutionWindow(phase.rows.window, phase.columns.window)
        classes = group_tiles(_place(phase, tile, layout, output) for tile in range(GRID * GRID))
        if classes:
            spread = phase.rows.step, phase.columns.step
            shape = LayerShape(window, classes, phase.size, spread)
            buffer = add_layer(planner, layer, shape, segment, buffer)


def _place(phase: Phase, tile: int, source: MapLayout, target: MapLayout) -> TileClass:
    """What a tile computes of a phase; its size is 0 where it is nothing."""
    rows = phase.rows.inside(target.rows.own[tile // GRID])
    columns = phase.columns.inside(target.columns.own[tile % GRID])
    top = phase.rows.window.first_tap(rows[0])
    left = phase.columns.window.first_tap(columns[0])
    row = phase.rows.first + phase.rows.step * rows[0]
    column = phase.columns.first + phase.columns.step * columns[0]
    return TileClass(
        height=length(rows),
        width=length(columns),
        input_offset=source.offset(tile, top, left),
        input_row=source.row_words(tile),
        output_offset=target.offset(tile, row, column),
        output_row=target.row_words(tile),
        tiles=1 << tile,
    )


def transposed_needs(planner: PlanBuilder, op: Operator, _tensor: int) -> MapNeed:
    """Pixels of the input map that each tile row and column reads, over all phases."""
    rows, columns = planner.extent(op.outputs[0])
    found = phases(planner.graph, op)
    return MapNeed(
        union_needs(_need(phase.rows, split(*rows)) for phase in found),
        union_needs(_need(phase.columns, split(*columns)) for phase in found),
    )


def _need(phase: AxisPhase, outputs: AxisNeed) -> AxisNeed:
    return phase.window.need(tuple(phase.inside(part) for part in outputs if part is not None))


TRANSPOSED_CONVOLUTION = Family(
    "transposed convolution",
    frozenset({"TRANSPOSE_CONV"}),
    plan=plan_transposed,
    needs=transposed_needs,
    by_parts=always,
)
