"""Concurrent mode: every unit on its own clock, block by block, with time and hazards.

An event scheduler. A unit works on one block at a time: from the block's start, when its waits
are met, to its end, when its signals fire. Blocks end wherever some wait or signal counts.
Facts: docs/format/synchronisation.md; costs: `timing`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

import numpy as np

from ..errors import EmulationError, Where
from ..lowering.program import (
    Direction,
    Flag,
    Infeed,
    Outfeed,
    Pop,
    ScalarFence,
    ScalarFlag,
    TileFence,
    TileInstruction,
)
from .chip import (
    FEED_UNITS,
    UNITS,
    Chip,
    feed_of,
    located,
    missing_producer,
    start,
    unit_of,
)
from .clocks import CORE, front_end
from .events import EventQueue
from .execution import Execution, Key, Side, Signal
from .feed_units import FeedUnits
from .front_end import FrontEnd
from .hazards import DoubleWrite
from .host import HostMemory
from .memories import TILES, Array, TileMemories
from .order import Order
from .ring import ProduceSide
from .timing import Speeds, Timeline
from .workers import Worker

RING_ROWS = 1
"""Rows a receiver holds before its sender has to wait."""


class Concurrent(Chip):
    """The chip in time. `order` holds what happened before what and the hazards found."""

    computes = True
    """Whether the values written count."""

    def __init__(
        self,
        memories: TileMemories,
        host: HostMemory,
        order: Order,
        speeds: Speeds | None = None,
        timeline: Timeline | None = None,
    ) -> None:
        super().__init__(memories, host)
        self.order = order
        self.speeds = speeds or Speeds()
        self.timeline = timeline
        self.core_time = 0.0
        self.events = EventQueue()
        self._random = None if self.speeds.seed is None else random.Random(self.speeds.seed)
        self.front_ends = [FrontEnd(self, tile) for tile in range(TILES)]
        self._section = 0
        self.busy: list[list[Execution | None]] = [[None] * len(UNITS) for _ in range(TILES)]
        self._waiting: dict[tuple[str, int, int], dict[Worker, None]] = {}
        self.feed_units = FeedUnits(self)
        self._thread, self._stepped = CORE, False

    # -- issue ---------------------------------------------------------------------------

    @property
    def now(self) -> float:
        """Clock cycles since the start."""
        return self.events.now

    def tick(self) -> None:
        self.core_time += self.speeds.scalar

    def act_as(self, thread: int, *, stepped: bool = False) -> None:
        """What follows is done by a thread."""
        self._thread, self._stepped = thread, stepped

    def random_factor(self) -> float:
        """How much slower than nominal an instruction is."""
        if self._random is None:
            return 1.0
        return self._random.lognormvariate(0.0, self.speeds.spread)

    def outfeed_taken(self) -> None:
        """The outfeed has room for rows again."""
        for channel in range(2):
            self.wake_tile("room", channel, -1)

    def issue(self, instruction: TileInstruction, tiles: Sequence[int], place: str) -> None:
        item: Execution | TileFence
        if isinstance(instruction, TileFence):
            item = instruction
        else:
            item = Execution(unit_of(instruction), instruction, tiles, place)
            item.section = self._section
        clock = self.order.clocks.release(CORE)
        for tile in tiles:
            self.front_ends[tile].add(item, clock, place)

    def sides_of(self, execution: Execution) -> tuple[Side, ...]:
        """The sides of an instruction that starts."""
        return start(self, execution)

    def begin(self, execution: Execution, tile: int) -> None:
        """A unit of a tile starts an instruction."""
        if execution.sides is None:
            execution.sides = self.sides_of(execution)
            execution.queued = True
        self.busy[tile][execution.unit] = execution
        clock = self.order.clocks.release(front_end(tile))
        place = self.order.place_of(execution)
        speed = self.random_factor()
        if self.timeline is not None:
            self.timeline.begin(execution, tile, self.now)
        for side in execution.sides:
            worker = Worker.of(execution, side, tile, place, speed)
            self.order.clocks.acquire(worker.thread, clock)
            self.order.works_on(worker.thread, place)
            self.events.at(self.now, self._step, worker)
        if not execution.sides:
            self._finish(execution, tile)

    # -- units ---------------------------------------------------------------------------

    def _step(self, worker: Worker) -> None:
        """Start the next block of a side, or wait, or finish."""
        side, tile = worker.side, worker.tile
        first = side.done[tile]
        if first == side.total:
            if worker.execution.finished(tile):
                self._finish(worker.execution, tile)
            return
        stop = min(side.reach(tile, first), side.boundary(first))
        if stop <= first:
            self._wait(worker)
            return
        for group, begin, end in side.waited(first, stop):
            self.order.learn_waits(worker.thread, tile, group, begin, end)
        cost = side.cycles(first, stop) * worker.speed
        self.events.at(self.now + cost, self._complete, worker, first, stop)

    def _wait(self, worker: Worker) -> None:
        worker.waits_for = worker.goods if worker.side.starved(worker.tile) else worker.flags
        for key in worker.waits_for:
            self._waiting.setdefault(key, {})[worker] = None

    def _complete(self, worker: Worker, first: int, stop: int) -> None:
        side, tile = worker.side, worker.tile
        if side.shares_room and side.reach(tile, first) < stop:
            # Another sender took the room meanwhile.
            self._step(worker)
            return
        self.act_as(worker.thread, stepped=side.stepped)
        if worker.data is not None:
            self._learn_data(worker, worker.data, stop - first)
        double: list[DoubleWrite] = []
        if self.order.tracks:
            accesses = side.known_accesses(first, stop)
            double = self.order.access(accesses, worker.thread, worker.place, tile)
        before = [each.content(self.memories, tile) for each in double]
        try:
            side.advance([tile], first, stop)
        except EmulationError as error:
            raise located(error, worker.execution) from None
        for each, known in zip(double, before, strict=True):
            same = self.computes and np.array_equal(known, each.content(self.memories, tile))
            self.order.detector.add(each.judged(same=same))
        if worker.data is not None and worker.data[0] == "ring":
            self._room_again(worker.data[1])
        if self.timeline is not None:
            self.timeline.block(worker.execution, tile, side, (first, stop))
        self._step(worker)

    def _learn_data(self, worker: Worker, key: Key, count: int) -> None:
        kind, index = key
        if kind == "ring":
            self.order.learn_rows(worker.thread, index, worker.tile, count)
        elif getattr(worker.side, "fill", None) is None:
            self.order.learn_words(worker.thread, index, worker.tile, count)

    def _room_again(self, channel: int) -> None:
        """A receiver has taken rows: senders may have waited for the room."""
        waiting = self._waiting.get(("room", channel, -1))
        for worker in list(waiting or ()):
            assert isinstance(worker.side, ProduceSide)
            if worker.side.room() > 0:
                self._wake(worker)
        self.feed_units.room_again()

    def _finish(self, execution: Execution, tile: int) -> None:
        if self.observer is not None:
            self.observer(self, execution, tile)
        self.busy[tile][execution.unit] = None
        if self.timeline is not None:
            self.timeline.end(execution, tile, self.now)
        execution.remaining -= 1
        if not execution.remaining:
            execution.sides = ()
        self.events.at(self.now, self.front_ends[tile].dispatch)

    # -- signals and data ------------------------------------------------------------------

    def fire(self, signals: Iterable[Signal], tiles: Sequence[int], start: int, stop: int) -> None:
        for signal in signals:
            count = signal.count(start, stop)
            if not count:
                continue
            if signal.everywhere:
                self.produced(signal.flag, count)
                continue
            steps = count if self._stepped else 1
            clock = self.order.clocks.release(self._thread, steps)
            for tile in tiles:
                self.counters.tile[signal.flag][tile] += count
                self.order.signal(signal.flag, tile, self._thread, clock, (count, self._stepped))
                self.wake_tile("flag", signal.flag, tile)

    def produced(self, flag: Flag, count: int) -> None:
        clock = self.order.clocks.release(self._thread)
        for tile in range(TILES):
            self.counters.tile[flag][tile] += count
            self.order.signal(flag, tile, self._thread, clock, (count, False))
            self.wake_tile("flag", flag, tile)
            self.events.at(self.now, self.front_ends[tile].dispatch)
        channel = flag is Flag.RING_PRODUCER_B
        self.scalar_signal(ScalarFlag.PRODUCER_B if channel else ScalarFlag.PRODUCER_A, count)

    def scalar_signal(self, flag: ScalarFlag, count: int) -> None:
        self.counters.scalar[flag] += count
        clock = self.order.clocks.release(self._thread)
        self.order.signal(flag, None, self._thread, clock, (count, False))
        self.feed_units.poke()

    def send(self, channel: int, destinations: Iterable[int], block: Array, to_host: bool) -> None:
        clock = self.order.clocks.release(self._thread)
        for tile in destinations:
            self.ports[channel][tile].put(block)
            self.order.rows[channel][tile].append([clock, len(block)])
            self.order.sent(self._thread, channel, tile, clock)
            self.wake_tile("ring", channel, tile)
        if to_host:
            self.outfeed.put(block)
            self.order.outfeed.append([clock, len(block)])
            self.order.sent(self._thread, 0, TILES, clock)
            self.feed_units.poke()

    def room(self, channel: int, destinations: Iterable[int], *, to_host: bool) -> int:
        ports = self.ports[channel]
        taken = self.outfeed.available if to_host else 0
        for tile in destinations:
            if taken >= RING_ROWS:
                break
            taken = max(taken, ports[tile].available)
        return RING_ROWS - taken

    def deliver(self, direction: Direction, tile: int, words: Array) -> None:
        clock = self.order.clocks.release(self._thread)
        self.links[direction][tile].put(words)
        self.order.words[direction][tile].append([clock, len(words)])
        self.wake_tile("mesh", direction, tile)

    def wake(self, key: Key) -> None:
        for tile in range(TILES):
            self.wake_tile(*key, tile)

    def wake_tile(self, kind: str, index: int, tile: int) -> None:
        """Something that sides on a tile (-1: on any) may wait for has changed."""
        waiting = self._waiting.get((kind, index, tile))
        if waiting:
            for worker in list(waiting):
                self._wake(worker)

    def _wake(self, worker: Worker) -> None:
        """Whatever a side waits for may be there."""
        for key in worker.waits_for:
            del self._waiting[key][worker]
        self.events.at(self.now, self._step, worker)

    # -- scalar core -----------------------------------------------------------------------

    def feed(self, instruction: Infeed | Pop | Outfeed, place: str) -> None:
        try:
            unit, run = feed_of(self, instruction, place)
        except EmulationError as error:
            error.where = Where(op=place)
            raise
        self.feed_units.add(unit, run, self.core_time)

    def settle(self, address: int = 0, size: int = 0) -> None:
        self.events.run_until(self.core_time)
        while self.host.overlaps(address, size) and self.events:
            self.events.next()
        self.core_time = max(self.core_time, self.now)

    def arrived(self, source: int, size: int) -> None:
        self.order.requested(source, size)
        self.feed_units.poke()

    def interrupt(self) -> None:
        self.events.run_until(self.core_time)
        self.order.end()

    def touch(self, address: int, *, write: bool) -> None:
        self.events.run_until(self.core_time)
        place = self.order.detector.place("scalar core")
        self.order.access_shared([self.order.word(address, write=write)], CORE, place)

    def fence(self, fence: ScalarFence, place: str) -> None:
        self.events.run_until(self.core_time)
        for is_open, missing in self._conditions(fence):
            while not is_open():
                if not self.events:
                    raise self._stuck(place, missing)
                self.events.next()
        for tile in range(TILES):
            if fence.notify_tiles >> tile & 1:
                for _ in range(fence.notify_count):
                    self.order.clocks.acquire(CORE, self.front_ends[tile].notices.popleft())
        self.order.pass_scalar_fence(fence, place)
        self._section += bool(fence.notify_count)
        self.core_time = max(self.core_time, self.now) + self.speeds.fence
        self.events.now = max(self.now, self.core_time)
        clock = self.order.clocks.release(CORE)
        for flag in ScalarFlag:
            if fence.flags >> flag & 1:
                self.counters.scalar[flag] = fence.value
                self.order.set(flag, None, fence.value, clock)
        self.feed_units.poke()

    def _conditions(self, fence: ScalarFence) -> Iterator[tuple[Callable[[], bool], str]]:
        """What must be so before the scalar core may pass, and what to say if it never is;
        what is met stays so while the scalar core waits."""
        for bit, name in enumerate(FEED_UNITS):
            yield partial(self.feed_units.idle, fence, bit), f"the {name} never becomes idle"
        missing = missing_producer(self.counters, fence)
        yield (
            lambda: not missing_producer(self.counters, fence),
            f"counter {missing} is never reached",
        )
        for tile, front in enumerate(self.front_ends):
            if fence.notify_tiles >> tile & 1:
                yield (
                    partial(front.has_notified, fence.notify_count),
                    f"tile {tile} never notifies the scalar core",
                )

    def finish(self) -> None:
        while self.events:
            self.events.next()
        busy = self.feed_units.busy or any(front.waiting for front in self.front_ends)
        if busy or any(any(units) for units in self.busy):
            raise self._stuck("the end of the program", "units are still busy")
        notices = [len(front.notices) for front in self.front_ends]
        self.order.check_left_over(self.ports, self.outfeed, self.links, notices)
        self.events.now = max(self.now, self.core_time)

    def _stuck(self, place: str, what: str) -> EmulationError:
        waiting = self.blocked()
        self.order.dead_lock(place, waiting)
        return EmulationError(
            f"dead-lock: {what}", where=Where(op=place), hint="; ".join(waiting[:4])
        )

    def blocked(self) -> list[str]:
        """One line for every unit that waits."""
        lines = self.feed_units.blocked()
        for tile, busy in enumerate(self.busy):
            for execution in busy:
                if execution is not None:
                    done = ", ".join(str(side.done[tile]) for side in execution.sides or ())
                    unit = UNITS[execution.unit]
                    lines.append(f"tile {tile}: {unit} waits at item {done} of {execution.place}")
        return lines
