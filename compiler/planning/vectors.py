"""Vectors over the 16 tiles: how a vector is cut into blocks, and the steps that take one
from the host and give one back (planned in `vector_io.py`).

Steps of the Plan level. A vector of C channels is ceil(C / 4) narrow words; tile b
holds block b of it (docs/format/fully_connected.md, "Vectors").
"""

from __future__ import annotations

from ..fast_dataclass import dataclass
from ..frontend.graph import Operator
from .builder import PlanBuilder
from .plan import TILES, OutputStep, Step
from .refusal import Refusal

BLOCK_WORDS = 16
"""Words of a block that a tensor op writes on one tile: 64 output lanes of one byte."""
ROW_BYTES = 256
"""A ring bus row: one row serves the four tiles of a tile row."""
SLOT_WORDS = ROW_BYTES // 4
"""A narrow slot of the scatter; there are two."""
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
    """Layout of a tensor that lives in blocks on the tiles, block b `offset + pitch * b` words
    into `buffer`. `from_host`: it arrived by the scatter, so its readers must wait for the
    scalar core; `room`: words of the buffer that a reader may work in (0: none but the block)."""

    blocks: Blocks
    buffer: str
    offset: int = 0
    pitch: int = 0
    from_host: bool = False
    room: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorInputStep(Step):
    """`size` bytes from the host; tile t keeps block t, `pitch * t` words into buffer `output`.

    fifo_line: first of the scatter's two slots of `slot_lines` wide lines.
    """

    size: int
    output: str
    pitch: int = 0
    fifo_line: int
    slot_lines: int

    @property
    def blocks(self) -> Blocks:
        return Blocks.spread(-(-self.size // 4))


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorOutputStep(OutputStep):
    """A vector in blocks, block b `offset + pitch * b` words into buffer `input`, in tile
    order, to the host. `fifo_line`: two lines."""

    blocks: Blocks
    input: str
    offset: int = 0
    pitch: int = 0
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
