"""RESHAPE into a map: all words to tile 0, in the order of the tensor, and from there to the tiles
that own them. Pixels keep their channels, or are whole words in the source.

Reads the Graph level through the planner, adds steps of `map_collection.py`, `vector_copy.py` and
`map_moves.py`. Facts: docs/format/movement.md, "Reshaping".
"""

from __future__ import annotations

from collections.abc import Iterator

from ..frontend.graph import Operator
from ..frontend.movement import picture
from .builder import PlanBuilder
from .family import Family
from .map_collection import collect_map
from .map_layout import MapLayout
from .map_moves import MapMessage, Walk, add_move, boxes
from .tiling import length
from .vector_copy import move_step
from .vectors import Blocks, VectorLayout

WORD_CHANNELS = 4


def is_reshape(planner: PlanBuilder, op: Operator) -> bool:
    """A map or a vector on the tiles becomes a map."""
    source, output = (picture(planner.graph.tensor(t).shape) for t in (op.inputs[0], op.outputs[0]))
    layout = planner.layouts.get(planner.dataflow.source(op.inputs[0]))
    if source is None or output is None or not isinstance(layout, MapLayout | VectorLayout):
        return False
    whole = source[2] % WORD_CHANNELS == 0 or source[2] == output[2]
    return output[:2] != (1, 1) and whole and _words(source) == _words(output)


def _words(size: tuple[int, int, int]) -> int:
    return size[0] * size[1] * -(-size[2] // WORD_CHANNELS)


def plan_reshape(planner: PlanBuilder, op: Operator) -> None:
    """To tile 0, unless it is there; then one message for each tile of the result."""
    buffer, first = _collect(planner, op)
    tensor = planner.dataflow.source(op.outputs[0])
    layout = planner.lay_out_map(tensor)
    output = planner.produce(tensor, layout.words)
    add_move(planner, op, tuple(_messages(layout, planner.keep(buffer), first, output)))


def _collect(planner: PlanBuilder, op: Operator) -> tuple[str, int]:
    """Buffer on tile 0 with all words, and the first of them."""
    layout = planner.layouts[planner.dataflow.source(op.inputs[0])]
    if isinstance(layout, VectorLayout):
        words = layout.blocks.words
        planner.keep(layout.buffer)
        if layout.blocks.tiles == 1:
            return layout.buffer, layout.offset
        buffer = planner.scratch(f"{op.index} collected", words)
        planner.add(move_step(op, [(layout, 0)], Blocks(words, words), buffer))
        return buffer, 0
    assert isinstance(layout, MapLayout)
    words = layout.height * layout.width * layout.channel_words
    buffer = planner.scratch(f"{op.index} collected", words)
    planner.add(collect_map(planner, op, layout, buffer))
    return buffer, 0


def _messages(layout: MapLayout, source: str, first: int, target: str) -> Iterator[MapMessage]:
    words = layout.channel_words
    for box in boxes(layout):
        rows, columns = length(box.rows), length(box.columns)
        start = first + (box.rows[0] * layout.width + box.columns[0]) * words
        yield MapMessage(
            0,
            box.tile,
            source,
            target,
            Walk(start, ((columns * words, 1), (1, 0), (rows, layout.width * words))),
            Walk(box.offset, ((words, 1), (columns, box.pixel_words), (rows, box.row_words))),
        )


RESHAPE = Family(
    "reshape", frozenset({"RESHAPE", "SQUEEZE", "EXPAND_DIMS"}), plan_reshape, accepts=is_reshape
)
