"""AVERAGE_POOL_2D and MEAN over rows and columns: over the whole map, or in windows that stay
inside a tile.

A global pool first turns the map round (RelayoutStep): from all channels of some pixels in
every tile to 64 channels of all pixels in every tile. Facts: docs/format/pooling.md and
docs/format/relayout.md.
"""

from __future__ import annotations

from ..fast_dataclass import dataclass
from ..float32 import single
from ..frontend.graph import Operator
from ..frontend.reductions import reduced_sides
from .builder import PlanBuilder
from .dataflow import scale, zero_point
from .family import Family
from .map_layout import MapLayout
from .plan import TILES, WIDE_LINES, Step
from .refusal import Refusal
from .requantization import Requantization, activation_range, requantization
from .tiling import GRID, length
from .vectors import BLOCK_WORDS, Blocks, VectorLayout
from .wide_memory import IDENTITY_LINE

FIFO_WORDS = 8
"""Four mesh FIFOs of two words: north, south, west, east."""
IDENTITY_WORDS = 4
"""Scratch of the byte identity."""
COPY_LINES = 2
"""Two-line FIFO of words that stay on their tile."""
PLANE_PIXELS = 4
"""Pixels of a row that share a wide line: one byte of each lane a pixel."""
_POOLS = frozenset({"AVERAGE_POOL_2D", "MEAN"})
_MAP_RANK = 4
_MOST_OWN_PIXELS = 127
_MOST_COLUMN_PIXELS = 511
"""A tile relays at most 256 words of each own pixel along a column and 64 of each pixel of a
tile column along a row; the counters hold 32767."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayoutStep(Step):
    """Map spread over the tiles -> block b of 64 channels of every pixel on tile b.

    heights, widths: own rows and columns of the tile rows and columns; pixel_words: words of
    a pixel. Buffers: `input`; `rows`: the result of the vertical phase; `output`; `fifos`;
    `identity`: four words for the byte identity, which goes to `identity_line`, '' where spatial
    passes have made one. `copy_line`:
    the two-line FIFO of copies inside a tile.
    """

    heights: tuple[int, ...]
    widths: tuple[int, ...]
    pixel_words: int
    input: str
    rows: str
    output: str
    fifos: str
    identity: str
    identity_line: int
    copy_line: int

    @property
    def blocks(self) -> Blocks:
        return Blocks(self.pixel_words)


@dataclass(frozen=True, slots=True, kw_only=True)
class GlobalPoolStep(Step):
    """Average over all pixels of a tile's channel block, one word of 4 channels an output.

    kernel, stride: columns, rows. ones: buffer with the constant operand; plane_line: first
    of the lines that hold the pixels, four of a row in each; fenced: an operator of its own
    order in front (MEAN).
    """

    height: int
    width: int
    blocks: Blocks
    kernel: tuple[int, int]
    stride: tuple[int, int]
    input: str
    output: str
    ones: str
    plane_line: int
    input_zero: int
    output_scaling: Requantization
    fenced: bool = False


@dataclass(frozen=True, slots=True)
class PoolPlace:
    """Tiles whose own pixels lie alike in a map: word offset of the first one from the
    buffer's start, words from a row to the next."""

    tiles: int
    offset: int
    row_words: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalPoolStep(Step):
    """Average in windows that stay inside a tile; `pixel_words` up to 16 or a multiple of it.

    height, width: own pixels of every tile; sources, places: where the pixels lie in the input
    and in the output.
    """

    height: int
    width: int
    pixel_words: int
    sources: tuple[PoolPlace, ...]
    places: tuple[PoolPlace, ...]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    input: str
    output: str
    ones: str
    plane_line: int
    input_zero: int
    output_scaling: Requantization

    @property
    def block_words(self) -> int:
        """Words of a pixel that one step of the tensor op writes."""
        return min(self.pixel_words, BLOCK_WORDS)

    @property
    def blocks(self) -> int:
        return self.pixel_words // self.block_words

    @property
    def outputs(self) -> tuple[int, int]:
        """Output columns and rows of a tile."""
        (kx, ky), (sx, sy) = self.kernel, self.stride
        return (self.width - kx) // sx + 1, (self.height - ky) // sy + 1


