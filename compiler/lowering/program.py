"""Program level: the chip's instructions as typed values, before any bit is chosen.

Written by the lowerings, read by `beagle` (assembler) and written by it again
(disassembler), so that `disassemble(assemble(p)) == p`. Strides are true strides; only
`beagle` knows about deltas, reset values and bit positions (docs/format/instructions.md).

Units: narrow addresses of a `TensorOp` are bytes, its wide and partial-sum addresses are
64-byte units (four a line); every other narrow address is a 4-byte word, every other wide
address a 256-byte line of a tile's wide memory. Pop (activations), infeed and outfeed count
8-byte items; pop of parameters counts 64-byte lines.
"""

from __future__ import annotations

import enum
from dataclasses import fields

from ..fast_dataclass import dataclass

ALL_TILES = 0xFFFF
"""Mask of the 16 tiles; bit 4 * row + column is one tile."""

INF = float("inf")


class Flag(enum.IntEnum):
    """Synchronisation counters of a tile (order of the tile's SyncCounter registers)."""

    AVDATA = 0
    PARAMETERS = 1
    PARTIAL_SUMS = 2
    NORTH_IN = 3
    EAST_IN = 4
    SOUTH_IN = 5
    WEST_IN = 6
    NORTH_OUT = 7
    EAST_OUT = 8
    SOUTH_OUT = 9
    WEST_OUT = 10
    WIDE_TO_NARROW = 11
    WIDE_TO_SCALING = 12
    NARROW_TO_WIDE = 13
    RING_READ_A = 14
    RING_READ_B = 15
    RING_WRITE = 16
    RING_PRODUCER_A = 17
    RING_PRODUCER_B = 18


class ScalarFlag(enum.IntEnum):
    """Synchronisation counters of the scalar core."""

    AVDATA_POP = 0
    PARAMETER_POP = 1
    AVDATA_INFEED = 2
    PARAMETER_INFEED = 3
    SCALAR_INFEED = 4
    PRODUCER_A = 5
    PRODUCER_B = 6
    RING_OUTFEED = 7
    SCALAR_PIPELINE = 8


class Unit(enum.IntFlag):
    """Units a tile fence can wait for, and the mask of all ten."""

    TENSOR = 0x001
    RING_PRODUCER = 0x002
    RING_CONSUMER_A = 0x004
    RING_CONSUMER_B = 0x008
    WIDE_TO_NARROW = 0x010
    NARROW_TO_WIDE = 0x020
    MESH_SOUTH = 0x040
    MESH_WEST = 0x080
    MESH_NORTH = 0x100
    MESH_EAST = 0x200
    ALL = 0x3FF


class TensorKind(enum.IntEnum):
    """What a tensor op does with its operands; the value is the opcode."""

    MULTIPLY_ADD = 0x01
    MAXIMUM = 0x02
    SUM = 0x03
    INTERPOLATE = 0x05


class Ring(enum.IntEnum):
    """Ring bus consumer of a tile; the value is the opcode."""

    A = 0x11
    B = 0x12


class Direction(enum.IntEnum):
    """Mesh bus: the way the data moves; the value is the opcode."""

    SOUTH = 0x15
    WEST = 0x16
    NORTH = 0x17
    EAST = 0x18


class Mode(enum.IntFlag):
    """Data path of a tensor op (bits 1843..1848)."""

    WEIGHTS = 0x01  # the wide operand is a weight matrix with real zero points
    ON = 0x02  # set in every tensor op
    ACCUMULATE = 0x04  # sums stay in the accumulators; clear: they go through wide memory
    REDUCE = 0x08  # sum over pixels (pooling), 16-bit narrow operand
    WIDE_16 = 0x10  # the wide operand holds 16-bit elements
    MATRIX = 0x07
    MATRIX_PARTIAL = 0x03
    IDENTITY = 0x06
    POOL = 0x0E
    TO_WIDE = 0x12
    ELEMENTWISE = 0x16
    PRODUCT_16 = 0x1E


@dataclass(frozen=True, slots=True)
class Tail:
    """The last iteration of level `level` runs `count` items instead of the nest's own and
    corrects the address by `adjust` (true units)."""

    count: int
    level: int
    adjust: int


@dataclass(frozen=True, slots=True)
class Nest:
    """An address stream: `base` plus nested (count, true stride) levels, innermost first.

    `enabled` is the loop-level mask; with `double_offset` set, blocks of level
    `double_level` alternate between `base` and `base + double_offset`.
    """

    base: int = 0
    levels: tuple[tuple[int, int], ...] = ()
    enabled: int = 0
    double_level: int = 0
    double_offset: int = 0
    tail: Tail | None = None

    def scaled(self, factor: int) -> Nest:
        """The same stream with every address in units `factor` times smaller."""
        tail = self.tail
        return Nest(
            self.base * factor,
            tuple((count, stride * factor) for count, stride in self.levels),
            self.enabled,
            self.double_level,
            self.double_offset * factor,
            tail and Tail(tail.count, tail.level, tail.adjust * factor),
        )


