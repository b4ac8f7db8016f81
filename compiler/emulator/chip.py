"""The chip: memories, counters, buses and the units that work on them.

`Chip` holds what all units share; the order in which they run is a scheduler's matter:
`functional` runs every unit as far as its waits permit, `concurrent` models time.
Facts: docs/format/execution.md, "Units".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ..errors import EmulationError, Where
from ..lowering.program import (
    Direction,
    Flag,
    Infeed,
    LoadLookup,
    MeshMove,
    NarrowToWide,
    Outfeed,
    Pop,
    Ring,
    RingConsume,
    RingProduce,
    ScalarFence,
    ScalarFlag,
    TensorKind,
    TensorOp,
    TileFence,
    TileInstruction,
    WideToNarrow,
)
from .counters import Counters, wrapped
from .execution import Execution, Key, Side, Signal
from .feeds import (
    ACTIVATIONS,
    PARAMETERS,
    RETURNED,
    Feed,
    FeedBuffers,
    InfeedRun,
    OutfeedRun,
    PopRun,
)
from .host import HostMemory
from .interpolation import InterpolationSide
from .memories import TILES, Array, TileMemories
from .mesh import MeshLink, mesh_sides
from .requantize import LookupTable
from .ring import ConsumeSide, ProduceSide, RingPort
from .tensor_unit import LoadLookupSide, TensorSide
from .transfers import NarrowToWideSide, WideToNarrowSide

UNITS = (
    "tensor unit",
    "ring producer",
    "ring consumer A",
    "ring consumer B",
    "wide to narrow",
    "narrow to wide",
    "mesh south",
    "mesh west",
    "mesh north",
    "mesh east",
)
"""A tile's units in the order of the bits of `TileFence.units`."""
_UNLIMITED = 1 << 40
POP, RETURNED_POPS = 2, 0x10
"""Index of pop in FEED_UNITS; the bit of `ScalarFence.units` for pops of returned lines."""
FEED_UNITS = ("activation infeed", "parameter infeed", "pop", "outfeed")
"""Units beside the scalar core in the order of the bits of `ScalarFence.units`."""


def unit_of(instruction: TileInstruction) -> int:
    """Index in UNITS of the unit that executes an instruction."""
    if isinstance(instruction, RingProduce):
        return 1
    if isinstance(instruction, RingConsume):
        return 2 if instruction.ring is Ring.A else 3
    if isinstance(instruction, WideToNarrow):
        return 4
    if isinstance(instruction, NarrowToWide):
        return 5
    if isinstance(instruction, MeshMove):
        return 6 + instruction.direction - Direction.SOUTH
    return 0


class Traffic:
    """Bytes moved between host and chip in one run."""

    def __init__(self) -> None:
        self.to_chip = {PARAMETERS: 0, ACTIVATIONS: 0}
        self.to_host = 0

    def received(self, source: int, size: int) -> None:
        self.to_chip[source] += size

    def sent(self, size: int) -> None:
        self.to_host += size


Observer = Callable[["Chip", Execution, int], None]
"""Called with (chip, instruction, tile) whenever an instruction is done on a tile."""


class Chip:
    """What the units share, and the state that outlives a program: `memories`."""

    def __init__(self, memories: TileMemories, host: HostMemory) -> None:
        self.memories = memories
        self.host = host
        self.counters = Counters()
        self.feeds = FeedBuffers()
        self.host_input = {PARAMETERS: bytearray(), ACTIVATIONS: bytearray()}
        self.ports = tuple([RingPort() for _ in range(TILES)] for _ in range(2))
        self.outfeed = RingPort()
        self.links = {way: [MeshLink() for _ in range(TILES)] for way in Direction}
        self.tables: list[LookupTable | None] = [None] * TILES
        self.traffic = Traffic()
        self.observer: Observer | None = None

    # -- what units call -----------------------------------------------------------------

    def fire(self, signals: Iterable[Signal], tiles: Sequence[int], start: int, stop: int) -> None:
        """Signals of items start..stop that are done on `tiles`."""
        for signal in signals:
            count = signal.count(start, stop)
            if not count:
                continue
            if signal.everywhere:
                self.produced(signal.flag, count * len(tiles))
            else:
                self.counters.add(signal.flag, tiles, count)
                self.wake(("flag", signal.flag))

    def scalar_signal(self, flag: ScalarFlag, count: int) -> None:
        """A unit beside the scalar core signals."""
        self.counters.scalar[flag] += count

    def produced(self, flag: Flag, count: int) -> None:
        """Ring messages, which every tile and the scalar core count."""
        self.counters.add(flag, range(TILES), count)
        channel = flag is Flag.RING_PRODUCER_B
        scalar = ScalarFlag.PRODUCER_B if channel else ScalarFlag.PRODUCER_A
        self.counters.scalar[scalar] += count
        self.wake(("flag", flag))

    def send(self, channel: int, destinations: Iterable[int], block: Array, to_host: bool) -> None:
        """Rows onto the ring."""
        for tile in destinations:
            self.ports[channel][tile].put(block)
        if to_host:
            self.outfeed.put(block)
        self.wake(("ring", channel))

    def deliver(self, direction: Direction, tile: int, words: Array) -> None:
        """Words onto the mesh link into a tile."""
        self.links[direction][tile].put(words)
        self.wake(("mesh", direction))

    def room(self, channel: int, destinations: Iterable[int], *, to_host: bool) -> int:
        """Rows all receivers can take now."""
        return _UNLIMITED

    def touch(self, address: int, *, write: bool) -> None:
        """The scalar core reads or writes a word of its memory."""

    def interrupt(self) -> None:
        """The scalar core tells the host that the program is done."""

    def wake(self, key: Key) -> None:
        """Something that sides may wait for has changed."""
        raise NotImplementedError

    # -- what the scalar core calls --------------------------------------------------------

    def issue(self, instruction: TileInstruction, tiles: Sequence[int], place: str) -> None:
        """Hand an instruction to the front end of its tiles."""
        raise NotImplementedError

    def feed(self, instruction: Infeed | Pop | Outfeed, place: str) -> None:
        """Hand an instruction to a unit beside the scalar core."""
        raise NotImplementedError

    def tick(self) -> None:
        """The scalar core executes an instruction."""

    def settle(self, address: int = 0, size: int = 0) -> None:
        """Let everything run that must be done before the host reads its memory there."""
        raise NotImplementedError

    def arrived(self, source: int, size: int) -> None:
        """Bytes from the host have arrived in an input stream."""

    def fence(self, fence: ScalarFence, place: str) -> None:
        """Hold the scalar core until a fence is open, then set its counters."""
        raise NotImplementedError

    def finish(self) -> None:
        """The program has ended: everything must be idle."""
        raise NotImplementedError


