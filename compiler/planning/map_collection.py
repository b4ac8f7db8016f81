"""A map collected on tile 0, row by row: the first step of whatever needs all of it in one place.

Reads the Graph level through the planner, adds `FlattenGatherStep`s. Facts:
docs/format/movement.md, "Flattening".
"""

from __future__ import annotations

from ..fast_dataclass import dataclass
from ..frontend.graph import Operator
from .builder import PlanBuilder
from .map_layout import MapLayout
from .plan import Step
from .softmax_area import has_tables, only_softmax
from .tiling import AxisSplit, length
from .wide_memory import IDENTITY_LINE

FIFO_WORDS = 8
FIFO_LINES = 6
"""Of a ring message: two to write, two to read, and two between."""
IDENTITY_WORDS = 4
LAST = 3.0
"""Allocation rank of FIFOs and constants."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlattenGatherStep(Step):
    """A map to tile 0: `collected` holds it there, and on the first tile of the other tile rows
    that row's part. Then, with `groups` (columns of the tiles of the first tile row), its words
    in groups of `group_words` to those tiles' `output`; or else, with `output`, all of them
    there. identity: scratch for the byte identity, '' where it is there already; own_identity:
    it is made again in front of every copy; identity_line: -1 for the program's own."""

    input: MapLayout
    input_buffer: str
    collected: str
    fifo: str
    output: str = ""
    groups: AxisSplit = ()
    group_words: int = 0
    identity: str
    own_identity: bool
    identity_line: int
    fifo_line: int

    @property
    def words(self) -> int:
        """Words of the whole map."""
        return self.input.height * self.input.width * self.input.channel_words


def collect_map(
    planner: PlanBuilder, op: Operator, layout: MapLayout, collected: str
) -> FlattenGatherStep:
    """The step that brings a map to buffer `collected`, without what follows on tile 0."""
    own = keeps_identity(planner, op)
    fifo = planner.scratch(f"{op.index} fifo", FIFO_WORDS, rank=LAST)
    if own:
        identity = planner.scratch(f"{op.index} identity", IDENTITY_WORDS, rank=LAST)
    else:
        identity = planner.identity()
    top = IDENTITY_LINE if own else planner.block_line(FIFO_LINES) + FIFO_LINES
    return FlattenGatherStep(
        ops=(op.index,),
        input=layout,
        input_buffer=planner.consume(op.inputs[0]),
        collected=collected,
        fifo=fifo,
        identity=identity,
        own_identity=own,
        identity_line=IDENTITY_LINE if own else -1,
        fifo_line=top - 2,
        lowest_line=top - (0 if is_even(layout) else FIFO_LINES),
    )


def is_even(layout: MapLayout) -> bool:
    """Whether all tiles that own pixels own equally many rows and columns of them, so that the
    lines of tiles move in lock-step."""
    return all(
        len({length(part) for part in axis.own if length(part)}) == 1
        for axis in (layout.rows, layout.columns)
    )


def keeps_identity(planner: PlanBuilder, op: Operator) -> bool:
    """Whether a SOFTMAX without tables follows, which uses the identity in the top line."""
    source = planner.dataflow.source(op.outputs[0])
    values = planner.graph.tensor(op.outputs[0]).shape[-1]
    return only_softmax(planner, source) is not None and not has_tables(values)
