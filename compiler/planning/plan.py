"""Plan level: where everything lives, and when.

Written by the planners of this package, read by `lowering`. A plan is a list of steps in
execution order; a step is one frozen dataclass of its operator family (`ConvolutionStep`,
`GlobalPoolStep`, ...) that subclasses `Step` and carries every decision the lowering needs,
so that a lowering only writes instructions down.

Units: narrow memory in 4-byte words, wide memory in 256-byte lines; both per tile.
Facts: docs/format/memory.md.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping
from dataclasses import field, replace

from ..errors import InternalError
from ..fast_dataclass import dataclass
from ..frontend.joined_outputs import JoinedOutput
from ..release import Release

TILES = 16
WIDE_LINES = 2080
"""Lines of a tile's wide memory: parameters grow from 0 up, transient blocks from here down."""
NARROW_WORDS = 196608 // 4
"""Words of a tile's narrow memory."""
LONGEST_LOOP = 16384
"""Largest trip count of a loop of a tensor op, and of its wide streams."""


@dataclass(frozen=True, slots=True)
class NarrowBuffer:
    """A request to the narrow-memory allocator: alive in steps first..last (inclusive).

    `rank` orders classes of buffers (tensors 0, scratch of one step 1, ...) before size.
    `at_first`: words it takes in step `first`, 0 for all of them.
    """

    name: str
    words: int
    first: int
    last: int
    rank: float = 0
    at_first: int = 0

    def room(self, other: NarrowBuffer) -> int:
        """Words it takes in the steps in which `other` is alive too."""
        if self.at_first and other.last <= self.first:
            return self.at_first
        return self.words


