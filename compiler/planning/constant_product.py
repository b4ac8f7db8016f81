"""MUL of a map and a constant of its size, which the host sends with the parameters.

Where a RESHAPE of one channel to one row follows, the map is reshaped first and the product made
in that row. Facts: docs/format/elementwise.md, "Constant maps".
"""

from __future__ import annotations

from dataclasses import replace

from ..frontend.graph import Operator
from ..frontend.movement import picture
from .builder import PlanBuilder
from .constant_map import bring_constant
from .family import Family
from .map_collection import collect_map
from .map_layout import MapLayout, map_layout
from .multiply import add_product_of, writes_whole_words
from .patches import Operand, compact_operands, same_maps

WORD_CHANNELS = 4


def is_constant_product(planner: PlanBuilder, op: Operator) -> bool:
    """A map, and a constant with as many rows, columns and channels, up to four or whole words."""
    graph, tensors = planner.graph, planner.dataflow.activations(op)
    constants = [graph.tensor(t) for t in op.inputs if graph.tensor(t).is_constant]
    channels = graph.tensor(op.outputs[0]).shape[-1]
    return (
        len(tensors) == len(constants) == 1
        and (channels <= WORD_CHANNELS or channels % WORD_CHANNELS == 0)
        and isinstance(planner.layouts.get(tensors[0]), MapLayout)
        and picture(constants[0].shape) == picture(graph.tensor(op.outputs[0]).shape)
    )


def plan_constant_product(planner: PlanBuilder, op: Operator) -> None:
    """The map, perhaps in one row; the constant; the product."""
    constant = next(t for t in op.inputs if planner.graph.tensor(t).is_constant)
    source = next(t for t in op.inputs if t != constant)
    if _becomes_row(planner, op):
        first = _row(planner, op, source)
    else:
        same_maps(planner, op)
        writes_whole_words(planner, op)
        (first,) = compact_operands(planner, op)
    made = planner.now
    second = bring_constant(planner, op, constant, first.layout)
    operands = tuple(
        replace(operand, buffer=planner.keep(operand.buffer))
        for operand in (first, Operand(source, first.layout, second, made, copied=True))
    )
    add_product_of(planner, op, (operands[0], operands[1]), (source, constant))


def _becomes_row(planner: PlanBuilder, op: Operator) -> bool:
    """Whether all that reads the product is a RESHAPE of one channel to one row."""
    flow, graph, result = planner.dataflow, planner.graph, op.outputs[0]
    readers = flow.readers(result)
    if len(readers) != 1 or readers[0].name != "RESHAPE" or flow.is_output(result):
        return False
    height, _, channels = planner.map_shape(result)
    row = picture(graph.tensor(readers[0].outputs[0]).shape)
    return row is not None and row[0] == row[2] == channels == 1 and row[1] > 1 and height > 1


def _row(planner: PlanBuilder, op: Operator, source: int) -> Operand:
    """All pixels in one row, over the first row of tiles; it is the layout of the result, too."""
    layout = planner.map_layout(op, source)
    words = layout.height * layout.width
    row = map_layout(1, words, 1, ())
    planner.record(op.outputs[0], row)
    buffer = planner.scratch(f"{op.index} row", row.words, rank=0)
    collected = planner.scratch(f"{op.index} collected", words)
    step = collect_map(planner, op, layout, collected)
    made = planner.now
    planner.add(replace(step, output=buffer, groups=row.columns.own, group_words=1))
    return Operand(source, row, buffer, made, copied=True)


def is_row_already(planner: PlanBuilder, op: Operator) -> bool:
    """The operand lies in one row, as the result wants it."""
    layout = planner.layouts.get(planner.dataflow.source(op.inputs[0]))
    wanted = picture(planner.graph.tensor(op.outputs[0]).shape)
    return (
        isinstance(layout, MapLayout)
        and wanted == (1, layout.width, 1)
        and layout.height == layout.pixel_words == 1
        and not layout.has_halo
        and planner.dies(planner.dataflow.source(op.inputs[0]), op)
    )


def plan_row(planner: PlanBuilder, op: Operator) -> None:
    """Nothing moves."""
    source = planner.dataflow.source(op.inputs[0])
    planner.record(op.outputs[0], planner.layouts[source])
    planner.take_over(op.outputs[0], planner.consume(source))


CONSTANT_PRODUCT = Family(
    "constant product", frozenset({"MUL"}), plan_constant_product, accepts=is_constant_product
)
ROW = Family("row", frozenset({"RESHAPE"}), plan_row, accepts=is_row_already)
