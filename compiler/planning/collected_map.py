"""A small map of which a layer makes one pixel: tile 0 collects it over the ring, right behind the
layer that made it.

Reads the Graph level through the planner, adds `MapCollectionStep`s. Facts:
docs/format/tiling.md, "Maps on one tile".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..fast_dataclass import dataclass
from ..frontend.graph import Operator
from .map_layout import MapLayout
from .plan import Step
from .tiling import GRID

if TYPE_CHECKING:
    from .builder import PlanBuilder

COLLECTION_LINES = 6
"""Wide lines of the messages' FIFOs: two to write, two to read, and two between."""
_VALID = 1
"""Padding.VALID of the schema."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MapCollectionStep(Step):
    """The pixels of `input` in buffer `buffer` to tile 0, through FIFOs below line `top`."""

    input: MapLayout
    buffer: str
    top: int


def reads_whole_map(planner: PlanBuilder, op: Operator) -> bool:
    """Whether a CONV_2D makes one pixel of a map of at most one pixel a tile, with a filter of the
    map's size."""
    graph = planner.graph
    source, output = (graph.tensor(t).shape for t in (op.inputs[0], op.outputs[0]))
    kernel = graph.tensor(op.inputs[1]).shape[1:3]
    return (
        op.name == "CONV_2D"
        and op.options.get("padding") == _VALID
        and output[1:3] == (1, 1)
        and source[1:3] == kernel
        and source[1:3] != (1, 1)
        and max(kernel) <= GRID
        and op.inputs[0] not in planner.dataflow.pads
    )


def is_collected(planner: PlanBuilder, tensor: int) -> bool:
    """Whether a map (a source) is made by a convolution, for such a layer alone."""
    flow = planner.dataflow
    producer, readers = flow.producer(tensor), flow.readers(tensor)
    if producer is None or producer.name != "CONV_2D" or len(readers) != 1:
        return False
    apart = planner.sliced.isdisjoint((producer.index, readers[0].index))
    reader = readers[0].name == "CONV_2D" and reads_whole_map(planner, readers[0])
    return apart and reader and not flow.is_output(tensor) and not planner.joint_part(tensor)


def collect_on_first_tile(planner: PlanBuilder, op: Operator, line: int) -> None:
    """The step behind the layer `op`, whose result is collected; `line`: its FIFOs' first."""
    layout = planner.map_layout(op, op.outputs[0])
    if layout.collected and planner.claim_exchange(op.outputs[0]):
        planner.add(
            MapCollectionStep(
                ops=(op.index,),
                input=layout,
                buffer=planner.consume(op.outputs[0]),
                top=line + COLLECTION_LINES,
                lowest_line=line,
            )
        )
