"""A vector on two tiles that is requantised, and repeated over a map: QUANTIZE and TILE.

Reads the Graph level through the planner. Facts: docs/format/movement.md, "A pixel over a map".
"""

from __future__ import annotations

from ..fast_dataclass import dataclass
from ..frontend.graph import Operator
from .builder import PlanBuilder
from .dataflow import scale, zero_point
from .elementwise import fused
from .family import Family
from .joint_map import repeats_vector
from .map_layout import MapLayout
from .plan import Step
from .requantization import Requantization
from .tiling import length
from .vectors import BLOCK_WORDS, Blocks, VectorLayout, is_private, vector_layout

RING_LINES = 6
"""Two-line FIFOs of the ring's readers and, four lines below, of its senders."""
FIFO_WORDS = 8
"""Two slots of four words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorFunctionStep(Step):
    """A function of every value of a vector in blocks at the start of `buffer`; block b goes
    to its own place in the vector there, and tile 0 gets all of them. identity: scratch to make
    the program's identity line from, '' where it is there already."""

    blocks: Blocks
    buffer: str
    input_zero: int
    requantization: Requantization
    identity: str
    consumer_line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnStep(Step):
    """That vector, once for each of the tile rows' `heights` rows, to buffer `column` of the first
    tile of the tile row. identity: as in `VectorFunctionStep`."""

    blocks: Blocks
    buffer: str
    column: str
    fifo: str
    heights: tuple[int, ...]
    identity: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnsStep(Step):
    """That column of pixels of `words` words to every column of a map without halo, whose pixels
    may have other words, too."""

    words: int
    column: str
    output: str
    fifo: str
    layout: MapLayout


def _is_function(planner: PlanBuilder, op: Operator) -> bool:
    """A QUANTIZE of a vector that is nobody else's, and a TILE alone reads the result."""
    flow = planner.dataflow
    layout = vector_layout(planner, op.inputs[0])
    readers = flow.readers(flow.source(op.outputs[0]))
    return (
        layout is not None
        and layout.blocks.block == BLOCK_WORDS
        and (layout.offset, layout.pitch, layout.from_host) == (0, 0, False)
        and planner.owns(flow.source(op.inputs[0]), layout.buffer)
        and is_private(planner, op)
        and not flow.is_output(flow.source(op.outputs[0]))
        and len(readers) == 1
        and repeats_vector(flow, readers[0])
    )


def _plan_function(planner: PlanBuilder, op: Operator) -> None:
    """In place, in a buffer that has room for the whole vector."""
    layout = vector_layout(planner, op.inputs[0])
    assert layout is not None
    source = planner.graph.tensor(op.inputs[0])
    output = planner.dataflow.source(op.outputs[0])
    buffer = planner.take_over(output, layout.buffer)
    planner.enlarge(buffer, layout.blocks.words)
    line = planner.block_line(RING_LINES)
    planner.add(
        VectorFunctionStep(
            ops=(op.index,),
            lowest_line=line,
            blocks=layout.blocks,
            buffer=buffer,
            input_zero=zero_point(source),
            requantization=fused(planner, op, scale(source)),
            identity=planner.identity(),
            consumer_line=line + RING_LINES - 2,
        )
    )
    planner.record(output, VectorLayout(layout.blocks, buffer, pitch=BLOCK_WORDS))


def _is_repetition(planner: PlanBuilder, op: Operator) -> bool:
    layout = vector_layout(planner, op.inputs[0])
    if layout is None or layout.pitch != BLOCK_WORDS or layout.offset:
        return False
    return repeats_vector(planner.dataflow, op) and not _map_of(planner, op).has_halo


def _map_of(planner: PlanBuilder, op: Operator) -> MapLayout:
    tensor = planner.dataflow.source(op.outputs[0])
    layout = planner.layouts.get(tensor)
    return layout if isinstance(layout, MapLayout) else planner.lay_out_map(tensor)


def _plan_repetition(planner: PlanBuilder, op: Operator) -> None:
    """A column of the map, then all of them."""
    vector = vector_layout(planner, op.inputs[0])
    assert vector is not None
    layout = _map_of(planner, op)
    words = vector.blocks.words
    heights = tuple(map(length, layout.rows.own))
    column = planner.scratch(f"{op.index} column", words * max(heights), rank=0)
    planner.add(
        ColumnStep(
            ops=(op.index,),
            blocks=vector.blocks,
            buffer=planner.keep(vector.buffer),
            column=column,
            fifo=planner.scratch(f"{op.index} fifo of rows", FIFO_WORDS),
            heights=heights,
            identity=planner.identity(),
        )
    )
    planner.add(
        ColumnsStep(
            ops=(op.index,),
            words=words,
            column=planner.keep(column),
            output=planner.produce(planner.dataflow.source(op.outputs[0]), layout.words),
            fifo=planner.scratch(f"{op.index} fifo of columns", FIFO_WORDS),
            layout=layout,
        )
    )


VECTOR_FUNCTION = Family(
    "function of a vector", frozenset({"QUANTIZE"}), _plan_function, accepts=_is_function
)
REPEATED_VECTOR = Family(
    "repeated vector", frozenset({"TILE"}), _plan_repetition, accepts=_is_repetition
)
