"""A map to the host: every tile sends its own pixels, tile after tile.

Reads the planner's layouts, adds a `MapOutputStep`. The host puts the tiles' rectangles
together again with the output layer's tile layout (docs/format/execution_order.md, "Map output").
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from .builder import PlanBuilder
from .family import Border
from .map_layout import MapLayout
from .plan import WIDE_LINES, OutputStep
from .refusal import Refusal
from .tiling import GRID

FIFO_LINES = 2
LINE_WORDS = 64
ITEM_WORDS = 2
"""Words of the 8-byte items of the outfeed."""


@dataclass(frozen=True, slots=True)
class OutputRectangle:
    """Tiles that send the same rectangle of an equal map, from word `offset` on."""

    rows: int
    columns: int
    offset: int
    row_words: int
    tiles: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MapOutputStep(OutputStep):
    """A map to the host through the two-line FIFO at `line`; `size`: bytes in all."""

    size: int
    input: MapLayout
    input_buffer: str
    line: int
    rectangles: tuple[OutputRectangle, ...]


def accepts_map(planner: PlanBuilder, tensor: int) -> bool:
    """A tensor that lives as a map spread over the tiles."""
    return isinstance(planner.layouts.get(tensor), MapLayout)


def plan_map_output(planner: PlanBuilder, tensor: int) -> None:
    """Add the step that sends a map out."""
    layout = planner.layouts[tensor]
    assert isinstance(layout, MapLayout)
    rectangles = _rectangles(layout)
    words = _tile_words(layout)
    sending = [count for count in words if count]
    if any(count % ITEM_WORDS for count in sending[:-1]):
        raise Refusal(
            None,
            "bytes of an output map on a tile",
            actual=4 * min(count for count in sending if count % ITEM_WORDS),
            allowed="a multiple of 8",
        )
    line = WIDE_LINES - FIFO_LINES
    planner.add(
        MapOutputStep(
            lowest_line=line,
            size=8 * -(-sum(sending) // ITEM_WORDS),
            input=layout,
            input_buffer=planner.consume(tensor),
            line=line,
            rectangles=rectangles,
        )
    )


def _tile_words(layout: MapLayout) -> list[int]:
    sizes = map(layout.own_size, range(GRID * GRID))
    return [rows * columns * layout.channel_words for rows, columns in sizes]


def _rectangles(layout: MapLayout) -> tuple[OutputRectangle, ...]:
    masks: dict[OutputRectangle, int] = {}
    for tile in range(GRID * GRID):
        rows, columns = layout.own_size(tile)
        if rows and columns:
            offset = layout.offset(tile, *layout.own_corner(tile))
            key = OutputRectangle(rows, columns, offset, layout.row_words(tile), tiles=0)
            masks[key] = masks.get(key, 0) | 1 << tile
    return tuple(replace(key, tiles=mask) for key, mask in masks.items())


MAP_OUTPUT = Border("map output", accepts_map, plan_map_output)
