"""AVERAGE_POOL_2D over a whole map too large to be turned round beside itself. The map waits in
the host's memory; parts of its channels are turned round and averaged one after the other,
and the averages are joined to one vector.

Reads the Graph level through the planner. Facts: docs/format/pooling.md, "Parts of the channels".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from ..fast_dataclass import dataclass
from ..frontend.graph import Graph, Operator
from .builder import PlanBuilder
from .dataflow import zero_point
from .family import Family
from .host_maps import fetch_map, store_map
from .map_layout import MapLayout
from .map_output import ITEM_WORDS, tile_words
from .patches import PatchClass, patch_classes
from .plan import NARROW_WORDS, Step
from .pooling import (
    COPY_LINES,
    FIFO_WORDS,
    PLANE_PIXELS,
    GlobalPoolStep,
    RelayoutStep,
    average_scaling,
    row_planes,
    turns_round,
    window_of,
)
from .tiling import GRID, length
from .vectors import BLOCK_WORDS, Blocks, VectorLayout

PART_BYTES = 1 << 18
"""Bytes of a map above which its channels are pooled in parts."""
RING_LINES = 4
"""From the readers' FIFO down to the senders'."""
JOIN_FIFO_WORDS = 8
"""Two slots of four words."""
_MAP_RANK = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelCutStep(Step):
    """Some channels of every tile's own pixels to a compact map, times the identity matrix.
    identity: scratch to make the program's identity line from, '' where it is there already."""

    classes: tuple[PatchClass, ...]
    first: int
    channel_words: int
    input: str
    output: str
    identity: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PartPoolStep(Step):
    """A part's average, words `first` .. of `words` of the result on all tiles that hold one of
    its blocks. consumer_line: the FIFO of the ring's readers, the senders' below it."""

    pool: GlobalPoolStep
    first: int
    words: int
    consumer_line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinPartsStep(Step):
    """Parts of a vector, (first word, blocks) of each, in `buffer` on the tiles of their blocks,
    all words where the whole vector would have them -> the vector's own `blocks`, in the same
    way. fifo: buffer of the words on their way."""

    parts: tuple[tuple[int, Blocks], ...]
    blocks: Blocks
    buffer: str
    fifo: str


# -- which --------------------------------------------------------------------------------


