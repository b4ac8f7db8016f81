"""Maps that wait in the host's memory: one step sends a map there, another one brings it back.

Reads the planner's layouts, adds `HostStoreStep`s and `HostFetchStep`s. Facts:
docs/format/pooling.md, "Maps in the host's memory".
"""

from __future__ import annotations

from dataclasses import replace

from ..fast_dataclass import dataclass
from ..frontend.graph import Operator
from .builder import PlanBuilder
from .map_layout import MapLayout
from .map_output import FIFO_LINES, WORD_BYTES, OutputRectangle, rectangles, tile_words
from .plan import Step


@dataclass(frozen=True, slots=True, kw_only=True)
class HostStoreStep(Step):
    """A map (buffer `input_buffer`) to the host's scratch, `scratch_offset` bytes behind its
    base: `size` bytes, a multiple of eight from every tile, through the two-line FIFO at
    `line`."""

    size: int
    scratch_offset: int
    input: MapLayout
    input_buffer: str
    line: int
    rectangles: tuple[OutputRectangle, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFetchStep(Step):
    """What `stored` has sent comes back to the same tiles, into buffer `output`."""

    stored: HostStoreStep
    output: str


def store_map(planner: PlanBuilder, op: Operator, tensor: int) -> None:
    """Send a map (a source) to the host for `op`; from the next `fetch_map` on it lies where
    that puts it."""
    layout = planner.map_layout(op, tensor)
    line = planner.block_line(FIFO_LINES)
    size = WORD_BYTES * sum(tile_words(layout))
    step = HostStoreStep(
        ops=(op.index,),
        lowest_line=line,
        size=size,
        scratch_offset=sum(step.scratch_bytes for step in planner.steps),
        input=layout,
        input_buffer=planner.consume(tensor),
        line=line,
        rectangles=rectangles(layout),
        scratch_bytes=size,
    )
    planner.add(step)
    planner.parked[tensor] = step


def fetch_map(planner: PlanBuilder, op: Operator, tensor: int) -> str:
    """Bring a stored map back for `op`; returns its buffer."""
    stored = planner.parked[tensor]
    assert isinstance(stored, HostStoreStep)
    line = planner.block_line(FIFO_LINES)
    buffer = planner.scratch(f"tensor {tensor} fetched {planner.now}", stored.input.words, rank=0)
    planner.add(
        HostFetchStep(
            ops=(op.index,), lowest_line=line, stored=replace(stored, line=line), output=buffer
        )
    )
    return buffer


def fetch_parked(planner: PlanBuilder, op: Operator) -> None:
    """Bring the operands of `op` back that wait in the host's memory; they stay."""
    for tensor in planner.dataflow.activations(op):
        if tensor in planner.parked:
            layout = planner.layouts[tensor]
            buffer = fetch_map(planner, op, tensor)
            planner.show_as(tensor, layout, buffer)
            del planner.parked[tensor]
