"""Vectors from the host to blocks on the tiles, and back.

Reads the Graph level through the planner, adds `VectorInputStep`s and `VectorOutputStep`s.
Facts: docs/format/fully_connected.md, "Vectors".
"""

from __future__ import annotations

from math import prod

from .builder import PlanBuilder
from .family import Border
from .plan import WIDE_LINES
from .refusal import Refusal
from .softmax_area import first_gather_lines, input_area
from .vectors import (
    ROW_BYTES,
    SLOT_WORDS,
    Blocks,
    VectorInputStep,
    VectorLayout,
    VectorOutputStep,
    vector_layout,
)

MAX_INPUT = 65536
"""Bytes of the longest vector from the host."""
OUTPUT_FIFO_LINES = 2


def is_host_vector(planner: PlanBuilder, tensor: int) -> bool:
    """Whether every operator that reads an input sees a vector in it (no rows, no columns), or,
    as layers of all values do, no matter what."""
    flow, graph = planner.dataflow, planner.graph
    source = flow.source(tensor)
    readers = flow.readers(source)
    seen = {
        flow.pads[index].tensor if index in flow.pads else index
        for op in readers
        if op.name != "FULLY_CONNECTED"
        for index in op.inputs
        if index >= 0 and not graph.tensor(index).is_constant and flow.source(index) == source
    }
    shapes = [graph.tensor(index).shape for index in seen]
    return bool(readers) and all(size == 1 for shape in shapes for size in shape[:-1])


def plan_vector_input(planner: PlanBuilder, tensor: int) -> None:
    """Scatter: each tile row takes the bytes of its tiles, and every tile keeps its block."""
    size = prod(planner.graph.tensor(tensor).shape)
    if size > MAX_INPUT:
        raise Refusal(
            None,
            f"input '{planner.graph.tensor(tensor).name}' cannot be scattered over the tiles",
            actual=f"{size} values",
            allowed=f"up to {MAX_INPUT}",
        )
    source = planner.dataflow.source(tensor)
    blocks = Blocks.spread(-(-size // 4))
    area = input_area(planner, source, blocks) if size % 4 == 0 else None
    slot_lines = -(-size // ROW_BYTES)
    if area is None:
        fifo_line = WIDE_LINES - 2 * slot_lines
        planner.scratch(f"{tensor} slots", 2 * max(SLOT_WORDS, blocks.block))
        output = planner.produce(source, blocks.block, rank=1.1)
        layout = VectorLayout(blocks, output, from_host=True)
    else:
        layout = area
        fifo_line = first_gather_lines(slot_lines)["fifo"]
    planner.record(source, layout)
    planner.add(
        VectorInputStep(
            border=tensor,
            size=size,
            output=layout.buffer,
            pitch=layout.pitch,
            fifo_line=fifo_line,
            slot_lines=slot_lines,
            lowest_line=fifo_line,
        )
    )


def plan_vector_output(planner: PlanBuilder, tensor: int) -> None:
    """One ring message a tile, in tile order."""
    layout = vector_layout(planner, tensor)
    assert layout is not None
    fifo_line = planner.block_line(OUTPUT_FIFO_LINES)
    planner.add(
        VectorOutputStep(
            border=planner.dataflow.output_name(tensor),
            blocks=layout.blocks,
            input=planner.keep(layout.buffer),
            offset=layout.offset,
            pitch=layout.pitch,
            fifo_line=fifo_line,
            lowest_line=fifo_line,
        )
    )


def _is_vector(planner: PlanBuilder, tensor: int) -> bool:
    return vector_layout(planner, tensor) is not None


VECTOR_INPUT = Border("vector input", is_host_vector, plan_vector_input)
VECTOR_OUTPUT = Border("vector output", _is_vector, plan_vector_output)
