"""Vectors over the 16 tiles: how a vector is cut into blocks, and the steps that take one
from the host and give one back.

Writes steps of the Plan level. A vector of C channels is ceil(C / 4) narrow words; tile b
holds block b of it (docs/format/fully_connected.md, "Vectors").
"""

from __future__ import annotations

from ..fast_dataclass import dataclass
from ..frontend.graph import Operator
from .builder import PlanBuilder
from .family import Border
from .plan import TILES, WIDE_LINES, OutputStep, Step
from .refusal import Refusal

BLOCK_WORDS = 16
"""Words of a block that a tensor op writes on one tile: 64 output lanes of one byte."""
ROW_BYTES = 256
"""A ring bus row: one row serves the four tiles of a tile row."""
SLOT_WORDS = ROW_BYTES // 4
"""A narrow slot of the scatter; there are two."""
OUTPUT_FIFO_LINES = 2
MAX_INPUT = 64 * TILES
"""Bytes of the longest vector from the host: one block of 64 a tile."""
INPUT_UNIT = 8
"""Bytes of an item of the host stream."""


@dataclass(frozen=True, slots=True)
class Blocks:
    """`words` words in blocks of `block`; block b lives on tile b, the last may be short."""

    words: int
    block: int = BLOCK_WORDS

    @classmethod
    def spread(cls, words: int) -> Blocks:
        """Blocks of 16 words, or of as many times 16 as bring the vector on 16 tiles."""
        return cls(words, BLOCK_WORDS * max(1, -(-words // (BLOCK_WORDS * TILES))))

    @property
    def tiles(self) -> int:
        return -(-self.words // self.block)

    @property
    def mask(self) -> int:
        return (1 << self.tiles) - 1

    def size(self, tile: int) -> int:
        """Words of the block on `tile`."""
        return min(self.block, self.words - self.block * tile)

    def groups(self) -> tuple[tuple[int, int], ...]:
        """(tile mask, words) of the tiles with a whole block, then of the short one."""
        whole, last = divmod(self.words, self.block)
        groups = (((1 << whole) - 1, self.block),) if whole else ()
        return groups + (((1 << whole, last),) if last else ())


@dataclass(frozen=True, slots=True)
class VectorLayout:
    """Layout of a tensor that lives in blocks on the tiles, every block `offset` words into
    `buffer`. `from_host`: it arrived by the scatter, so its readers must wait for the scalar
    core."""

    blocks: Blocks
    buffer: str
    offset: int = 0
    from_host: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorInputStep(Step):
    """`size` bytes from the host; tile t keeps block t of 64 bytes in buffer `output`.

    fifo_line: first of the scatter's two slots of `slot_lines` wide lines.
    """

    size: int
    output: str
    fifo_line: int
    slot_lines: int

    @property
    def blocks(self) -> Blocks:
        return Blocks(-(-self.size // 4))


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorOutputStep(OutputStep):
    """A vector in blocks of 16 words, `offset` words into buffer `input`, in tile order, to
    the host. `fifo_line`: two lines."""

    blocks: Blocks
    input: str
    offset: int = 0
    fifo_line: int


def vector_layout(planner: PlanBuilder, tensor: int) -> VectorLayout | None:
    """The layout of `tensor` if it lives in blocks on the tiles."""
    layout = planner.layouts.get(planner.dataflow.source(tensor))
    return layout if isinstance(layout, VectorLayout) else None


def require_vector(planner: PlanBuilder, op: Operator) -> VectorLayout:
    """The layout of the operator's first input; its buffer lives until now."""
    layout = vector_layout(planner, op.inputs[0])
    if layout is None:
        raise Refusal(op.index, f"{op.name} needs its input as a vector over the tiles")
    planner.keep(layout.buffer)
    return layout


def is_private(planner: PlanBuilder, op: Operator) -> bool:
    """Whether nothing but `op` needs the values of its first input, so that they may go."""
    source = planner.dataflow.source(op.inputs[0])
    return len(planner.dataflow.readers(source)) == 1 and not planner.dataflow.is_output(source)


def is_host_vector(planner: PlanBuilder, tensor: int) -> bool:
    """Whether an input is a vector (no rows, no columns) that only vector operators read."""
    shape = planner.graph.tensor(tensor).shape
    readers = planner.dataflow.readers(planner.dataflow.source(tensor))
    return all(size == 1 for size in shape[:-1]) and bool(readers)


def plan_vector_input(planner: PlanBuilder, tensor: int) -> None:
    """Scatter: whole ring rows, 64 bytes a tile."""
    size = planner.graph.tensor(tensor).shape[-1]
    if size > MAX_INPUT or size % INPUT_UNIT:
        raise Refusal(
            None,
            f"input '{planner.graph.tensor(tensor).name}' cannot be scattered over the tiles",
            actual=f"{size} values",
            allowed=f"a multiple of {INPUT_UNIT} up to {MAX_INPUT}",
        )
    source = planner.dataflow.source(tensor)
    slot_lines = -(-size // ROW_BYTES)
    fifo_line = WIDE_LINES - 2 * slot_lines
    planner.scratch(f"{tensor} slots", 2 * SLOT_WORDS)
    output = planner.produce(source, BLOCK_WORDS, rank=1.1)
    planner.layouts[source] = VectorLayout(Blocks(-(-size // 4)), output, from_host=True)
    planner.add(
        VectorInputStep(
            border=tensor,
            size=size,
            output=output,
            fifo_line=fifo_line,
            slot_lines=slot_lines,
            lowest_line=fifo_line,
        )
    )


def plan_vector_output(planner: PlanBuilder, tensor: int) -> None:
    """One ring message a tile, in tile order."""
    layout = vector_layout(planner, tensor)
    if layout is None or layout.blocks.block != BLOCK_WORDS:
        raise Refusal(None, f"output '{planner.graph.tensor(tensor).name}' is no vector")
    fifo_line = WIDE_LINES - OUTPUT_FIFO_LINES
    planner.add(
        VectorOutputStep(
            border=planner.dataflow.output_name(tensor),
            blocks=layout.blocks,
            input=planner.keep(layout.buffer),
            offset=layout.offset,
            fifo_line=fifo_line,
            lowest_line=fifo_line,
        )
    )


def _is_vector(planner: PlanBuilder, tensor: int) -> bool:
    return vector_layout(planner, tensor) is not None


VECTOR_INPUT = Border("vector input", is_host_vector, plan_vector_input)
VECTOR_OUTPUT = Border("vector output", _is_vector, plan_vector_output)