@dataclass(frozen=True, slots=True)
class Wait:
    """Before block i of level `level`: wait until `flag` >= threshold + i * increment.

    `space` marks a writer that waits for room (its threshold starts negative)."""

    flag: Flag | ScalarFlag
    level: int
    threshold: int
    increment: int = 1
    space: bool = False


@dataclass(frozen=True, slots=True)
class Instruction:
    """Common to all. `extra` keeps (field name, value) pairs of vendor programs that no
    attribute stands for, so that disassembly loses nothing; lowerings leave it empty."""

    extra: tuple[tuple[str, int], ...] = ()

    def text(self) -> str:
        """One line: the class and every attribute that differs from its default."""
        shown = [
            f"{f.name}={value_text(f.name, getattr(self, f.name))}"
            for f in fields(self)
            if getattr(self, f.name) != f.default
        ]
        return " ".join([type(self).__name__, *shown])


@dataclass(frozen=True, slots=True, kw_only=True)
class TileInstruction(Instruction):
    """Runs on the tiles in `tiles`; the assembler numbers tile instructions in order."""

    tiles: int = ALL_TILES


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorOp(TileInstruction):
    """Multiply-accumulate and everything else that ends in the requantiser.

    out = clamp(rint?(multiplier * (initial + sum (a - input_zero) * (w - weight_zero) + bias)))
    as docs/format/execution.md states exactly. Signals hold a loop level or None.
    """

    kind: TensorKind = TensorKind.MULTIPLY_ADD
    loops: tuple[int, ...] = ()  # trip counts, innermost first
    loop_tail: tuple[int, int] | None = None  # (trip count, level)
    narrow_in: Nest = Nest()
    narrow_out: Nest = Nest()
    wide: Nest = Nest()
    partial: Nest = Nest()
    signal_output: int | None = None  # AVDATA
    signal_operands: int | None = None  # PARAMETERS
    signal_partial: int | None = None  # PARTIAL_SUMS
    waits: tuple[Wait | None, ...] = ()
    mode: int = 0
    byte_slices: int = 0  # 3: the wide operand is read one byte plane at a time
    raw: int = 0  # 1: bytes pass through unchanged
    weight_zero: int = 0
    weight_zero_vector: int = 0
    input_zero: int = 0
    output_zero: int = 0
    zero_vector_start: int = 0  # line of the weight zero-point vector
    zero_vector_step: int = 0
    zero_vector_last: int = 0
    group_level: int = 0  # loop that walks output-channel groups
    reduced: int = 0  # mask of the reduction loops
    last_lanes: int = 0  # lanes of the last block, minus one
    lanes: int = 0  # lanes of a block, minus one
    activation: int = 0
    multiplier: float = 0.0
    clamp_max: float = 0.0
    clamp_min: float = 0.0
    initial: int = 0
    bias: int = 0
    scales: int = 0
    odd_table: int = 0  # 3 with the table of an odd function, which holds x >= 0 only


@dataclass(frozen=True, slots=True, kw_only=True)
class RingProduce(TileInstruction):
    """Wide memory -> ring bus, to the tiles in `destinations` and, with `to_host`, out."""

    wide: Nest = Nest()
    signal_read: int | None = None  # RING_WRITE
    signal_sent: int | None = None  # RING_PRODUCER_A or _B
    waits: tuple[Wait | None, ...] = ()
    channel_b: int = 0
    destinations: int = 0
    to_host: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RingConsume(TileInstruction):
    """Ring bus -> wide memory, optionally with leading header lines kept in a ring of
    their own: lines [header_first, header_last], `header_lines` a block."""

    ring: Ring = Ring.A
    wide: Nest = Nest()
    header: int = 0
    header_level: int = 0
    header_first: int = 0
    header_split: int = 0
    header_last: int = 0
    header_lines: int = 0
    signal: int | None = None  # RING_READ_A or _B
    wait: Wait | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NarrowToWide(TileInstruction):
    """Narrow words -> wide lines; `fill_level` inner levels fill one line, `transpose` 1
    turns 4 words of 4 bytes (pixels x channels) round, 3 does so with 16-bit elements."""

    narrow: Nest = Nest()
    wide: Nest = Nest()
    signal: int | None = None  # NARROW_TO_WIDE
    waits: tuple[Wait | None, ...] = ()
    transpose: int = 0
    fill_level: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class WideToNarrow(TileInstruction):
    """Wide lines -> narrow words, or, with `to_scaling`, header vectors -> scaling unit.

    `skip` (bits 542..545) with `skip_first`, `skip_last`, `skip_end`: at each step the
    words of other columns are dropped first (docs/format/execution.md)."""

    wide: Nest = Nest()
    narrow: Nest = Nest()
    skip: int = 0
    skip_first: int = 0
    skip_last: int = 0
    skip_end: int = 0
    signal: int | None = None  # WIDE_TO_NARROW or WIDE_TO_SCALING
    waits: tuple[Wait | None, ...] = ()
    to_scaling: int = 0
    fill_level: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshMove(TileInstruction):
    """Narrow words to the neighbour in `direction` (`source`) and from the opposite one
    (`destination`); with `fill` set the destination is written with that constant."""

    direction: Direction = Direction.NORTH
    source: Nest = Nest()
    destination: Nest = Nest()
    signal_sent: int | None = None  # direction_OUT
    signal_received: int | None = None  # direction_IN
    waits: tuple[Wait | None, ...] = ()
    fill: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadLookup(TileInstruction):
    """Loads the activation table: 8 segments x 5 coefficients and 7 breakpoints (float32)."""

    coefficients: tuple[float, ...] = ()
    breakpoints: tuple[float, ...] = ()
    last: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class TileFence(TileInstruction):
    """Waits until `units` are idle, then sets the counters in `flags` to `value` and
    notifies the scalar core (`notify` bits)."""

    flags: int = 0
    value: int = 0
    units: int = 0
    producers: int = 0
    producer_threshold: int = 0
    notify: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalarFence(Instruction):
    """Scalar core: sets `flags` to `value`, waits for `notify_count` notifications of the
    tiles in `notify_tiles` and for the ring producers' message counts."""

    tiles: int = 0
    flags: int = 0
    value: int = 0
    notify_count: int = 0
    notify_tiles: int = 0
    producer_a: int = 0
    producer_b: int = 0
    producers: int = 0
    units: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Infeed(Instruction):
    """Host stream -> on-chip feed buffer (8-byte items of activations, 64-byte lines of
    parameters)."""

    activations: int = 0
    buffer: Nest = Nest()
    signal: int | None = None
    wait: Wait | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pop(Instruction):
    """Feed buffer -> ring bus -> `destinations`. source: 0 parameters, 1 activations,
    2 lines that came over the ring (parameters of depthwise layers)."""

    source: int = 0
    buffer: Nest = Nest()
    signal_ring: int | None = None
    signal_space: int | None = None
    waits: tuple[Wait | None, ...] = ()
    on: int = 0
    destinations: int = 0
    lanes: int = 0  # lanes of a line, minus one