def row_planes(width: int) -> int:
    """Wide lines of a row of pixels."""
    return -(-width // PLANE_PIXELS)


def window_of(planner: PlanBuilder, op: Operator) -> tuple[tuple[int, int], tuple[int, int]]:
    """((kernel columns, rows), (stride columns, rows)); MEAN is one window over the map."""
    if op.name == "MEAN":
        _, height, width, _ = planner.graph.tensor(op.inputs[0]).shape
        return (width, height), (1, 1)
    options = op.options
    kernel = (int(options["filter_width"]), int(options["filter_height"]))
    return kernel, (int(options["stride_w"]), int(options["stride_h"]))


def average_scaling(planner: PlanBuilder, op: Operator) -> Requantization:
    """Sum of n inputs -> output: f32(f32(s_in * f32(1 / n)) * f32(1 / s_out))."""
    (columns, rows), _ = window_of(planner, op)
    source = planner.graph.tensor(op.inputs[0])
    share = single(scale(source) * single(1 / (columns * rows)))
    limits = activation_range(op.options.get("fused_activation_function", 0))
    if limits is None:
        raise Refusal(op.index, f"{op.name} with this fused activation is unknown")
    return requantization(share, planner.graph.tensor(op.outputs[0]), limits)


# -- global -------------------------------------------------------------------------------


def is_global(planner: PlanBuilder, op: Operator) -> bool:
    """Whether one window covers the whole map, and the map can be turned round."""
    shape = planner.graph.tensor(op.inputs[0]).shape
    layout = planner.layouts.get(planner.dataflow.source(op.inputs[0]))
    if len(shape) != _MAP_RANK or not isinstance(layout, MapLayout) or not turns_round(layout):
        return False
    if op.name == "MEAN":
        return reduced_sides(planner.graph, op) == (True, True)
    kernel, _ = window_of(planner, op)
    return kernel == (shape[2], shape[1]) and planner.graph.tensor(op.outputs[0]).shape[1:3] == (
        1,
        1,
    )


def plan_global_pool(planner: PlanBuilder, op: Operator) -> None:
    """Relayout, then the pool; the result is one block of 64 channels a tile."""
    layout = planner.map_layout(op, op.inputs[0])
    lines = _global_lines(planner, op, layout)
    blocks = Blocks(layout.channel_words)
    _add_relayout(planner, op, layout, lines)
    source = planner.dataflow.source(op.outputs[0])
    kernel, stride = window_of(planner, op)
    step = GlobalPoolStep(
        ops=(op.index,),
        height=layout.height,
        width=layout.width,
        blocks=blocks,
        kernel=kernel,
        stride=stride,
        input=planner.keep(f"{op.index} blocks"),
        output=planner.produce(source, BLOCK_WORDS),
        ones=f"{op.index} ones",
        plane_line=lines.plane,
        input_zero=zero_point(planner.graph.tensor(op.inputs[0])),
        output_scaling=average_scaling(planner, op),
        fenced=op.name == "MEAN",
        lowest_line=lines.plane,
    )
    planner.record(source, VectorLayout(blocks, step.output))
    planner.add(step)


@dataclass(frozen=True, slots=True)
class _Lines:
    plane: int
    copy: int
    identity: int


def turns_round(layout: MapLayout) -> bool:
    """Whether the relayout can bring the map to channel blocks: no halo, and no more words
    through a tile than the mesh counters hold."""
    tallest, widest = (max(map(length, axis.own)) for axis in (layout.rows, layout.columns))
    return (
        not layout.has_halo
        and layout.pixel_words == layout.channel_words <= BLOCK_WORDS * TILES
        and tallest * widest <= _MOST_OWN_PIXELS
        and layout.height * widest <= _MOST_COLUMN_PIXELS
    )


def _global_lines(planner: PlanBuilder, op: Operator, layout: MapLayout) -> _Lines:
    """Wide lines of the pool: pixel planes on top, the copy FIFO below, the byte identity
    below that; if a SOFTMAX will use the identity, it stays at the very top instead. (LOGISTIC
    moves it when its turn comes, `logistic.py`.)"""
    kept = _before_softmax(planner, op)
    top = IDENTITY_LINE if kept else WIDE_LINES
    planes = row_planes(layout.width) * layout.height
    plane = planner.block_line(planes + COPY_LINES, top) + COPY_LINES
    copy = plane - COPY_LINES
    return _Lines(plane, copy, IDENTITY_LINE if kept else copy - 1)


def _before_softmax(planner: PlanBuilder, op: Operator) -> bool:
    """Whether the layer that reads the pool's result feeds a SOFTMAX."""
    flow = planner.dataflow
    return any(
        reader.name == "SOFTMAX"
        for follower in flow.readers(flow.source(op.outputs[0]))
        for reader in flow.readers(flow.source(follower.outputs[0]))
    )


def _add_relayout(planner: PlanBuilder, op: Operator, layout: MapLayout, lines: _Lines) -> None:
    pixels = layout.height * layout.width
    padding = row_planes(layout.width) * PLANE_PIXELS - layout.width
    widest = max(map(length, layout.columns.own))
    buffer = planner.consume(op.inputs[0])
    blocks = planner.scratch(f"{op.index} blocks", (pixels + padding) * BLOCK_WORDS, rank=0)
    collected = min(GRID * BLOCK_WORDS, layout.channel_words)
    rows = planner.scratch(f"{op.index} rows", layout.height * widest * collected)
    fifos = planner.scratch(f"{op.index} fifos", FIFO_WORDS, rank=1.1)
    planner.scratch(f"{op.index} ones", 1, rank=1.2, steps=2)
    if planner.shared_identity.line is None:
        identity = planner.scratch(f"{op.index} identity", IDENTITY_WORDS, rank=1.3, steps=2)
    else:
        identity = planner.identity()
    planner.add(
        RelayoutStep(
            ops=(op.index,),
            heights=tuple(map(length, layout.rows.own)),
            widths=tuple(map(length, layout.columns.own)),
            pixel_words=layout.channel_words,
            input=buffer,
            rows=rows,
            output=blocks,
            fifos=fifos,
            identity=identity,
            identity_line=lines.identity,
            copy_line=lines.copy,
            lowest_line=min(lines.copy, lines.identity) if identity else lines.copy,
        )
    )


# -- local --------------------------------------------------------------------------------


def is_local(planner: PlanBuilder, op: Operator) -> bool:
    """Whether the windows tile every tile's part of the map exactly, and all blocks of channels
    are alike."""
    shape = planner.graph.tensor(op.inputs[0]).shape
    if op.name != "AVERAGE_POOL_2D" or len(shape) != _MAP_RANK or not planner.is_whole:
        return False
    words = -(-shape[3] // 4)
    if words > BLOCK_WORDS and words % BLOCK_WORDS:
        return False
    (columns, rows), stride = window_of(planner, op)
    return stride == (columns, rows) and not (
        shape[1] % (GRID * rows) or shape[2] % (GRID * columns)
    )


def plan_local_pool(planner: PlanBuilder, op: Operator) -> None:
    """One average a window, in place on every tile, with no fence behind the producer."""
    layout = planner.map_layout(op, op.inputs[0])
    words = layout.channel_words
    if words > BLOCK_WORDS and words % BLOCK_WORDS:
        raise Refusal(
            op.index,
            f"{op.name} with windows of this many channels is not derived",
            actual=words * 4,
            allowed="up to 64 or a multiple of 64",
        )
    kernel, stride = window_of(planner, op)
    source = planner.dataflow.source(op.outputs[0])
    pooled = planner.lay_out_map(source)
    if layout.pixel_words != words or pooled.pixel_words != words:
        raise Refusal(op.index, f"{op.name} needs maps of its own")
    rows, columns = layout.own_size(0)
    windows = rows // kernel[1] * (columns // kernel[0])
    ones = planner.scratch(f"{op.index} ones", windows, earlier=1)
    line = planner.block_line(local_pool_lines(planner, op))
    planner.add(
        LocalPoolStep(
            ops=(op.index,),
            height=rows,
            width=columns,
            pixel_words=words,
            sources=_pool_places(layout),
            places=_pool_places(pooled),
            kernel=kernel,
            stride=stride,
            input=planner.consume(op.inputs[0]),
            output=planner.produce(source, pooled.words),
            ones=ones,
            plane_line=line,
            input_zero=zero_point(planner.graph.tensor(op.inputs[0])),
            output_scaling=average_scaling(planner, op),
            lowest_line=line,
        )
    )


def _pool_places(layout: MapLayout) -> tuple[PoolPlace, ...]:
    """The tiles by the place of their own pixels, lowest tile first."""
    tiles: dict[tuple[int, int], int] = {}
    for tile in range(TILES):
        key = layout.offset(tile, *layout.own_corner(tile)), layout.row_words(tile)
        tiles[key] = tiles.get(key, 0) | 1 << tile
    return tuple(PoolPlace(mask, *key) for key, mask in tiles.items())


def local_pool_lines(planner: PlanBuilder, op: Operator) -> int:
    """Wide lines of the pixel planes of a tile's part of the input; 0 for a global pool."""
    if not is_local(planner, op):
        return 0
    _, height, width, channels = planner.graph.tensor(op.inputs[0]).shape
    blocks = -(-channels // (4 * BLOCK_WORDS))
    return row_planes(-(-width // GRID)) * -(-height // GRID) * blocks


GLOBAL_POOL = Family("global pool", _POOLS, plan_global_pool, accepts=is_global)
LOCAL_POOL = Family(
    "local pool",
    frozenset({"AVERAGE_POOL_2D"}),
    plan_local_pool,
    accepts=is_local,
    unfenced_lines=local_pool_lines,
)
