"""A picture from the host: rows arrive over the ring, each tile keeps its own columns of them.

Reads the Graph level through the planner, adds an `ImageInputStep`. Facts:
docs/format/convolution.md, "Image input".

The four tiles of a tile row receive the same bytes; a tile drops what lies in front of its own
columns, so that each slot of its staging buffer starts with them, and a tensor op copies them
into the interior of the first map. A slot holds a group of rows: as many as together are whole
words. The last group, which may have fewer rows, is copied by a second op.
"""

from __future__ import annotations

from dataclasses import replace
from math import gcd

from ..fast_dataclass import dataclass
from .builder import PlanBuilder
from .family import Border
from .identity import NAME as IDENTITY
from .map_layout import MapLayout
from .plan import WIDE_LINES, Step
from .refusal import Refusal
from .tiling import GRID, length, tiles_of
from .wide_memory import stack_blocks

LINE_BYTES = 256
ITEM_BYTES = 8
"""Unit of the activation feed buffer."""
WORD_BYTES = 4
MIN_SLOT_WORDS = LINE_BYTES // WORD_BYTES
IDENTITY_WORDS = 4
"""Four words whose bytes are the 4x4 identity matrix."""
MOST_GATHERED = 64
"""Channels of the largest pixel that is gathered byte by byte: the lanes of a line."""


