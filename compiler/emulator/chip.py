"""The chip: memories, counters, buses and the units that work on them.

`Chip` holds what all units share; the order in which they run is a scheduler's matter:
`Functional` (this module) runs every unit as far as its waits permit, `concurrent` models time.
Facts: docs/format/execution.md, "Units".
"""

from __future__ import annotations

import bisect
from collections import deque
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
from .feeds import ACTIVATIONS, PARAMETERS, Feed, FeedBuffers, InfeedRun, OutfeedRun, PopRun
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
_CONSUMERS_FIRST = (4, 0, 3, 2, 6, 7, 8, 9, 5, 1)
FEED_UNITS = ("activation infeed", "parameter infeed", "pop", "outfeed")
"""Units beside the scalar core in the order of the bits of `ScalarFence.units`."""
_STEP_LIMIT = 1 << 36
"""Items all tiles together may run through in one program."""


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

    def settle(self) -> None:
        """Let everything run that can."""
        raise NotImplementedError

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


class Functional(Chip):
    """Runs every unit as soon as its waits are met and as far as they permit; tiles in the same
    state together. A unit of a tile holds one instruction; issue stops while it is busy."""

    def __init__(self, memories: TileMemories, host: HostMemory) -> None:
        super().__init__(memories, host)
        self._issued: list[deque[Execution | TileFence]] = [deque() for _ in range(TILES)]
        self._busy: list[list[Execution | None]] = [[None] * len(UNITS) for _ in range(TILES)]
        self._notified = [0] * TILES
        self._due: dict[int, None] = {}
        self._runnable: list[deque[Execution]] = [deque() for _ in UNITS]
        self._interested: dict[Key, dict[int, Execution]] = {}
        self._feeds: list[deque[Feed]] = [deque() for _ in FEED_UNITS]
        self._steps = 0

    # -- scheduling ----------------------------------------------------------------------

    def wake(self, key: Key) -> None:
        for execution in self._interested.get(key, {}).values():
            self._enqueue(execution)
        if key[1] in (Flag.RING_PRODUCER_A, Flag.RING_PRODUCER_B) and key[0] == "flag":
            self._due.update(dict.fromkeys(range(TILES)))

    def _enqueue(self, execution: Execution) -> None:
        if not execution.queued:
            execution.queued = True
            self._runnable[execution.unit].append(execution)

    def settle(self) -> None:
        while True:
            moved = self._run_feeds()
            moved = self._run_tiles() or moved
            if not moved:
                return

    def _run_tiles(self) -> bool:
        moved = False
        while True:
            while self._due:
                due, self._due = list(self._due), {}
                for tile in due:
                    moved = self._dispatch(tile) or moved
            for unit in _CONSUMERS_FIRST:
                if self._runnable[unit]:
                    execution = self._runnable[unit].popleft()
                    execution.queued = False
                    moved = self._step(execution) or moved
                    break
            else:
                if not self._due:
                    return moved

    def _step(self, execution: Execution) -> bool:
        assert execution.sides is not None
        moved = False
        for side in execution.sides:
            for (first, stop), tiles in side.ready(execution.active).items():
                self._count((stop - first) * len(tiles), execution)
                try:
                    side.advance(tiles, first, stop)
                except EmulationError as error:
                    raise located(error, execution) from None
                moved = True
        if moved or not execution.sides:
            self._enqueue(execution)
            for tile in [tile for tile in execution.active if execution.finished(tile)]:
                self._finish(execution, tile)
        return moved

    def _count(self, steps: int, execution: Execution) -> None:
        self._steps += steps
        if self._steps > _STEP_LIMIT:
            raise execution.error("the program does not come to an end: too many steps")

    def _finish(self, execution: Execution, tile: int) -> None:
        execution.active.remove(tile)
        execution.remaining -= 1
        self._busy[tile][execution.unit] = None
        self._due[tile] = None
        if not execution.remaining:
            for key in self._keys(execution):
                del self._interested[key][id(execution)]
            execution.sides = ()
            if execution.queued:
                execution.queued = False
                self._runnable[execution.unit].remove(execution)

    @staticmethod
    def _keys(execution: Execution) -> set[Key]:
        return set().union(*(side.keys() for side in execution.sides or ()))

    # -- issue ---------------------------------------------------------------------------

    def issue(self, instruction: TileInstruction, tiles: Sequence[int], place: str) -> None:
        item: Execution | TileFence
        if isinstance(instruction, TileFence):
            item = instruction
        else:
            item = Execution(unit_of(instruction), instruction, tiles, place)
        for tile in tiles:
            self._issued[tile].append(item)
            self._due[tile] = None

    def _dispatch(self, tile: int) -> bool:
        """Hand a tile's next instructions to its units until one has to wait."""
        queue, busy = self._issued[tile], self._busy[tile]
        moved = False
        while queue:
            item = queue[0]
            if isinstance(item, TileFence):
                if not self._open(item, tile):
                    break
                self._pass(item, tile)
            elif busy[item.unit] is not None:
                break
            else:
                busy[item.unit] = item
                self._begin(item, tile)
            queue.popleft()
            moved = True
        return moved

    def _begin(self, execution: Execution, tile: int) -> None:
        if execution.sides is None:
            execution.sides = start(self, execution)
            for key in self._keys(execution):
                self._interested.setdefault(key, {})[id(execution)] = execution
        bisect.insort(execution.active, tile)
        if execution.finished(tile):
            self._finish(execution, tile)
        else:
            self._enqueue(execution)

    def _open(self, fence: TileFence, tile: int) -> bool:
        busy = self._busy[tile]
        if any(fence.units >> unit & 1 and busy[unit] for unit in range(len(UNITS))):
            return False
        for bit, flag in enumerate((Flag.RING_PRODUCER_A, Flag.RING_PRODUCER_B)):
            ahead = wrapped(self.counters.tile[flag][tile] - fence.producer_threshold)
            if fence.producers >> bit & 1 and ahead < 0:
                return False
        return True

    def _pass(self, fence: TileFence, tile: int) -> None:
        for flag in Flag:
            if fence.flags >> flag & 1:
                self.counters.tile[flag][tile] = fence.value
                self.wake(("flag", flag))
        self._notified[tile] += fence.notify & 1

    # -- scalar side -----------------------------------------------------------------------

    def feed(self, instruction: Infeed | Pop | Outfeed, place: str) -> None:
        run: Feed
        if isinstance(instruction, Infeed):
            unit, run = int(not instruction.activations), InfeedRun(self, instruction, place)
        elif isinstance(instruction, Pop):
            unit, run = 2, PopRun(self, instruction, place)
        else:
            unit, run = 3, OutfeedRun(self, instruction, place)
        self._feeds[unit].append(run)

    def _run_feeds(self) -> bool:
        moved = False
        for queue in self._feeds:
            while queue:
                run = queue[0]
                stop = run.reach()
                if stop > run.done:
                    run.advance(stop)
                    moved = True
                if not run.finished:
                    break
                queue.popleft()
        return moved

    def fence(self, fence: ScalarFence, place: str) -> None:
        self.settle()
        busy = [
            name
            for bit, name in enumerate(FEED_UNITS)
            if fence.units >> bit & 1 and self._feeds[bit]
        ]
        if busy:
            raise self._stuck(place, f"the {busy[0]} never becomes idle")
        needed = (fence.producer_a, fence.producer_b)
        for bit, flag in enumerate((ScalarFlag.PRODUCER_A, ScalarFlag.PRODUCER_B)):
            if fence.producers >> bit & 1 and wrapped(self.counters.scalar[flag] - needed[bit]) < 0:
                raise self._stuck(place, f"counter {flag.name} never reaches {needed[bit]}")
        for tile in range(TILES):
            if fence.notify_count and fence.notify_tiles >> tile & 1:
                if self._notified[tile] < fence.notify_count:
                    raise self._stuck(place, f"tile {tile} never notifies the scalar core")
                self._notified[tile] -= fence.notify_count
        for scalar_flag in ScalarFlag:
            if fence.flags >> scalar_flag & 1:
                self.counters.scalar[scalar_flag] = fence.value

    def finish(self) -> None:
        self.settle()
        if any(self._feeds) or any(self._issued) or any(any(busy) for busy in self._busy):
            raise self._stuck("the end of the program", "units are still busy")

    def _stuck(self, place: str, what: str) -> EmulationError:
        return EmulationError(
            f"dead-lock: {what}", where=Where(op=place), hint="; ".join(self.blocked()[:4])
        )

    def blocked(self) -> list[str]:
        """One line for every unit that waits."""
        lines = [
            f"{name} waits at item {queue[0].done} of {queue[0].place}"
            for name, queue in zip(FEED_UNITS, self._feeds, strict=True)
            if queue
        ]
        for tile, busy in enumerate(self._busy):
            for execution in busy:
                if execution is not None and execution.sides is not None:
                    done = ", ".join(str(side.done[tile]) for side in execution.sides)
                    unit = UNITS[execution.unit]
                    lines.append(f"tile {tile}: {unit} waits at item {done} of {execution.place}")
        return lines
