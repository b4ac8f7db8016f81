"""RESIZE_BILINEAR to twice the size, with half-pixel centers.

Output i lies at i / 2 - 1 / 4 between two input pixels; outside the picture its border pixels
go on. Facts: docs/format/elementwise.md, "Doubling".
"""

from __future__ import annotations

from dataclasses import replace

from ..fast_dataclass import dataclass
from ..frontend.graph import Operator
from .builder import PlanBuilder
from .family import Family
from .halo import HaloMove, halo_moves
from .map_layout import MapLayout, map_layout
from .patches import copy_map
from .plan import TILES, Step
from .refusal import Refusal
from .requantization import same_quantization
from .tiling import GRID, AxisNeed, Interval, MapNeed, split


@dataclass(frozen=True, slots=True)
class EdgeCopy:
    """`rows` x `columns` pixels from one word offset to another, in maps of equal strides."""

    rows: int
    columns: int
    source: int
    target: int
    row_words: int
    map_words: int
    tiles: int


@dataclass(frozen=True, slots=True)
class DoubledPart:
    """Tiles with equal work: outputs, the first pixel read (word offset), strides of both maps,
    and the quarter the first output lies at, for columns and rows."""

    height: int
    width: int
    source: int
    source_row: int
    source_map: int
    target: int
    target_row: int
    target_map: int
    phases: tuple[int, int]
    tiles: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ResizeStep(Step):
    """exchange: moves that fill the input's halo; edges: copies that then continue the picture
    beyond its border: left, right, top, bottom."""

    input: MapLayout
    input_buffer: str
    output: MapLayout
    output_buffer: str
    exchange: tuple[HaloMove, ...]
    zero: int
    edges: tuple[EdgeCopy, ...]
    parts: tuple[DoubledPart, ...]
    identity: str


def first_pixel(output: int) -> int:
    """The first of the two pixels that an output lies between."""
    return (output - 1) // 2


def phase(output: int) -> int:
    """Quarters from that pixel's centre to the output's."""
    return 1 if output % 2 else 3


def _need(outputs: tuple[Interval, ...]) -> AxisNeed:
    return tuple(
        (first_pixel(low), first_pixel(high - 1) + 2) if high > low else None
        for low, high in outputs
    )


def resize_needs(planner: PlanBuilder, op: Operator, _tensor: int) -> MapNeed:
    """Pixels of the input map that each tile row and column reads."""
    _, height, width, _ = planner.graph.tensor(op.outputs[0]).shape
    return MapNeed(_need(split(0, height)), _need(split(0, width)))


def is_doubling(planner: PlanBuilder, op: Operator) -> bool:
    """Twice the size in both directions, half-pixel centers."""
    source, result = (planner.graph.tensor(t).shape for t in (op.inputs[0], op.outputs[0]))
    return (
        (2 * source[1], 2 * source[2]) == result[1:3]
        and bool(op.options.get("half_pixel_centers"))
        and not op.options.get("align_corners")
    )


def plan_resize(planner: PlanBuilder, op: Operator) -> None:
    """Add the step of one doubling. It writes beyond the picture's border, so it works on a
    copy where others need the border as it is."""
    graph = planner.graph
    layout = planner.map_layout(op, op.inputs[0])
    if min(layout.height, layout.width) < GRID:
        sizes = f"{layout.height} x {layout.width}"
        raise Refusal(op.index, "doubling of a map this small", actual=sizes, allowed="4 x 4")
    source = planner.dataflow.source(op.inputs[0])
    output = planner.lay_out_map(op.outputs[0])
    zero = same_quantization(graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0]), op.index)
    if planner.needs_beyond(source, op) or layout.pixel_words != layout.channel_words:
        needs = [resize_needs(planner, op, source)]
        layout = map_layout(layout.height, layout.width, layout.channel_words, needs)
        buffer = copy_map(planner, op, source, layout)
        exchanged = False
    else:
        buffer, exchanged = "", not planner.claim_exchange(source)
    planner.add(
        ResizeStep(
            ops=(op.index,),
            input=layout,
            input_buffer=planner.keep(buffer) if buffer else planner.consume(source),
            output=output,
            output_buffer=planner.produce(op.outputs[0], output.words),
            exchange=() if exchanged else halo_moves(layout),
            zero=zero,
            edges=_edges(layout),
            parts=_parts(layout, output),
            identity=planner.identity(),
        )
    )


def _edges(layout: MapLayout) -> tuple[EdgeCopy, ...]:
    """Columns over all rows the tile holds, then rows over all its columns."""
    masks: dict[EdgeCopy, int] = {}
    for side in range(GRID):
        for tile in range(TILES):
            copy = _edge(layout, tile, side)
            if copy is not None:
                masks[copy] = masks.get(copy, 0) | 1 << tile
    return tuple(replace(copy, tiles=mask) for copy, mask in masks.items())


def _edge(layout: MapLayout, tile: int, side: int) -> EdgeCopy | None:
    """One tile's copy on one side (left, right, top, bottom), None inside the picture."""
    vertical, behind = side >= 2, side % 2
    axis = layout.rows if vertical else layout.columns
    place = tile // GRID if vertical else tile % GRID
    low, high = axis.own[place]
    inner = axis.high - 1 if behind else axis.low
    outer = inner + 1 if behind else inner - 1
    first, end = axis.held[place]
    if not (low < high and low <= inner < high and first <= outer < end):
        return None
    top, left = layout.rows.held[tile // GRID][0], layout.columns.held[tile % GRID][0]

    def offset(position: int) -> int:
        pixel = (position, left) if vertical else (top, position)
        return layout.offset(tile, *pixel)

    rows, columns = layout.held_rows(tile), layout.held_columns(tile)
    return EdgeCopy(
        rows=1 if vertical else rows,
        columns=columns if vertical else 1,
        source=offset(inner),
        target=offset(outer),
        row_words=layout.row_words(tile),
        map_words=layout.row_words(tile) * rows,
        tiles=0,
    )


def _parts(source: MapLayout, target: MapLayout) -> tuple[DoubledPart, ...]:
    masks: dict[DoubledPart, int] = {}
    for tile in range(TILES):
        height, width = target.own_size(tile)
        if not height or not width:
            continue
        row, column = target.own_corner(tile)
        key = DoubledPart(
            height=height,
            width=width,
            source=source.offset(tile, first_pixel(row), first_pixel(column)),
            source_row=source.row_words(tile),
            source_map=source.row_words(tile) * source.held_rows(tile),
            target=target.offset(tile, row, column),
            target_row=target.row_words(tile),
            target_map=target.row_words(tile) * target.held_rows(tile),
            phases=(phase(column), phase(row)),
            tiles=0,
        )
        masks[key] = masks.get(key, 0) | 1 << tile
    return tuple(replace(key, tiles=mask) for key, mask in masks.items())


RESIZE = Family(
    "resize",
    frozenset({"RESIZE_BILINEAR"}),
    plan_resize,
    accepts=is_doubling,
    needs=resize_needs,
)
