"""A picture from the host: rows arrive over the ring, each tile keeps its own columns of them.

Reads the Graph level through the planner, adds an `ImageInputStep`. Facts:
docs/format/convolution.md, "Image input".

The four tiles of a tile row receive the same bytes; a tile drops what lies in front of its own
columns, so that each row slot of its staging buffer starts with them, and a tensor op copies
them into the interior of the first map. The last row is copied by a second op.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from .builder import PlanBuilder
from .family import Border
from .map_layout import MapLayout
from .plan import WIDE_LINES, Step
from .refusal import Refusal
from .tiling import GRID, length
from .wide_memory import stack_blocks

LINE_BYTES = 256
ITEM_BYTES = 8
"""Unit of the activation feed buffer."""
WORD_BYTES = 4
MIN_SLOT_WORDS = LINE_BYTES // WORD_BYTES
IDENTITY_WORDS = 4
"""Four words whose bytes are the 4x4 identity matrix."""


@dataclass(frozen=True, slots=True)
class TileRowFeed:
    """One tile row's part of the picture. `rows`: pixel rows; `first_item`, `items`: its run of
    8-byte items in the host stream; `skip_words`: words of the first item that belong to the
    row above; `tiles`: those of the tile row that own pixels."""

    rows: int
    first_item: int
    items: int
    skip_words: int
    tiles: int

    @property
    def lines(self) -> int:
        """Ring rows that carry the items."""
        return -(-self.items * ITEM_BYTES // LINE_BYTES)


@dataclass(frozen=True, slots=True)
class Scatter:
    """Tiles that cut the same columns out of equally many rows, `lines` wide lines of them:
    `skip_words` words in front of the first own one, `first_word` of them in its own row."""

    lines: int
    rows: int
    skip_words: int
    first_word: int
    tiles: int


@dataclass(frozen=True, slots=True)
class Interior:
    """Tiles whose own pixels go to the same place of an equal map. `byte`: first own byte of a
    staging slot; `own_words`: words from the slot's start that hold own bytes."""

    rows: int
    columns: int
    byte: int
    own_words: int
    offset: int
    row_words: int
    map_words: int
    tiles: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageInputStep(Step):
    """One picture, `row_words` words a row; `slot_words`: words of a staging slot (two of
    them); `chunk_lines`: wide lines that one row takes; `by_channel`: pixels are fewer than four
    bytes and are gathered byte by byte."""

    size: int
    channels: int
    row_words: int
    slot_words: int
    chunk_lines: int
    by_channel: bool
    output: MapLayout
    output_buffer: str
    staging_buffer: str
    identity_buffer: str
    identity_line: int
    fifo_line: int
    feeds: tuple[TileRowFeed, ...]
    scatters: tuple[Scatter, ...]
    interiors: tuple[Interior, ...]


def accepts_image(planner: PlanBuilder, tensor: int) -> bool:
    """A picture of more than one pixel."""
    try:
        height, width, _ = planner.map_shape(tensor)
    except Refusal:
        return False
    return height * width > 1


def plan_image_input(planner: PlanBuilder, tensor: int) -> None:
    """Add the step that brings a picture in."""
    height, width, channels = planner.map_shape(tensor)
    _check(planner, tensor)
    layout = planner.lay_out_map(tensor)
    row_bytes = width * channels
    by_channel = channels % WORD_BYTES != 0
    slot = max(MIN_SLOT_WORDS, row_bytes // WORD_BYTES)
    chunk = -(-row_bytes // LINE_BYTES)
    lines = stack_blocks(
        WIDE_LINES, {"identity": 2 if by_channel else 1, "fifo": max(2 * chunk, 2)}
    )
    feeds = _feeds(layout, row_bytes)
    identity_words = IDENTITY_WORDS + (MIN_SLOT_WORDS if by_channel else 0)
    planner.add(
        ImageInputStep(
            lowest_line=min(lines.values()),
            size=height * row_bytes,
            channels=channels,
            row_words=row_bytes // WORD_BYTES,
            slot_words=slot,
            chunk_lines=chunk,
            by_channel=by_channel,
            output=layout,
            output_buffer=planner.produce(tensor, layout.words),
            staging_buffer=planner.scratch(f"staging {tensor}", 2 * slot),
            identity_buffer=planner.scratch(f"image identity {tensor}", identity_words),
            identity_line=lines["identity"],
            fifo_line=lines["fifo"],
            feeds=feeds,
            scatters=_scatters(layout, feeds, channels),
            interiors=_interiors(layout, channels),
        )
    )


def _check(planner: PlanBuilder, tensor: int) -> None:
    _, width, channels = planner.map_shape(tensor)
    if channels % WORD_BYTES and channels > WORD_BYTES:
        raise Refusal(
            None, "channels of an input picture", actual=channels, allowed="1..4 or a multiple of 4"
        )
    if width * channels % WORD_BYTES:
        raise Refusal(
            None,
            "bytes of an input picture's row",
            actual=width * channels,
            allowed="a multiple of 4",
        )


def _feeds(layout: MapLayout, row_bytes: int) -> tuple[TileRowFeed, ...]:
    feeds = []
    for number, (first, end) in enumerate(layout.rows.own):
        if first == end:
            continue
        start, stop = first * row_bytes, end * row_bytes
        item = start // ITEM_BYTES
        columns = layout.columns.own
        tiles = sum(1 << GRID * number + c for c in range(GRID) if length(columns[c]))
        feeds.append(
            TileRowFeed(
                rows=end - first,
                first_item=item,
                items=-(-stop // ITEM_BYTES) - item,
                skip_words=start % ITEM_BYTES // WORD_BYTES,
                tiles=tiles,
            )
        )
    return tuple(feeds)


def _scatters(
    layout: MapLayout, feeds: tuple[TileRowFeed, ...], channels: int
) -> tuple[Scatter, ...]:
    """Column by column, then tile rows of equal height together."""
    masks: dict[tuple[int, int, int, int, int], int] = {}
    for column, own in enumerate(layout.columns.own):
        first_word = own[0] * channels // WORD_BYTES
        for feed in feeds:
            tiles = feed.tiles & 0x1111 << column
            if tiles:
                skip = feed.skip_words + first_word
                key = (column, feed.lines, feed.rows, skip, first_word)
                masks[key] = masks.get(key, 0) | tiles
    return tuple(Scatter(*key[1:], tiles=mask) for key, mask in masks.items())


def _interiors(layout: MapLayout, channels: int) -> tuple[Interior, ...]:
    masks: dict[Interior, int] = {}
    for tile in range(GRID * GRID):
        rows, columns = layout.own_size(tile)
        if not rows or not columns:
            continue
        row, column = layout.own_corner(tile)
        byte = column * channels % WORD_BYTES
        key = Interior(
            rows=rows,
            columns=columns,
            byte=byte,
            own_words=-(-(byte + columns * channels) // WORD_BYTES),
            offset=layout.offset(tile, row, column),
            row_words=layout.row_words(tile),
            map_words=layout.held_rows(tile) * layout.row_words(tile),
            tiles=0,
        )
        masks[key] = masks.get(key, 0) | 1 << tile
    return tuple(replace(key, tiles=mask) for key, mask in masks.items())


IMAGE_INPUT = Border("image input", accepts_image, plan_image_input)
