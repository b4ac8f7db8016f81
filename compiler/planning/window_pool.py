"""AVERAGE_POOL_2D and MAX_POOL_2D with any window, and reductions of rows or of columns: every
tile computes its own outputs from a map with a halo.

Reads the Graph level through the planner, adds `WindowPoolStep`s. Facts: docs/format/pooling.md,
"Windows over several tiles".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ..fast_dataclass import dataclass
from ..frontend.graph import Operator
from ..frontend.reductions import REDUCTIONS, reduced_picture
from .builder import PlanBuilder
from .convolution import ConvolutionWindow, convolution_window
from .dataflow import zero_point
from .family import Family
from .halo import HaloMove, halo_moves
from .map_layout import MapLayout, map_axis, map_layout
from .plan import TILES, Step
from .pool_windows import (
    MOST_LINES,
    covers_map,
    output_extent,
    output_size,
    plane_block,
    pool_scaling,
    pool_window,
    pools_by_parts,
    takes_maximum,
)
from .pooling import PLANE_PIXELS, is_local, row_planes
from .requantization import Requantization
from .tiling import GRID, Interval, MapNeed, Window, length, split
from .vectors import BLOCK_WORDS, Blocks, VectorLayout

_CONSTANT = 1.2
"""Allocation rank, behind the scratch of the map's producer."""


@dataclass(frozen=True, slots=True)
class PoolSource:
    """Tiles whose windows cover equal rectangles at the same place of the map: `height` x
    `width` pixels, word offset of the first, words from a row to the next."""

    height: int
    width: int
    offset: int
    row_words: int
    tiles: int


