"""Operators that move whole words between tiles: slices, splits, joins, transpositions, borders.

Every pair of tiles with words for each other exchanges one ring message; what stays on its tile is
copied there. Reads the Graph level
through the planner, adds `MapMoveStep`s. Facts: docs/format/movement.md, "Moves".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import prod

from ..fast_dataclass import dataclass
from ..frontend.graph import Operator
from ..frontend.movement import Movement
from ..frontend.movements import movements, names
from .builder import PlanBuilder
from .dataflow import scale, zero_point
from .family import Family
from .map_layout import MapLayout
from .plan import TILES, Step
from .refusal import Refusal
from .softmax_area import blocks_of, produce_vector
from .tiling import GRID, Interval, length, overlap
from .vector_copy import CONSUMER_LINES, MESSAGE_LINES
from .vectors import VectorLayout
from .wide_memory import IDENTITY_LINE

Layout = MapLayout | VectorLayout
MOST_WORDS = 32000
"""Words of a message; the counters hold 32767."""
_ANY = (0, 1 << 30)


@dataclass(frozen=True, slots=True)
class Walk:
    """Words of a buffer: offset of the first, and levels, innermost first."""

    offset: int
    levels: tuple[tuple[int, int], ...]

    @property
    def words(self) -> int:
        return prod(count for count, _ in self.levels)


@dataclass(frozen=True, slots=True)
class MapMessage:
    """Words of tile `sender`, in buffer `source`, to buffer `target` of tile `reader`; `all`: mask
    of the tiles that take them, if there are several, of which `reader` is the lowest."""

    sender: int
    reader: int
    source: str
    target: str
    read: Walk
    written: Walk
    all: int = 0

    @property
    def stays(self) -> bool:
        """Whether the words stay on their tile."""
        return self.sender == self.reader and not self.all

    @property
    def readers(self) -> int:
        """Mask of the tiles that take the words."""
        return self.all or 1 << self.reader


@dataclass(frozen=True, slots=True)
class Fill:
    """All words of a result, written with a constant byte before anything else."""

    buffer: str
    walk: Walk
    byte: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MapMoveStep(Step):
    """Fills, then messages in order, through FIFOs at `consumer_line` and four lines below."""

    fills: tuple[Fill, ...]
    messages: tuple[MapMessage, ...]
    consumer_line: int


@dataclass(frozen=True, slots=True)
class Box:
    """What one tile holds of a tensor: rows, columns and words of four channels; offset of the
    first word in the buffer, words from a row and from a pixel to the next."""

    tile: int
    rows: Interval
    columns: Interval
    words: Interval
    offset: int
    row_words: int
    pixel_words: int

    def at(self, row: int, column: int, word: int) -> int:
        """Offset of a word."""
        down, right = row - self.rows[0], column - self.columns[0]
        return self.offset + down * self.row_words + right * self.pixel_words + word - self.words[0]


def boxes(layout: Layout) -> Iterator[Box]:
    """The tensor, tile by tile; halos are nobody's."""
    if isinstance(layout, VectorLayout):
        blocks = layout.blocks
        for tile in range(blocks.tiles):
            first = blocks.block * tile
            words = (first, first + blocks.size(tile))
            yield Box(tile, (0, 1), (0, 1), words, layout.offset + layout.pitch * tile, 0, 0)
        return
    for tile in range(TILES):
        rows, columns = layout.rows.own[tile // GRID], layout.columns.own[tile % GRID]
        if length(rows) and length(columns):
            yield Box(
                tile,
                rows,
                columns,
                (0, layout.channel_words),
                layout.offset(tile, rows[0], columns[0]),
                layout.row_words(tile),
                layout.pixel_words,
            )


def is_move(planner: PlanBuilder, op: Operator) -> bool:
    """Whether the operator moves whole words of tensors on the tiles."""
    sources = planner.dataflow.activations(op)
    known = all(isinstance(planner.layouts.get(source), Layout) for source in sources)
    return known and movements(planner.graph, op) is not None


def plan_move(planner: PlanBuilder, op: Operator) -> None:
    """One step with all messages."""
    _check(planner, op)
    found = movements(planner.graph, op)
    assert found is not None
    targets = {t: result_of(planner, t) for t in dict.fromkeys(m.output for m in found)}
    sources = {m.source: source_of(planner, m.source) for m in found}
    messages = tuple(
        message
        for movement in found
        for message in movement_messages(
            movement, sources[movement.source], targets[movement.output]
        )
    )
    add_move(planner, op, messages, _fills(planner, op, targets))


def add_move(
    planner: PlanBuilder,
    op: Operator,
    messages: tuple[MapMessage, ...],
    fills: tuple[Fill, ...] = (),
) -> None:
    """The step, for `op`."""
    messages = tuple(piece for message in messages for piece in _pieces(message))
    line = planner.block_line(MESSAGE_LINES, IDENTITY_LINE)
    planner.add(
        MapMoveStep(
            ops=(op.index,),
            fills=fills,
            messages=messages,
            consumer_line=line + MESSAGE_LINES - CONSUMER_LINES,
            lowest_line=line,
        )
    )


def _pieces(message: MapMessage) -> Iterator[MapMessage]:
    """The message, cut along its outermost level until every piece fits."""
    if message.read.words <= MOST_WORDS:
        yield message
        return
    for half in zip(_halves(message.read), _halves(message.written), strict=True):
        yield from _pieces(replace(message, read=half[0], written=half[1]))


def _halves(walk: Walk) -> tuple[Walk, Walk]:
    """Both halves of a walk, of its outermost level with more than one step."""
    place = max(i for i, (count, _) in enumerate(walk.levels) if count > 1)
    count, stride = walk.levels[place]
    first = count // 2
    inner, outer = walk.levels[:place], walk.levels[place + 1 :]
    return (
        Walk(walk.offset, (*inner, (first, stride), *outer)),
        Walk(walk.offset + first * stride, (*inner, (count - first, stride), *outer)),
    )


@dataclass(frozen=True, slots=True)
class Placed:
    """A tensor on the tiles."""

    layout: Layout
    buffer: str


def source_of(planner: PlanBuilder, tensor: int) -> Placed:
    """A tensor that the current step reads."""
    source = planner.dataflow.source(tensor)
    layout = planner.layouts[source]
    if isinstance(layout, VectorLayout):
        return Placed(layout, planner.keep(layout.buffer))
    assert isinstance(layout, MapLayout)
    return Placed(layout, planner.consume(tensor))


def result_of(planner: PlanBuilder, tensor: int) -> Placed:
    """Vectors in blocks on the tiles, everything else as a map."""
    source = planner.dataflow.source(tensor)
    shape = planner.graph.tensor(tensor).shape
    if prod(shape[:-1]) == 1:
        layout = produce_vector(planner, source, blocks_of(shape[-1]))
        return Placed(layout, layout.buffer)
    made = planner.lay_out_map(source)
    return Placed(made, planner.produce(source, made.words))


def _fills(planner: PlanBuilder, op: Operator, targets: dict[int, Placed]) -> tuple[Fill, ...]:
    """PAD writes the zero point around its input."""
    if op.name != "PAD":
        return ()
    zero = zero_point(planner.graph.tensor(op.inputs[0]))
    return tuple(
        Fill(placed.buffer, _everything(placed.layout), zero) for placed in targets.values()
    )


def _everything(layout: Layout) -> Walk:
    if isinstance(layout, VectorLayout):
        return Walk(layout.offset, ((layout.blocks.size(0), 1),))
    pixels = layout.words // layout.pixel_words
    return Walk(layout.channel_offset, ((layout.channel_words, 1), (pixels, layout.pixel_words)))


def _check(planner: PlanBuilder, op: Operator) -> None:
    graph = planner.graph
    inputs = [t for t in op.inputs if t >= 0 and not graph.tensor(t).is_constant]
    units = {(scale(t), zero_point(t)) for t in map(graph.tensor, (*inputs, *op.outputs))}
    if len(units) > 1:
        raise Refusal(op.index, f"{op.name} between other scales or zero points")


def movement_messages(movement: Movement, source: Placed, target: Placed) -> Iterator[MapMessage]:
    """Target tile by target tile, from each tile with something for it."""
    senders = tuple(boxes(source.layout))
    for reader in boxes(target.layout):
        for sender in senders:
            message = _message(movement, sender, reader)
            if message is not None:
                yield MapMessage(sender.tile, reader.tile, source.buffer, target.buffer, *message)


def _message(movement: Movement, sender: Box, reader: Box) -> tuple[Walk, Walk] | None:
    """What the reader's box takes from the sender's: how it is read, and how written."""
    first = movement.target
    steps, start = movement.stride, movement.start
    across = (sender.columns, sender.rows) if movement.swapped else (sender.rows, sender.columns)
    begin = (start[1], start[0]) if movement.swapped else (start[0], start[1])
    own = (reader.rows, reader.columns)
    parts = []
    for axis in (0, 1):
        wanted = _preimage(own[axis], first[axis], movement.spread[axis])
        held = _preimage(across[axis], begin[axis], steps[axis])
        low, high = max(wanted[0], held[0], 0), min(wanted[1], held[1], movement.size[axis])
        if low >= high:
            return None
        parts.append((low, high))
    words = overlap(
        overlap(_shift(reader.words, -first[2]), _shift(sender.words, -start[2])),
        (0, movement.size[2]),
    )
    rows, columns = parts
    if not length(words):
        return None
    counts = length(words), length(columns), length(rows)
    along, down = begin[1] + steps[1] * columns[0], begin[0] + steps[0] * rows[0]
    pixel, row = sender.pixel_words * steps[1], sender.row_words * steps[0]
    if movement.swapped:
        along, down = down, along
        pixel, row = sender.row_words * steps[1], sender.pixel_words * steps[0]
    read = Walk(
        sender.at(down, along, start[2] + words[0]),
        ((counts[0], 1), (counts[1], pixel), (counts[2], row)),
    )
    high, wide = movement.spread
    written = Walk(
        reader.at(first[0] + high * rows[0], first[1] + wide * columns[0], first[2] + words[0]),
        (
            (counts[0], 1),
            (counts[1], wide * reader.pixel_words),
            (counts[2], high * reader.row_words),
        ),
    )
    return read, written


def _shift(interval: Interval, by: int) -> Interval:
    return interval[0] + by, interval[1] + by


def _preimage(interval: Interval, start: int, step: int) -> Interval:
    """The numbers n with start + step * n inside the interval; with step 0 none or any."""
    if step == 0:
        return _ANY if interval[0] <= start < interval[1] else (0, 0)
    return -((start - interval[0]) // step), -((start - interval[1]) // step)


MAP_MOVE = Family("move", frozenset(names()), plan_move, accepts=is_move)
