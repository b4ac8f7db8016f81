"""A map to the host: every tile sends its own pixels, tile after tile.

Reads the planner's layouts, adds a `MapOutputStep`. The host puts the tiles' rectangles
together again with the output layer's tile layout (docs/format/execution_order.md, "Map output").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..fast_dataclass import dataclass
from .builder import PlanBuilder
from .family import Border
from .map_layout import MapLayout
from .plan import OutputStep
from .refusal import Refusal
from .tiling import GRID

FIFO_LINES = 2
LINE_WORDS = 64
WORD_BYTES = 4
ITEM_WORDS = 2
"""Words of the 8-byte items of the outfeed."""
COLLECTED_WORDS = 4096
"""Words of the scalar core's memory."""
BATCH_UNIT = 8
"""Words of which all rounds but the last send a multiple."""


@dataclass(frozen=True, slots=True)
class OutputRectangle:
    """Tiles that send the same rectangle of an equal map, from word `offset` on."""

    rows: int
    columns: int
    offset: int
    row_words: int
    tiles: int


@dataclass(frozen=True, slots=True)
class Portion:
    """`words` words of one tile, to word `position` of the scalar core's memory; `first`: the
    tile starts with them."""

    tile: int
    position: int
    words: int
    first: bool


@dataclass(frozen=True, slots=True)
class Batch:
    """Portions that are collected, and the words then sent from the start of the memory (an
    even number); what is `left` behind them moves to the start."""

    portions: tuple[Portion, ...]
    words: int
    left: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MapOutputStep(OutputStep):
    """A map to the host through the two-line FIFO at `line`; `size`: bytes in all, from
    `host_offset` of the output on. `batches`: the rounds of a map that is collected in the
    scalar core's memory first, else ()."""

    size: int
    host_offset: int
    input: MapLayout
    input_buffer: str
    line: int
    rectangles: tuple[OutputRectangle, ...]
    batches: tuple[Batch, ...] = ()


def accepts_map(planner: PlanBuilder, tensor: int) -> bool:
    """A tensor that lives as a map spread over the tiles."""
    return isinstance(planner.layouts.get(tensor), MapLayout)


def plan_map_output(planner: PlanBuilder, tensor: int) -> None:
    """Add the step that sends a map out."""
    layout = planner.layouts[tensor]
    assert isinstance(layout, MapLayout)
    planner.add(map_output_step(planner, tensor, layout))


def map_output_step(planner: PlanBuilder, tensor: int, layout: MapLayout) -> MapOutputStep:
    """The step that sends the rows of `layout` out."""
    words = {t: count for t, count in enumerate(tile_words(layout)) if count}
    aligned = all(count % ITEM_WORDS == 0 for count in list(words.values())[:-1])
    before = layout.rows.low * layout.width * layout.channel_words
    if before % ITEM_WORDS:
        raise Refusal(
            None,
            "an output that is sent in parts",
            actual=f"{before * WORD_BYTES} bytes in front of one",
            allowed=f"multiples of {ITEM_WORDS * WORD_BYTES}",
        )
    line = planner.block_line(FIFO_LINES)
    return MapOutputStep(
        border=planner.dataflow.output_name(tensor),
        lowest_line=line,
        size=8 * -(-sum(words.values()) // ITEM_WORDS),
        host_offset=before * WORD_BYTES,
        input=layout,
        input_buffer=planner.consume(tensor),
        line=line,
        rectangles=rectangles(layout),
        batches=() if aligned else collect(words),
    )


def collect(words: Mapping[int, int]) -> tuple[Batch, ...]:
    """Rounds of collecting the tiles' `words` (tile -> words, in order): a tile is cut at whole
    lines where the memory is full, and all but the last round send multiples of eight words."""
    batches: list[Batch] = []
    portions: list[Portion] = []
    position = 0
    for tile, count in words.items():
        done = 0
        while done < count:
            room = (COLLECTED_WORDS - position) // LINE_WORDS * LINE_WORDS
            part = count - done
            if part > COLLECTED_WORDS - position:
                part = room
            if part:
                portions.append(Portion(tile, position, part, first=done == 0))
                position += part
                done += part
            if done < count:
                left = position % BATCH_UNIT
                batches.append(Batch(tuple(portions), position - left, left))
                portions, position = [], left
    batches.append(Batch(tuple(portions), position))
    return tuple(batches)


def tile_words(layout: MapLayout) -> list[int]:
    """Words of each tile's own pixels."""
    sizes = map(layout.own_size, range(GRID * GRID))
    return [rows * columns * layout.channel_words for rows, columns in sizes]


def rectangles(layout: MapLayout) -> tuple[OutputRectangle, ...]:
    """The own pixels of all tiles, lowest tile first."""
    masks: dict[OutputRectangle, int] = {}
    for tile in range(GRID * GRID):
        rows, columns = layout.own_size(tile)
        if rows and columns:
            offset = layout.offset(tile, *layout.own_corner(tile))
            key = OutputRectangle(rows, columns, offset, layout.row_words(tile), tiles=0)
            masks[key] = masks.get(key, 0) | 1 << tile
    return tuple(replace(key, tiles=mask) for key, mask in masks.items())


MAP_OUTPUT = Border("map output", accepts_map, plan_map_output)
