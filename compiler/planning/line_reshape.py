"""RESHAPE of a map, or of a vector in blocks, into a line of pixels, over the mesh bus: the rows to
the first tile column, then along it, and, for a line of columns, along the first tile row.

Everything is counted in words in the order of the tensor; what a tile holds of it is one
interval. Reads the Graph level through the planner, adds `LineReshapeStep`s. Facts:
docs/format/movement.md, "Lines of pixels".
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from ..fast_dataclass import dataclass
from ..frontend.graph import Operator
from ..frontend.movement import picture
from .builder import PlanBuilder
from .family import Family
from .map_collection import FIFO_WORDS
from .map_moves import Layout, source_of
from .plan import Step
from .reshape import is_reshape
from .tiling import GRID, Interval, length, overlap
from .vectors import VectorLayout

MOST_COLLECTED = 30000
"""Words that the first tile may collect; longer ones travel over the ring."""


@dataclass(frozen=True, slots=True)
class Handed:
    """Words that the first tile of row `start` hands to that of row `end`."""

    start: int
    end: int
    words: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class LineReshapeStep(Step):
    """The map or vector `input` to a line in `output`, by way of the buffer `collected` on the
    first tile column: held[r] is what the tile of row r collects there. parts: what each tile of
    the line ends with; along_rows: the line is a column of pixels, on the first tile column (else
    a row, on the first tile row); target_words: words of a pixel of the line; renames: the
    operator is a SQUEEZE."""

    input: Layout
    input_buffer: str
    collected: str
    output: str
    fifo: str
    identity: str
    held: tuple[Interval, ...]
    handed: tuple[Handed, ...]
    parts: tuple[Interval, ...]
    along_rows: bool
    target_words: int
    renames: bool

    def own(self, row: int) -> Interval:
        """Words of the tensor on tile row `row`."""
        return _own(self.input, row)


def reshapes_to_line(planner: PlanBuilder, op: Operator) -> bool:
    """Whether a map becomes a line that its words fit into on the way."""
    source = planner.dataflow.source(op.inputs[0])
    layout = planner.layouts.get(source)
    size = picture(planner.graph.tensor(op.outputs[0]).shape)
    if size is None or not is_reshape(planner, op):
        return False
    assert isinstance(layout, Layout)
    if isinstance(layout, VectorLayout) and layout.from_host:
        return False
    target = planner.dataflow.source(op.outputs[0])
    short = min(size[:2]) == 1 and prod(pixels_of(layout)) <= MOST_COLLECTED
    return short and not planner.needs_beyond(target, op)


def plan_line_reshape(planner: PlanBuilder, op: Operator) -> None:
    """One step."""
    source, tensor = source_of(planner, op.inputs[0]), planner.dataflow.source(op.outputs[0])
    layout, target = source.layout, planner.lay_out_map(tensor)
    along_rows = target.height > 1
    axis = target.rows if along_rows else target.columns
    pixel = target.channel_words
    parts = tuple((first * pixel, last * pixel) for first, last in axis.own)
    needed = tuple(_box(layout, part) for part in parts)
    held = tuple(_held(layout, row, needed[row], along_rows=along_rows) for row in range(GRID))
    collected = planner.scratch(f"{op.index} collected", max(map(length, held)), rank=0)
    planner.add(
        LineReshapeStep(
            ops=(op.index,),
            input=layout,
            input_buffer=source.buffer,
            collected=collected,
            output=planner.produce(tensor, target.words),
            fifo=planner.scratch(f"{op.index} fifo", FIFO_WORDS, rank=0),
            identity=planner.identity(),
            held=held,
            handed=tuple(_handed(layout, needed)) if along_rows else (),
            parts=parts,
            along_rows=along_rows,
            target_words=pixel,
            renames=op.name == "SQUEEZE",
        )
    )


def pixels_of(layout: Layout) -> tuple[int, int, int]:
    """Rows, columns, words of a pixel; a vector is one pixel."""
    if isinstance(layout, VectorLayout):
        return 1, 1, layout.blocks.words
    return layout.height, layout.width, layout.channel_words


def _own(layout: Layout, row: int) -> Interval:
    if isinstance(layout, VectorLayout):
        part = GRID * layout.blocks.block
        return overlap((row * part, row * part + part), (0, layout.blocks.words))
    whole = layout.width * layout.channel_words
    first, last = layout.rows.own[row]
    return first * whole, last * whole


def _box(layout: Layout, part: Interval) -> Interval:
    """The rows, or else the pixels of one row, that have these words; words of one pixel as they
    are."""
    _, width, pixel = pixels_of(layout)
    for unit in (width * pixel, pixel):
        first, last = part[0] // unit, -(-part[1] // unit)
        if last - first > 1:
            return first * unit, last * unit
    return part


def _held(layout: Layout, row: int, needed: Interval, *, along_rows: bool) -> Interval:
    """What the first tile of a row collects: its own rows and what it needs of others; the very
    first everything, if the line is cut from there."""
    own = _own(layout, row)
    if not along_rows:
        return (0, prod(pixels_of(layout))) if row == 0 else own
    if not (length(own) and length(needed)):
        return own if length(own) else needed
    return min(own[0], needed[0]), max(own[1], needed[1])


def _handed(layout: Layout, needed: tuple[Interval, ...]) -> Iterator[Handed]:
    """What tiles need of the rows of others: from the nearest ones first."""
    for hops in range(1, GRID):
        for end in range(GRID):
            for start in (end + hops, end - hops):
                if 0 <= start < GRID:
                    words = overlap(_own(layout, start), needed[end])
                    if length(words):
                        yield Handed(start, end, words)


LINE_RESHAPE = Family(
    "line reshape",
    frozenset({"RESHAPE", "SQUEEZE", "EXPAND_DIMS"}),
    plan_line_reshape,
    accepts=reshapes_to_line,
)