_SIDES: dict[type[TileInstruction], Callable[[Chip, Any], tuple[Side, ...]]] = {
    RingProduce: lambda chip, op: (ProduceSide(chip, op),),
    RingConsume: lambda chip, op: (ConsumeSide(chip, op),),
    NarrowToWide: lambda chip, op: (NarrowToWideSide(chip, op),),
    WideToNarrow: lambda chip, op: (WideToNarrowSide(chip, op),),
    LoadLookup: lambda chip, op: (LoadLookupSide(chip, op),),
    MeshMove: mesh_sides,
}


def sides_of(chip: Chip, instruction: TileInstruction) -> tuple[Side, ...]:
    """The sides of an instruction that starts."""
    if isinstance(instruction, TensorOp):
        if instruction.kind is TensorKind.INTERPOLATE:
            return (InterpolationSide(chip, instruction),)
        return (TensorSide(chip, instruction),)
    return _SIDES[type(instruction)](chip, instruction)


def start(chip: Chip, execution: Execution) -> tuple[Side, ...]:
    """Build the sides; an error names the instruction."""
    try:
        return sides_of(chip, execution.instruction)
    except EmulationError as error:
        raise located(error, execution) from None


def located(error: EmulationError, execution: Execution) -> EmulationError:
    """The error, with the instruction it happened in."""
    if error.where != Where():
        return error
    named = execution.error(error.message)
    named.actual, named.allowed = error.actual, error.allowed
    return named


def feed_of(chip: Chip, instruction: Infeed | Pop | Outfeed, place: str) -> tuple[int, Feed]:
    """(index in FEED_UNITS, the instruction in execution)."""
    if isinstance(instruction, Infeed):
        return int(not instruction.activations), InfeedRun(chip, instruction, place)
    if isinstance(instruction, Pop):
        return 2, PopRun(chip, instruction, place)
    return 3, OutfeedRun(chip, instruction, place)


def idle(fence: ScalarFence, unit: int, feeds: Iterable[Feed]) -> bool:
    """Whether a unit beside the scalar core, with `feeds` in its queue, is as idle as a fence
    asks. The fence's last bit asks for pops of returned lines only."""
    waiting = list(feeds)
    if fence.units >> unit & 1:
        return not waiting
    if unit == POP and fence.units & RETURNED_POPS:
        return not any(isinstance(run, PopRun) and run.source == RETURNED for run in waiting)
    return True


def producers_reached(counters: Counters, fence: TileFence, tile: int) -> bool:
    """Whether the ring producer counters a tile fence waits for are high enough."""
    for bit, flag in enumerate((Flag.RING_PRODUCER_A, Flag.RING_PRODUCER_B)):
        ahead = wrapped(counters.tile[flag][tile] - fence.producer_threshold)
        if fence.producers >> bit & 1 and ahead < 0:
            return False
    return True


def missing_producer(counters: Counters, fence: ScalarFence) -> str:
    """The ring producer counter a scalar fence still waits for, or ""."""
    needed = (fence.producer_a, fence.producer_b)
    for bit, flag in enumerate((ScalarFlag.PRODUCER_A, ScalarFlag.PRODUCER_B)):
        if fence.producers >> bit & 1 and wrapped(counters.scalar[flag] - needed[bit]) < 0:
            return f"{flag.name} {needed[bit]}"
    return ""