@dataclass(frozen=True, slots=True)
class Segment:
    """Parameter data of one layer, in the chip's layout (docs/format/parameters.md).

    kind: "convolution", "depthwise" (4-lane packed layers), "fully_connected" or "table".
    lanes: lanes of a wide line the layer uses (16, 32, 48 or 64).
    headers: names of its header vectors in order, out of "scale", "bias", "zero_point".
    blocks: output blocks that live on tiles of their own (fully connected), else 1.
    spread: words per tile when the segment is cut over the tiles (softmax tables), else ().
    pinned: it must be cached, block b on tile b, so it goes before all others.
    one_hot: a matrix of ones and zeros that only moves bytes.
    """

    op: int
    kind: str
    data: bytes
    lanes: int
    headers: tuple[str, ...] = ()
    blocks: int = 1
    spread: tuple[int, ...] = ()
    pinned: bool = False
    one_hot: bool = False

    @property
    def rows(self) -> int:
        """Length in 64-byte rows, the unit of the ring bus and of the host stream."""
        return len(self.data) // 64

    def lines(self, rows: int | None = None) -> int:
        """Wide lines that `rows` (default: all) 64-byte rows take."""
        count = self.rows if rows is None else rows
        return -(-count * 16 // self.lanes)

    def is_pinned_at(self, pieces: tuple[Piece, ...]) -> bool:
        """Whether every block lies on its own tile."""
        return tuple(piece.tile for piece in pieces) == tuple(range(self.blocks))


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of wide lines of one segment on one tile."""

    tile: int
    lines: int
    address: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of the program. `ops`: the source operators it computes; `segments`: indices
    into `Plan.segments`; `lowest_line`: the lowest wide line of its transient blocks; `border`:
    the graph's tensor that the step moves between host and chip, -1 if none; `small`: lines of
    its only block where that makes room for the shared identity matrix, else 0; `kept`: lines
    below that matrix of a block that later steps use again; `scratch_bytes`: of the host's
    memory that the step takes for itself."""

    ops: tuple[int, ...] = ()
    segments: tuple[int, ...] = ()
    lowest_line: int = WIDE_LINES
    border: int = -1
    small: int = 0
    kept: int = 0
    scratch_bytes: int = 0

    @property
    def longest_loop(self) -> int:
        """Largest trip count of a loop of its instructions that grows with the maps, 0 if none
        does."""
        return 0

    def moved_to(self, line: int) -> Step:
        """The step with its small (or kept) block at `line`."""
        return replace(self, lowest_line=line)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputStep(Step):
    """A step that sends a tensor to the host: all counters restart behind it."""


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """Everything the lowerings need; `narrow` maps buffer names to word addresses and
    `placement[i]` is where segment i lives (empty: streamed from the host)."""

    release: Release
    steps: tuple[Step, ...]
    buffers: tuple[NarrowBuffer, ...]
    narrow: Mapping[str, int]
    segments: tuple[Segment, ...] = ()
    placement: tuple[tuple[Piece, ...], ...] = ()
    notes: Mapping[str, str] = field(default_factory=dict)
    identity_line: int = WIDE_LINES
    """The line with the 4x4 byte identity that several steps share (WIDE_LINES: none)."""
    passes: Mapping[int, int] = field(default_factory=dict)
    """How often a run executes the layers of segments that run in spatial passes."""
    joined: tuple[JoinedOutput, ...] = ()
    """Outputs whose parts leave as outputs of their own."""

    @property
    def capacity(self) -> int:
        """Wide lines of a tile that are free for cached parameters."""
        return min([self.identity_line, *(step.lowest_line for step in self.steps)])

    @property
    def output_parts(self) -> Mapping[int, int]:
        """Into how many parts, one below the other, each output is sent."""
        return Counter(step.border for step in self.steps if isinstance(step, OutputStep))

    @property
    def scratch_bytes(self) -> int:
        """Host memory that the program uses while it runs."""
        return sum(step.scratch_bytes for step in self.steps)

    def verify(self) -> None:
        """Raise InternalError if two live buffers overlap or anything leaves its memory."""
        for buffer in self.buffers:
            if not 0 <= self.narrow[buffer.name] <= NARROW_WORDS - buffer.words:
                raise InternalError(f"buffer {buffer.name} leaves the narrow memory")
        for i, a in enumerate(self.buffers):
            for b in self.buffers[i + 1 :]:
                if a.first <= b.last and b.first <= a.last and _overlap(self.narrow, a, b):
                    raise InternalError(f"buffers {a.name} and {b.name} overlap")
        self._verify_wide()

    def _verify_wide(self) -> None:
        taken: list[tuple[int, int, int]] = []
        for pieces in self.placement:
            taken += [(p.tile, p.address, p.address + p.lines) for p in pieces]
        taken.sort()
        for (tile, _, end), (other, start, _) in itertools.pairwise(taken):
            if tile == other and start < end:
                raise InternalError(f"parameters overlap at line {start} of tile {tile}")
        if any(end > self.capacity for _, _, end in taken):
            raise InternalError("parameters reach into the transient blocks")

    def text(self) -> str:
        """The memory map (`--dump-ir=plan`)."""
        lines = [f"capacity {self.capacity} of {WIDE_LINES} wide lines a tile"]
        for number, step in enumerate(self.steps):
            ops = ",".join(f"#{op}" for op in step.ops)
            lines.append(f"step {number:3} {type(step).__name__} {ops} low={step.lowest_line}")
        for buffer in sorted(self.buffers, key=lambda b: (b.first, self.narrow[b.name])):
            start = self.narrow[buffer.name]
            lines.append(
                f"narrow {start:6}..{start + buffer.words:6} steps {buffer.first}..{buffer.last}"
                f" {buffer.name}"
            )
        for segment, pieces in zip(self.segments, self.placement, strict=True):
            where = " ".join(f"t{p.tile}@{p.address}+{p.lines}" for p in pieces) or "streamed"
            lines.append(f"wide #{segment.op} {segment.kind} {len(segment.data)} B {where}")
        return "\n".join(lines) + "\n"


def _overlap(addresses: Mapping[str, int], a: NarrowBuffer, b: NarrowBuffer) -> bool:
    return addresses[a.name] < addresses[b.name] + b.room(a) and addresses[b.name] < addresses[
        a.name
    ] + a.room(b)