@dataclass(frozen=True, slots=True)
class PoolPart:
    """`rows` x `columns` windows of equal reach. kernel: their rows and columns; `first`: row and
    column of the first window's first pixel in the rectangle of `width` columns and `height`
    rows; offset, row_words: where the results go."""

    rows: int
    columns: int
    kernel: tuple[int, int]
    first: tuple[int, int]
    height: int
    width: int
    offset: int
    row_words: int
    scaling: Requantization
    tiles: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowPoolStep(Step):
    """One pool. exchange: fills the halo, with byte `fill` outside the picture; channel_words:
    words of a pixel, `input_pitch` and `output_pitch` words from a pixel to the next; ones: the
    constant operand of averages, '' for a maximum."""

    window: ConvolutionWindow
    input: MapLayout
    input_buffer: str
    output_buffer: str
    exchange: tuple[HaloMove, ...]
    fill: int
    channel_words: int
    input_pitch: int
    output_pitch: int
    sources: tuple[PoolSource, ...]
    parts: tuple[PoolPart, ...]
    ones: str
    plane_line: int
    input_zero: int

    @property
    def tiles(self) -> int:
        """Tiles with outputs."""
        mask = 0
        for part in self.parts:
            mask |= part.tiles
        return mask

    @property
    def block_words(self) -> int:
        """Words of a pixel that one step of the tensor op writes."""
        return min(self.channel_words, BLOCK_WORDS)

    @property
    def blocks(self) -> int:
        return -(-self.channel_words // BLOCK_WORDS)

    @property
    def last_words(self) -> int:
        """Words of the last block."""
        return self.channel_words - BLOCK_WORDS * (self.blocks - 1)


def is_window_pool(planner: PlanBuilder, op: Operator) -> bool:
    """A pool over a map that is not computed in another way."""
    if op.name in REDUCTIONS:
        return reduced_picture(planner.graph, op) is not None and not covers_map(planner, op)
    return not covers_map(planner, op) and not is_local(planner, op)


def pool_needs(planner: PlanBuilder, op: Operator, _tensor: int) -> MapNeed | None:
    """Pixels of the input map that each tile row and column reads."""
    if not is_window_pool(planner, op):
        return None
    window = pool_window(planner, op)
    own_rows, own_columns = output_extent(planner, op)
    rows, columns = window.rows.need(split(*own_rows)), window.columns.need(split(*own_columns))
    behind = max(-length(need) % PLANE_PIXELS for need in columns if need)
    return MapNeed(rows, columns, behind)


def plan_window_pool(planner: PlanBuilder, op: Operator) -> None:
    """Halo, planes, one tensor op for each group of equal windows."""
    layout = planner.map_layout(op, op.inputs[0])
    output = _output_layout(planner, op, layout)
    window = pool_window(planner, op)
    sources = _sources(window, layout, output)
    parts = _parts(planner, op, output)
    line = plane_block(planner, op, plane_lines(layout))
    exchange = _exchange(planner, op, layout)
    ones = ""
    if not takes_maximum(op):
        ones = planner.scratch(
            f"{op.index} ones", max(p.rows * p.columns for p in parts), earlier=1, rank=_CONSTANT
        )
    source = planner.graph.tensor(op.inputs[0])
    tensor = planner.dataflow.source(op.outputs[0])
    buffer = planner.produce(tensor, output.words)
    if output_size(planner, op) == (1, 1):
        blocks = Blocks(output.channel_words, output.channel_words)
        planner.record(tensor, VectorLayout(blocks, buffer, output.channel_offset))
    planner.add(
        WindowPoolStep(
            ops=(op.index,),
            lowest_line=line,
            window=window,
            input=layout,
            input_buffer=planner.consume(op.inputs[0]),
            output_buffer=buffer,
            exchange=exchange,
            fill=_fill(planner, op),
            channel_words=layout.channel_words,
            input_pitch=layout.pixel_words,
            output_pitch=output.pixel_words,
            sources=sources,
            parts=parts,
            ones=ones,
            plane_line=line,
            input_zero=zero_point(source),
        )
    )


def _output_layout(planner: PlanBuilder, op: Operator, source: MapLayout) -> MapLayout:
    if output_size(planner, op) == (1, 1):
        return map_layout(1, 1, source.channel_words, ())
    return planner.lay_out_map(planner.dataflow.source(op.outputs[0]))


def plane_lines(layout: MapLayout) -> int:
    """Wide lines of the pixel planes of a tile's map."""
    return row_planes(_widest(layout)) * _tallest(layout) * -(-layout.channel_words // BLOCK_WORDS)


def unfenced_pool_lines(planner: PlanBuilder, op: Operator) -> int:
    """The planes lie above the blocks of the map's producer."""
    if not is_window_pool(planner, op):
        return 0
    source = planner.dataflow.source(op.inputs[0])
    rows, columns = planner.extent(source)
    words = -(-planner.map_shape(source)[2] // 4)
    need = pool_needs(planner, op, op.inputs[0])
    assert need is not None
    axes = map_axis(*rows, [need.rows]), map_axis(*columns, [need.columns])
    return min(plane_lines(MapLayout(*axes, words, words)), MOST_LINES)


def _widest(layout: MapLayout) -> int:
    return max(map(length, layout.columns.held))


def _tallest(layout: MapLayout) -> int:
    return max(map(length, layout.rows.held))


def _exchange(planner: PlanBuilder, op: Operator, layout: MapLayout) -> tuple[HaloMove, ...]:
    if planner.claim_exchange(planner.dataflow.source(op.inputs[0])):
        return halo_moves(layout)
    return ()


def _fill(planner: PlanBuilder, op: Operator) -> int:
    """The byte outside the picture: the zero point, which adds nothing to a sum, or the lowest
    one."""
    zero = zero_point(planner.graph.tensor(op.inputs[0]))
    return 0 if _pads_low(planner, op) and _is_padded_low(planner, op) else zero


def _is_clipped(planner: PlanBuilder, op: Operator) -> bool:
    """Whether windows end where the picture does: those of a maximum over a map whose padding
    is not the lowest value."""
    return (
        _pads_low(planner, op) and _reads_outside(planner, op) and not _is_padded_low(planner, op)
    )


def _pads_low(planner: PlanBuilder, op: Operator) -> bool:
    """Whether what an operator reads outside the picture is lower than any value: a maximum,
    but for one of a PAD, whose border is the zero point."""
    return takes_maximum(op) and op.inputs[0] not in planner.dataflow.pads


def _is_padded_low(planner: PlanBuilder, op: Operator) -> bool:
    """Whether the padding of an operator's map is the lowest byte: where that is the zero point,
    or where maxima alone read the padding, and one of them is the first to fill it."""
    if zero_point(planner.graph.tensor(op.inputs[0])) == 0:
        return True
    source = planner.dataflow.source(op.inputs[0])
    if source in planner.zero_padded:
        return False
    readers = planner.dataflow.readers(source)
    return _pads_low(planner, readers[0]) and all(
        _pads_low(planner, reader) for reader in readers if _reads_outside(planner, reader)
    )


def _reads_outside(planner: PlanBuilder, op: Operator) -> bool:
    """Whether a window of the operator reaches beyond the picture (operators without windows:
    no)."""
    if "padding" not in op.options:
        return False
    find = pool_window if "filter_width" in op.options else convolution_window
    window = find(planner, op)
    for axis, one in enumerate((window.rows, window.columns)):
        size = planner.map_shape(planner.dataflow.source(op.inputs[0]))[axis]
        outputs = planner.graph.tensor(op.outputs[0]).shape[1 + axis]
        first, end = one.reads((0, outputs))
        if first < 0 or end > size:
            return True
    return False


def _sources(
    window: ConvolutionWindow, layout: MapLayout, output: MapLayout
) -> tuple[PoolSource, ...]:
    masks: dict[PoolSource, int] = {}
    for tile in range(TILES):
        rectangle = _rectangle(window, output, tile)
        if rectangle is not None:
            (top, bottom), (left, right) = rectangle
            key = PoolSource(
                bottom - top,
                right - left,
                layout.offset(tile, top, left),
                layout.row_words(tile),
                tiles=0,
            )
            masks[key] = masks.get(key, 0) | 1 << tile
    return tuple(replace(key, tiles=mask) for key, mask in masks.items())


def _rectangle(
    window: ConvolutionWindow, output: MapLayout, tile: int
) -> tuple[Interval, Interval] | None:
    """Rows and columns that a tile's windows cover; None without outputs."""
    rows, columns = output.rows.own[tile // GRID], output.columns.own[tile % GRID]
    if not length(rows) or not length(columns):
        return None
    return window.rows.reads(rows), window.columns.reads(columns)


def _parts(
    planner: PlanBuilder,
    op: Operator,
    output: MapLayout,
) -> tuple[PoolPart, ...]:
    """Windows of equal geometry; averages also by the pixels of the picture in them."""
    window, clipped = pool_window(planner, op), _is_clipped(planner, op)
    find = _clipped_spans if clipped else _equal_spans if not takes_maximum(op) else _whole_span
    size = planner.map_shape(planner.dataflow.source(op.inputs[0]))
    masks: dict[PoolPart, int] = {}
    for tile in range(TILES):
        rectangle = _rectangle(window, output, tile)
        if rectangle is None:
            continue
        (top, bottom), (left, right_end) = rectangle
        rows, columns = output.rows.own[tile // GRID], output.columns.own[tile % GRID]
        for down in find(window.rows, rows, size[0]):
            for right in find(window.columns, columns, size[1]):
                key = PoolPart(
                    rows=length(down.outputs),
                    columns=length(right.outputs),
                    kernel=(down.kernel, right.kernel),
                    first=(down.first - top, right.first - left),
                    height=bottom - top,
                    width=right_end - left,
                    offset=output.offset(tile, down.outputs[0], right.outputs[0]),
                    row_words=output.row_words(tile),
                    scaling=pool_scaling(planner, op, down.inside * right.inside),
                    tiles=0,
                )
                masks[key] = masks.get(key, 0) | 1 << tile
    return tuple(replace(key, tiles=mask) for key, mask in masks.items())


@dataclass(frozen=True, slots=True)
class _Span:
    """Outputs along one axis; first pixel and pixels of the first one's window, and how many of
    them are in the picture."""

    outputs: Interval
    first: int
    kernel: int
    inside: int


def _whole_span(window: Window, outputs: Interval, size: int) -> Iterator[_Span]:
    inside = _inside(window, outputs[0], size)
    yield _Span(outputs, window.first_tap(outputs[0]), window.kernel, inside)


def _equal_spans(window: Window, outputs: Interval, size: int) -> Iterator[_Span]:
    """Runs of outputs with equally many pixels of the picture in their windows."""
    start = outputs[0]
    for following in range(outputs[0] + 1, outputs[1] + 1):
        inside = _inside(window, start, size)
        if following == outputs[1] or _inside(window, following, size) != inside:
            yield _Span((start, following), window.first_tap(start), window.kernel, inside)
            start = following


def _clipped_spans(window: Window, outputs: Interval, size: int) -> Iterator[_Span]:
    """Whole windows together; each of the others alone, without what is outside the picture."""
    for span in _equal_spans(window, outputs, size):
        if span.inside == window.kernel:
            yield span
            continue
        for output in range(*span.outputs):
            first = max(window.first_tap(output), 0)
            yield _Span((output, output + 1), first, span.inside, span.inside)


def _inside(window: Window, output: int, size: int) -> int:
    first, end = window.reads((output, output + 1))
    return min(end, size) - max(first, 0)


WINDOW_POOL = Family(
    "window pool",
    frozenset({"AVERAGE_POOL_2D", "MAX_POOL_2D"}) | REDUCTIONS,
    plan_window_pool,
    accepts=is_window_pool,
    needs=pool_needs,
    unfenced_lines=unfenced_pool_lines,
    by_parts=pools_by_parts,
)