@dataclass(frozen=True, slots=True, kw_only=True)
class Outfeed(Instruction):
    """Ring bus -> host (`limit` 0x7f) or -> the scalar core's memory (0x3f)."""

    buffer: Nest = Nest()
    signal: int | None = None
    wait: Wait | None = None
    limit: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalarOp(Instruction):
    """One bundle of the scalar core: an integer operation and/or a descriptor command."""

    gate: int = 0
    predicate: int = 0
    sense: int = 0
    load_kind: int = 0
    load_address: int = 0
    command: int = 0  # 0xa: descriptor field <- register, 0xc: fire
    command_slot: int = 0
    command_flags: int = 0
    command_source: int = 0
    operation: int = 0
    target: int = 0
    operand: int = 0
    immediate: int = 0
    float_operation: int = 0
    float_operand: int = 0
    load_target: int = 0
    float_target: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Jump(Instruction):
    """Relative jump in words from the jump's own word, optionally predicated."""

    gate: int = 0
    predicate: int = 0
    sense: int = 0
    offset: int = 0
    kind: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop(Instruction):
    """Repeats the next `body` words `count` times."""

    count: int = 0
    body: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Halt(Instruction):
    """End of the program."""

    argument: int = 0x10


@dataclass(frozen=True, slots=True)
class Program:
    """One executable's instructions, cut into chunks of at most 16384 words by the
    assembler, which also adds each chunk's start and end words. `caching` programs number
    their tile instructions in a space of their own (top bit of the sequence id).
    `chunk_starts` holds the instruction indices at which a new chunk begins, ascending,
    without the leading 0. `parameters` is what the host sends during each run, in 64-byte
    rows at the offsets of the program's descriptors, `activations` the graph's tensors whose
    base addresses it loads, in order (both empty in disassembled programs)."""

    instructions: tuple[Instruction, ...]
    caching: bool = False
    chunk_starts: tuple[int, ...] = ()
    parameters: bytes = b""
    activations: tuple[int, ...] = ()

    def text(self) -> str:
        """The level's printed form (`--dump-ir=program`)."""
        return "".join(f"{i:6} {op.text()}\n" for i, op in enumerate(self.instructions))


def value_text(name: str, value: object) -> str:
    """A field of an instruction as `Instruction.text` prints it."""
    if isinstance(value, Nest):
        levels = " ".join(f"{count}x{stride}" for count, stride in value.levels)
        text = f"[{value.base}: {levels} on={value.enabled:x}"
        if value.double_offset or value.double_level:
            text += f" double={value.double_level}+{value.double_offset}"
        if value.tail:
            text += f" tail={value.tail.count}@{value.tail.level}{value.tail.adjust:+}"
        return text + "]"
    if isinstance(value, Wait):
        sign = "space" if value.space else ">="
        return f"{value.flag.name}@{value.level}{sign}{value.threshold}+{value.increment}i"
    if name in ("tiles", "destinations", "flags", "notify_tiles", "reduced"):
        return f"{value:#x}"
    if isinstance(value, tuple):
        return "(" + ", ".join(value_text("", v) for v in value) + ")"
    if isinstance(value, enum.Enum):
        return value.name
    return str(value)