@dataclass(frozen=True, slots=True)
class TileRowFeed:
    """One tile row's part of the picture. `rows`: pixel rows; `first_item`, `items`: its run of
    8-byte items in the host stream; `skip_bytes`: bytes of the first item that belong to the
    row above; `tiles`: those of the tile row that own pixels."""

    rows: int
    first_item: int
    items: int
    skip_bytes: int
    tiles: int

    @property
    def lines(self) -> int:
        """Ring rows that carry the items."""
        return -(-self.items * ITEM_BYTES // LINE_BYTES)


@dataclass(frozen=True, slots=True)
class Scatter:
    """Tiles that cut the same columns out of equally many rows, `lines` wide lines of them:
    `skip_words` words in front of the first own one, then `words` words into the slots."""

    lines: int
    skip_words: int
    words: int
    tiles: int


@dataclass(frozen=True, slots=True)
class Interior:
    """Tiles whose own pixels go to the same place of an equal map. `byte`: first own byte of a
    staging slot; `own_words`: words from the slot's start to the last own byte of the last
    group of rows."""

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
    """One picture, `row_bytes` bytes a row; `group_rows`: rows that together are whole words,
    `slot_words`: words of a staging slot (two of them), each for a group; `chunk_lines`: wide
    lines that one row takes; `by_channel`: pixels are no whole words and are gathered byte by
    byte. `size` bytes are sent, those from `host_offset` of the picture on.
    `identity_buffer`: '' if the identity matrix is there from a step before, `follows` if that
    is the step right before; `identity_line`: -1 for the program's own. `stored`: the bytes, if
    they are parameters and no picture."""

    size: int
    host_offset: int
    channels: int
    row_bytes: int
    group_rows: int
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
    stored: bytes = b""
    follows: bool = False

    @property
    def pixel_words(self) -> int:
        """Words of a pixel on the chip."""
        return -(-self.channels // WORD_BYTES)

    @property
    def group_words(self) -> int:
        """Words of a whole group of rows."""
        return self.group_rows * self.row_bytes // WORD_BYTES

    def groups(self, rows: int) -> int:
        """Groups that `rows` rows make, the last one perhaps in part."""
        return -(-rows // self.group_rows)

    def moved_to(self, line: int) -> ImageInputStep:
        return replace(self, identity_line=line, lowest_line=line)


def accepts_image(planner: PlanBuilder, tensor: int) -> bool:
    """A picture of more than one pixel."""
    try:
        height, width, _ = planner.map_shape(tensor)
    except Refusal:
        return False
    return height * width > 1


def plan_image_input(planner: PlanBuilder, tensor: int) -> None:
    """Add the step that brings a picture in."""
    planner.add(image_step(planner, tensor, planner.lay_out_map(tensor)))


def image_step(
    planner: PlanBuilder, tensor: int, layout: MapLayout, *, keep: bool = False, again: bool = False
) -> ImageInputStep:
    """The step that brings the rows of `layout` in, and its buffers. keep: the identity matrix
    stays for the next part of the picture; again: it is there from the part before."""
    _check(planner, tensor)
    _, width, channels = planner.map_shape(tensor)
    row_bytes = width * channels
    first_byte = layout.rows.low * row_bytes
    host_offset = first_byte - first_byte % ITEM_BYTES
    source = InputSource(
        str(tensor),
        channels,
        _feeds(layout, row_bytes, host_offset),
        border=tensor,
        size=layout.rows.high * row_bytes - host_offset,
        host_offset=host_offset,
    )
    buffer = planner.produce(tensor, layout.words)
    return input_step(planner, source, layout, buffer, keep=keep, again=again)


@dataclass(frozen=True, slots=True)
class InputSource:
    """Where a map's bytes come from. stored: they are parameters; else tensor `border` of the
    host, `size` bytes from `host_offset` on."""

    name: str
    channels: int
    feeds: tuple[TileRowFeed, ...]
    border: int = -1
    size: int = 0
    host_offset: int = 0
    stored: bytes = b""


def input_step(
    planner: PlanBuilder,
    source: InputSource,
    layout: MapLayout,
    buffer: str,
    *,
    ops: tuple[int, ...] = (),
    keep: bool = False,
    again: bool = False,
) -> ImageInputStep:
    """The step that brings a map to `buffer`, for operators `ops`; `keep` and `again` as for
    `image_step`."""
    channels = source.channels
    row_bytes = layout.width * channels
    group = _group_rows(layout, source.feeds, row_bytes, channels)
    slot = max(MIN_SLOT_WORDS, group * row_bytes // WORD_BYTES)
    chunk = -(-row_bytes // LINE_BYTES)
    lines = _lines(planner, source, max(2 * chunk, 2), keep=keep)
    follows = not (again or keep or source.stored) and _is_there(planner, channels, lines)
    staging = planner.scratch(f"staging {source.name}", 2 * slot, rank=0)
    return ImageInputStep(
        ops=ops,
        border=source.border,
        lowest_line=min(lines.identity, lines.fifo) if lines.identity >= 0 else lines.fifo,
        kept=_identity_lines(channels) if keep else 0,
        size=source.size or len(source.stored),
        host_offset=source.host_offset,
        channels=channels,
        row_bytes=row_bytes,
        group_rows=group,
        slot_words=slot,
        chunk_lines=chunk,
        by_channel=channels % WORD_BYTES != 0,
        output=layout,
        output_buffer=buffer,
        staging_buffer=staging,
        identity_buffer="" if again or follows else _identity_scratch(planner, source, lines),
        identity_line=lines.identity,
        fifo_line=lines.fifo,
        feeds=source.feeds,
        scatters=_scatters(layout, source.feeds, row_bytes, group, channels),
        interiors=_interiors(layout, source.feeds, row_bytes, group, channels),
        stored=source.stored,
        follows=follows,
    )


@dataclass(frozen=True, slots=True)
class _Lines:
    """First lines of the identity matrix (-1: the program's own) and of the FIFO."""

    identity: int
    fifo: int


def _identity_lines(channels: int) -> int:
    """Gathering takes a line for every four channels, at least two."""
    return max(-(-channels // WORD_BYTES), 2) if channels % WORD_BYTES else 1


def _lines(planner: PlanBuilder, source: InputSource, fifo: int, *, keep: bool) -> _Lines:
    """The largest block on top; an identity matrix that is used again far above all, one that
    is used for the next part wherever it is put later."""
    if keep:
        return _Lines(WIDE_LINES, planner.block_line(fifo))
    image = planner.image_identity
    by_channel = bool(source.channels % WORD_BYTES)
    if source.stored:
        found = by_channel and image.ask(planner.place)
        line = (image.line or 0) if found else -1
        return _Lines(line, planner.block_line(fifo))
    if not by_channel and _shares_identity(planner):
        return _Lines(-1, planner.block_line(fifo))
    image.there = by_channel
    if by_channel and image.uses:
        lines = _identity_lines(source.channels)
        image.line = planner.block_line(lines)
        planner.taken[image.NAME] = (image.line, image.line + lines)
        return _Lines(image.line, planner.block_line(fifo))
    sizes = {"identity": _identity_lines(source.channels), "fifo": fifo}
    blocks = stack_blocks(WIDE_LINES, sizes, taken=planner.taken.values())
    return _Lines(blocks["identity"], blocks["fifo"])


def _shares_identity(planner: PlanBuilder) -> bool:
    """Whether a picture of whole words is gathered by the identity that other steps use, too:
    the first one makes it. (Blocks of vector inputs do not make room.)"""
    shared, flow = planner.shared_identity, planner.dataflow
    if not shared.of_picture:
        if all(accepts_image(planner, flow.source(tensor)) for tensor in flow.inputs):
            shared.offer(planner.place)
        return False
    if not shared.used:
        shared.line = planner.block_line(1)
        planner.taken[IDENTITY] = (shared.line, shared.line + 1)
    return shared.until is not None and planner.place <= shared.until


def _is_there(planner: PlanBuilder, channels: int, lines: _Lines) -> bool:
    """Whether the step before was a picture that left the same identity matrix there, one of its
    own."""
    last = planner.steps[-1] if planner.steps else None
    return (
        isinstance(last, ImageInputStep)
        and not last.stored
        and last.identity_line == lines.identity >= 0
        and (last.channels % WORD_BYTES == 0) == (channels % WORD_BYTES == 0)
        and _identity_lines(last.channels) >= _identity_lines(channels)
    )


def _identity_scratch(planner: PlanBuilder, source: InputSource, lines: _Lines) -> str:
    if source.stored or lines.identity < 0:
        return planner.identity() if lines.identity < 0 else ""
    words = IDENTITY_WORDS
    if source.channels % WORD_BYTES:
        words = MIN_SLOT_WORDS + IDENTITY_WORDS * -(-source.channels // WORD_BYTES)
    return planner.scratch(f"image identity {source.name}", words)


def _check(planner: PlanBuilder, tensor: int) -> None:
    _, _, channels = planner.map_shape(tensor)
    if channels % WORD_BYTES and channels > MOST_GATHERED:
        raise Refusal(
            None,
            "channels of an input picture",
            actual=channels,
            allowed=f"1..{MOST_GATHERED} or a multiple of 4",
        )


def _group_rows(
    layout: MapLayout, feeds: tuple[TileRowFeed, ...], row_bytes: int, channels: int
) -> int:
    """Rows that together are whole words. Where the rows are so short that a tile's own bytes of
    that many end in the next slot, so many that one slot has all of its rows."""
    group = WORD_BYTES // gcd(WORD_BYTES, row_bytes)
    rows = max(feed.rows for feed in feeds)
    ends = (
        (feed.skip_bytes + first * channels) % WORD_BYTES + (end - first) * channels
        for feed in feeds
        for first, end in layout.columns.own
        if end > first
    )
    if max(ends) + (min(rows, group) - 1) * row_bytes <= group * row_bytes:
        return group
    needed = rows * row_bytes + WORD_BYTES - 1
    return -(-needed // (group * row_bytes)) * group


def _feeds(layout: MapLayout, row_bytes: int, host_offset: int) -> tuple[TileRowFeed, ...]:
    feeds = []
    for number, (first, end) in enumerate(layout.rows.own):
        if first == end:
            continue
        start, stop = first * row_bytes - host_offset, end * row_bytes - host_offset
        item = start // ITEM_BYTES
        columns = layout.columns.own
        tiles = sum(1 << GRID * number + c for c in range(GRID) if length(columns[c]))
        feeds.append(
            TileRowFeed(
                rows=end - first,
                first_item=item,
                items=-(-stop // ITEM_BYTES) - item,
                skip_bytes=start % ITEM_BYTES,
                tiles=tiles,
            )
        )
    return tuple(feeds)


def _scatters(
    layout: MapLayout, feeds: tuple[TileRowFeed, ...], row_bytes: int, group: int, channels: int
) -> tuple[Scatter, ...]:
    """Tiles with the same words, by their lowest tile. The slots take all words that come, but
    not more than one group in excess, which no tensor op would make room for."""
    masks: dict[tuple[int, int, int, int], int] = {}
    for column, own in enumerate(layout.columns.own):
        for feed in feeds:
            tiles = feed.tiles & 0x1111 << column
            if tiles:
                skip = (feed.skip_bytes + own[0] * channels) // WORD_BYTES
                room = (-(-feed.rows // group) + 1) * group * row_bytes // WORD_BYTES
                words = min(feed.lines * MIN_SLOT_WORDS - skip, room)
                key = (column, feed.lines, skip, words)
                masks[key] = masks.get(key, 0) | tiles
    ordered = sorted(masks.items(), key=lambda entry: entry[1] & -entry[1])
    return tuple(Scatter(*key[1:], tiles=mask) for key, mask in ordered)


def _interiors(
    layout: MapLayout, feeds: tuple[TileRowFeed, ...], row_bytes: int, group: int, channels: int
) -> tuple[Interior, ...]:
    masks: dict[Interior, int] = {}
    for feed in feeds:
        last_row = (feed.rows - 1) % group
        for tile in tiles_of(feed.tiles):
            rows, columns = layout.own_size(tile)
            row, column = layout.own_corner(tile)
            byte = (feed.skip_bytes + column * channels) % WORD_BYTES
            key = Interior(
                rows=rows,
                columns=columns,
                byte=byte,
                own_words=-(-(byte + last_row * row_bytes + columns * channels) // WORD_BYTES),
                offset=layout.offset(tile, row, column),
                row_words=layout.row_words(tile),
                map_words=layout.held_rows(tile) * layout.row_words(tile),
                tiles=0,
            )
            masks[key] = masks.get(key, 0) | 1 << tile
    return tuple(replace(key, tiles=mask) for key, mask in masks.items())


IMAGE_INPUT = Border("image input", accepts_image, plan_image_input)