def pooled_parts(graph: Graph, op: Operator) -> tuple[int, ...]:
    """Words of a pixel in each part of a pool whose map waits in the host's memory, going by the
    sizes alone; () for any other operator."""
    if op.name != "AVERAGE_POOL_2D":
        return ()
    shape, pooled = graph.tensor(op.inputs[0]).shape, graph.tensor(op.outputs[0]).shape
    if len(shape) != _MAP_RANK or len(pooled) != _MAP_RANK or pooled[1:3] != (1, 1):
        return ()
    options = op.options
    if (options["filter_height"], options["filter_width"]) != shape[1:3]:
        return ()
    _, height, width, channels = shape
    words = -(-channels // 4)
    count = -(-height * width * words * 4 // PART_BYTES)
    if count < 2 or _part_room(height, width, words) <= NARROW_WORDS:
        return ()
    most = -(-words // count)
    parts = tuple(min(most, words - first) for first in range(0, words, most))
    room = _part_room(height, width, most) + words + FIFO_WORDS
    return parts if most <= GRID * BLOCK_WORDS and room <= NARROW_WORDS else ()


def parked_maps(graph: Graph, operators: Iterable[Operator]) -> frozenset[int]:
    """The maps that such pools send to the host's memory."""
    return frozenset(op.inputs[0] for op in operators if pooled_parts(graph, op))


def _part_room(height: int, width: int, part: int) -> int:
    """Words of a tile while a map of `part` words a pixel is turned round beside itself."""
    tall, wide = -(-height // GRID), -(-width // GRID)
    padding = row_planes(width) * PLANE_PIXELS - width
    rows = height * wide * min(part, GRID * BLOCK_WORDS)
    return tall * wide * part + rows + (height * width + padding) * BLOCK_WORDS


def is_parked_pool(planner: PlanBuilder, op: Operator) -> bool:
    """Whether the map can wait in the host's memory, and there is room for what else is alive."""
    parts = pooled_parts(planner.graph, op)
    source = planner.dataflow.source(op.inputs[0])
    layout = planner.layouts.get(source)
    if not parts or not isinstance(layout, MapLayout) or not planner.is_whole:
        return False
    readers = planner.dataflow.readers(source)
    if planner.dataflow.is_output(source) or any(r.index in planner.sliced for r in readers):
        return False
    compact = _compact(layout, parts[0])
    others = _others_alive(planner, source)
    room = _part_room(layout.height, layout.width, parts[0]) + sum(parts) + FIFO_WORDS
    return (
        layout.pixel_words == layout.channel_words
        and turns_round(compact)
        and all(words % ITEM_WORDS == 0 for words in tile_words(layout))
        and others + max(room, layout.words + compact.words + sum(parts)) <= NARROW_WORDS
    )


def _others_alive(planner: PlanBuilder, pooled: int) -> int:
    """Words of the tensors that have been written and are still to be read, without the map."""
    flow = planner.dataflow
    done = {other.index for other in flow.operators[: planner.place + 1]}
    words = 0
    for tensor, layout in planner.layouts.items():
        waiting = any(reader.index not in done for reader in flow.readers(tensor))
        if tensor != pooled and (waiting or flow.is_output(tensor)):
            held = layout.words if isinstance(layout, MapLayout) else 0
            words += layout.blocks.words if isinstance(layout, VectorLayout) else held
    return words


# -- plan ---------------------------------------------------------------------------------


def plan_parked_pool(planner: PlanBuilder, op: Operator) -> None:
    """The map to the host; for each part the map back, a cut, relayout and pool; the join."""
    source = planner.dataflow.source(op.inputs[0])
    tensor = planner.dataflow.source(op.outputs[0])
    layout = planner.map_layout(op, op.inputs[0])
    sizes = pooled_parts(planner.graph, op)
    parts = tuple((sizes[0] * number, Blocks(size)) for number, size in enumerate(sizes))
    store_map(planner, op, source)
    vector = ""
    for first, blocks in parts:
        buffer = fetch_map(planner, op, source) if first else planner.consume(source)
        cut = _cut(planner, op, layout, buffer, (first, blocks.words))
        vector = _pool(planner, op, layout, cut, (first, blocks))
    if len(planner.dataflow.readers(source)) == 1:
        del planner.parked[source]
    joined = Blocks.spread(sum(sizes))
    fifo = planner.scratch(f"{op.index} join", JOIN_FIFO_WORDS)
    planner.add(
        JoinPartsStep(
            ops=(op.index,),
            parts=parts,
            blocks=joined,
            buffer=planner.keep(vector),
            fifo=fifo,
        )
    )
    planner.record(tensor, VectorLayout(joined, vector, pitch=joined.block))


def _cut(
    planner: PlanBuilder, op: Operator, layout: MapLayout, buffer: str, part: tuple[int, int]
) -> str:
    """A compact map of the part's words (first, count) of each pixel."""
    first, words = part
    compact = _compact(layout, words)
    output = planner.scratch(f"{op.index} cut {first}", compact.words, rank=0)
    planner.add(
        ChannelCutStep(
            ops=(op.index,),
            classes=patch_classes([layout], compact),
            first=first,
            channel_words=words,
            input=planner.keep(buffer),
            output=output,
            identity=planner.identity(),
        )
    )
    return output


def _pool(
    planner: PlanBuilder, op: Operator, layout: MapLayout, cut: str, part: tuple[int, Blocks]
) -> str:
    """Relayout and average; returns the buffer of the whole result."""
    first, blocks = part
    planes = row_planes(layout.width) * layout.height
    copy = planner.block_line(planes + COPY_LINES + RING_LINES) + RING_LINES
    turned = _turn_round(planner, op, _compact(layout, blocks.words), cut, (first, copy))
    kernel, stride = window_of(planner, op)
    tensor = planner.dataflow.source(op.outputs[0])
    words = -(-planner.graph.tensor(op.outputs[0]).shape[3] // 4)
    output = planner.consume(tensor) if first else planner.produce(tensor, words)
    pool = GlobalPoolStep(
        height=layout.height,
        width=layout.width,
        blocks=blocks,
        kernel=kernel,
        stride=stride,
        input=planner.keep(turned),
        output=output,
        ones=f"{op.index} ones {first}",
        plane_line=copy + COPY_LINES,
        input_zero=zero_point(planner.graph.tensor(op.inputs[0])),
        output_scaling=average_scaling(planner, op),
    )
    planner.add(
        PartPoolStep(
            ops=(op.index,),
            lowest_line=copy - RING_LINES,
            pool=pool,
            first=first,
            words=words,
            consumer_line=copy,
        )
    )
    return output


def _turn_round(
    planner: PlanBuilder, op: Operator, layout: MapLayout, cut: str, place: tuple[int, int]
) -> str:
    """A part's map -> its blocks; place: the part's first word, the line of the copies."""
    first, copy = place
    padding = row_planes(layout.width) * PLANE_PIXELS - layout.width
    room = (layout.height * layout.width + padding) * BLOCK_WORDS
    widest = max(map(length, layout.columns.own))
    blocks = planner.scratch(f"{op.index} blocks {first}", room, rank=0)
    rows = planner.scratch(
        f"{op.index} rows {first}", layout.height * widest * layout.channel_words, rank=0
    )
    fifos = planner.scratch(f"{op.index} fifos {first}", FIFO_WORDS, rank=1.1)
    planner.scratch(f"{op.index} ones {first}", 1, rank=1.2, steps=2)
    planner.add(
        RelayoutStep(
            ops=(op.index,),
            heights=tuple(map(length, layout.rows.own)),
            widths=tuple(map(length, layout.columns.own)),
            pixel_words=layout.channel_words,
            input=planner.keep(cut),
            rows=rows,
            output=blocks,
            fifos=fifos,
            identity="",
            identity_line=copy,
            copy_line=copy,
            lowest_line=copy,
        )
    )
    return blocks


def _compact(layout: MapLayout, words: int) -> MapLayout:
    return replace(layout, pixel_words=words, channel_words=words)


# -- join ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class JoinMessage:
    """`words` words from word `first` of the vector, from tile path[0] to path[-1]."""

    path: tuple[int, ...]
    first: int
    words: int

    @property
    def between(self) -> frozenset[int]:
        """Tiles that only pass the words on."""
        return frozenset(self.path[1:-1])


def join_messages(part: tuple[int, Blocks], blocks: Blocks) -> Iterator[JoinMessage]:
    """What the part's home tiles owe the tiles of the vector's blocks, reader after reader."""
    start, homes = part
    for reader in range(blocks.tiles):
        own = blocks.block * reader, blocks.block * reader + blocks.size(reader)
        for home in range(homes.tiles):
            here = start + homes.block * home
            first, end = max(own[0], here), min(own[1], here + homes.size(home))
            if first < end and home != reader:
                yield JoinMessage(_path(home, reader), first, end - first)


def join_rounds(messages: Iterator[JoinMessage]) -> tuple[tuple[JoinMessage, ...], ...]:
    """Each message in the first round in which no other uses one of the tiles it passes."""
    rounds: list[list[JoinMessage]] = []
    for message in messages:
        for group in rounds:
            if not any(message.between & other.between for other in group):
                group.append(message)
                break
        else:
            rounds.append([message])
    return tuple(map(tuple, rounds))


def _path(start: int, end: int) -> tuple[int, ...]:
    """Tiles on the way, up or down first."""
    path = [start]
    for here, there, step in (
        (start // GRID, end // GRID, GRID),
        (start % GRID, end % GRID, 1),
    ):
        away = step if there > here else -step
        path += [path[-1] + away * (i + 1) for i in range(abs(there - here))]
    return tuple(path)


PARKED_POOL = Family(
    "parked pool",
    frozenset({"AVERAGE_POOL_2D"}),
    plan_parked_pool,
    accepts=is_parked_pool,
)
