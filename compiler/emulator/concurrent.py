"""Concurrent mode: every unit on its own clock, block by block, with time and hazards.

An event scheduler. A unit works on one block at a time: from the block's start, when its waits
are met, to its end, when its signals fire. Blocks end wherever some wait or signal counts.
Facts: docs/format/synchronisation.md; costs: `timing`.
"""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

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
from .accesses import Access, Space
from .chip import (
    FEED_UNITS,
    UNITS,
    Chip,
    feed_of,
    idle,
    located,
    missing_producer,
    producers_reached,
    start,
    unit_of,
)
from .clocks import CORE, Clock, feed_thread, front_end, unit_thread
from .execution import Execution, Key, Side, Signal
from .feeds import Feed, OutfeedRun
from .host import HostMemory
from .memories import TILES, Array, TileMemories
from .mesh import ReceiveSide
from .order import Order
from .timing import Speeds, Timeline

_EVENT_LIMIT = 20_000_000
RING_ROWS = 1
"""Rows a receiver holds before its sender has to wait."""


@dataclass(eq=False, slots=True)
class Worker:
    """One side of an instruction on one tile."""

    execution: Execution
    side: Side
    tile: int
    thread: int
    place: int
    speed: float
    waiting: bool = False


@dataclass(eq=False, slots=True)
class FeedWorker:
    """One unit beside the scalar core."""

    unit: int
    queue: deque[tuple[Feed, Clock, float]]
    busy: bool = False
    poked: bool = False
    place: int = -1
    current: Feed | None = None


class Concurrent(Chip):
    """The chip in time. `order` holds what happened before what and the hazards found."""

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
        self.now = 0.0
        self.core_time = 0.0
        self._events: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._count = 0
        self._random = None if self.speeds.seed is None else random.Random(self.speeds.seed)
        self._issued: list[deque[tuple[Execution | TileFence, Clock, float, str]]] = [
            deque() for _ in range(TILES)
        ]
        self._issue_free = [0.0] * TILES
        self._passing = [False] * TILES
        self._section = 0
        self._busy: list[list[Execution | None]] = [[None] * len(UNITS) for _ in range(TILES)]
        self._notices: list[deque[Clock]] = [deque() for _ in range(TILES)]
        self._waiting: dict[tuple[str, int, int], dict[Worker, None]] = {}
        self._feeds = [FeedWorker(unit, deque()) for unit in range(len(FEED_UNITS))]
        self._thread, self._stepped = CORE, False

    # -- events --------------------------------------------------------------------------

    def _at(self, time: float, action: Callable[..., None], *arguments: object) -> None:
        self._count += 1
        if self._count > _EVENT_LIMIT:
            raise EmulationError("the program does not come to an end: too many events")
        heapq.heappush(self._events, (time, self._count, action, arguments))

    def _next(self) -> None:
        self.now, _, action, arguments = heapq.heappop(self._events)
        action(*arguments)

    def _run_until(self, time: float) -> None:
        while self._events and self._events[0][0] <= time:
            self._next()

    def tick(self) -> None:
        self.core_time += self.speeds.scalar

    # -- issue ---------------------------------------------------------------------------

    def issue(self, instruction: TileInstruction, tiles: Sequence[int], place: str) -> None:
        item: Execution | TileFence
        if isinstance(instruction, TileFence):
            item = instruction
        else:
            item = Execution(unit_of(instruction), instruction, tiles, place)
            item.section = self._section
        clock = self.order.clocks.release(CORE)
        for tile in tiles:
            self._issued[tile].append((item, clock, self.core_time, place))
            self._at(self.core_time, self._dispatch, tile)

    def _dispatch(self, tile: int) -> None:
        """The front end of a tile: hand out the next instruction if it can go."""
        queue = self._issued[tile]
        if not queue or self._passing[tile]:
            return
        item, clock, arrival, place = queue[0]
        ready = max(arrival, self._issue_free[tile])
        if self.now < ready:
            self._at(ready, self._dispatch, tile)
            return
        front = front_end(tile)
        if isinstance(item, TileFence):
            busy = self._busy[tile]
            if any(item.units >> unit & 1 and busy[unit] for unit in range(len(UNITS))):
                return
            if not producers_reached(self.counters, item, tile):
                return
            self.order.clocks.acquire(front, clock)
            self.order.pass_fence(item, tile, self.counters, place)
            self._passing[tile] = True
            queue.popleft()
            self._at(self.now + self.speeds.fence, self._set_flags, tile, item)
            return
        if self._busy[tile][item.unit] is not None:
            return
        self.order.clocks.acquire(front, clock)
        self.order.learn_unit(front, tile, item.unit)
        queue.popleft()
        self._issue_free[tile] = self.now + self.speeds.issue
        self._begin(item, tile)
        self._at(self._issue_free[tile], self._dispatch, tile)

    def _set_flags(self, tile: int, fence: TileFence) -> None:
        clock = self.order.clocks.release(front_end(tile))
        for flag in Flag:
            if fence.flags >> flag & 1:
                self.counters.tile[flag][tile] = fence.value
                self.order.set(flag, tile, fence.value, clock)
                self._wake("flag", flag, tile)
        if fence.notify & 1:
            self._notices[tile].append(clock)
        self._passing[tile] = False
        self._dispatch(tile)

    def sides_of(self, execution: Execution) -> tuple[Side, ...]:
        """The sides of an instruction that starts."""
        return start(self, execution)

    def _begin(self, execution: Execution, tile: int) -> None:
        if execution.sides is None:
            execution.sides = self.sides_of(execution)
            execution.queued = True
        self._busy[tile][execution.unit] = execution
        clock = self.order.clocks.release(front_end(tile))
        place = self.order.place_of(execution)
        speed = 1.0
        if self._random is not None:
            speed = self._random.lognormvariate(0.0, self.speeds.spread)
        if self.timeline is not None:
            self.timeline.begin(execution, tile, self.now)
        for side in execution.sides:
            receives = isinstance(side, ReceiveSide)
            thread = unit_thread(tile, execution.unit, int(receives))
            self.order.clocks.acquire(thread, clock)
            worker = Worker(execution, side, tile, thread, place, speed)
            self._at(self.now, self._step, worker)
        if not execution.sides:
            self._finish(execution, tile)

    # -- units ---------------------------------------------------------------------------

    def _step(self, worker: Worker) -> None:
        """Start the next block of a side, or wait, or finish."""
        side, tile = worker.side, worker.tile
        first = side.done[tile]
        worker.waiting = False
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
        self._at(self.now + cost, self._complete, worker, first, stop)

    def _wait(self, worker: Worker) -> None:
        worker.waiting = True
        for kind, index in worker.side.keys():  # noqa: SIM118 - not a mapping
            tile = -1 if kind == "room" else worker.tile
            self._waiting.setdefault((kind, index, tile), {})[worker] = None

    def _complete(self, worker: Worker, first: int, stop: int) -> None:
        side, tile = worker.side, worker.tile
        if side.reach(tile, first) < stop:
            # Another sender took the room meanwhile.
            self._step(worker)
            return
        self._thread, self._stepped = worker.thread, side.stepped
        for key in side.keys():  # noqa: SIM118 - not a mapping
            self._learn_data(worker, key, stop - first)
        if self.order.tracks:
            accesses = side.accesses(first, stop)
            self.order.access(accesses, worker.thread, worker.place, tile)
        try:
            side.advance([tile], first, stop)
        except EmulationError as error:
            raise located(error, worker.execution) from None
        if self.timeline is not None:
            self.timeline.block(worker.execution, tile, side, (first, stop))
        self._step(worker)

    def _learn_data(self, worker: Worker, key: Key, count: int) -> None:
        kind, index = key
        if kind == "ring":
            self.order.learn_rows(worker.thread, index, worker.tile, count)
            self._wake("room", index, -1)
            self._poke_feeds()
        elif kind == "mesh" and getattr(worker.side, "fill", None) is None:
            self.order.learn_words(worker.thread, index, worker.tile, count)

    def _finish(self, execution: Execution, tile: int) -> None:
        if self.observer is not None:
            self.observer(self, execution, tile)
        self._busy[tile][execution.unit] = None
        if self.timeline is not None:
            self.timeline.end(execution, tile, self.now)
        execution.remaining -= 1
        if not execution.remaining:
            execution.sides = ()
        self._at(self.now, self._dispatch, tile)

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
                self.order.signalled(signal.flag, tile, self._thread, clock)
                history = self.order.tile[signal.flag][tile]
                history.add(self._thread, clock, count, stepped=self._stepped)
                self._wake("flag", signal.flag, tile)

    def produced(self, flag: Flag, count: int) -> None:
        clock = self.order.clocks.release(self._thread)
        for tile in range(TILES):
            self.counters.tile[flag][tile] += count
            self.order.tile[flag][tile].add(self._thread, clock, count)
            self._wake("flag", flag, tile)
            self._at(self.now, self._dispatch, tile)
        channel = flag is Flag.RING_PRODUCER_B
        self.scalar_signal(ScalarFlag.PRODUCER_B if channel else ScalarFlag.PRODUCER_A, count)

    def scalar_signal(self, flag: ScalarFlag, count: int) -> None:
        self.counters.scalar[flag] += count
        clock = self.order.clocks.release(self._thread)
        self.order.scalar[flag].add(self._thread, clock, count)
        self._poke_feeds()

    def send(self, channel: int, destinations: Iterable[int], block: Array, to_host: bool) -> None:
        clock = self.order.clocks.release(self._thread)
        for tile in destinations:
            self.ports[channel][tile].put(block)
            self.order.rows[channel][tile].append([clock, len(block)])
            self.order.sent(self._thread, channel, tile, clock)
            self._wake("ring", channel, tile)
        if to_host:
            self.outfeed.put(block)
            self.order.outfeed.append([clock, len(block)])
            self.order.sent(self._thread, 0, TILES, clock)
            self._poke_feeds()

    def room(self, channel: int, destinations: Iterable[int], *, to_host: bool) -> int:
        ports = self.ports[channel]
        taken = max((ports[tile].available for tile in destinations), default=0)
        if to_host:
            taken = max(taken, self.outfeed.available)
        return RING_ROWS - taken

    def deliver(self, direction: Direction, tile: int, words: Array) -> None:
        clock = self.order.clocks.release(self._thread)
        self.links[direction][tile].put(words)
        self.order.words[direction][tile].append([clock, len(words)])
        self._wake("mesh", direction, tile)

    def wake(self, key: Key) -> None:
        for tile in range(TILES):
            self._wake(*key, tile)

    def _wake(self, kind: str, index: int, tile: int) -> None:
        waiting = self._waiting.pop((kind, index, tile), None)
        for worker in waiting or ():
            if worker.waiting:
                worker.waiting = False
                self._at(self.now, self._step, worker)

    # -- units beside the scalar core --------------------------------------------------------

    def feed(self, instruction: Infeed | Pop | Outfeed, place: str) -> None:
        try:
            unit, run = feed_of(self, instruction, place)
        except EmulationError as error:
            error.where = Where(op=place)
            raise
        self._feeds[unit].queue.append((run, self.order.clocks.release(CORE), self.core_time))
        self._at(self.core_time, self._feed_step, self._feeds[unit])

    def _poke_feeds(self) -> None:
        for worker in self._feeds:
            if worker.queue and not worker.busy and not worker.poked:
                worker.poked = True
                self._at(self.now, self._feed_step, worker)

    def _feed_step(self, worker: FeedWorker) -> None:
        worker.poked = False
        while worker.queue and not worker.busy:
            run, clock, arrival = worker.queue[0]
            if arrival > self.now:
                return
            thread = feed_thread(worker.unit)
            if worker.current is not run:
                worker.current = run
                worker.place = self.order.detector.place(f"{run.place} ({type(run).__name__[:-3]})")
                self.order.clocks.acquire(thread, clock)
                if self.timeline is not None:
                    self.timeline.begin_feed(worker.unit, run, self.now)
            if run.finished:
                worker.queue.popleft()
                if self.timeline is not None:
                    self.timeline.end_feed(worker.unit, run, self.now)
                continue
            stop = min(run.reach(), run.boundary(run.done))
            if stop <= run.done:
                return
            self.order.learn_scalar_waits(thread, run.waits, run.done, stop)
            worker.busy = True
            cost = run.cycles(run.done, stop)
            if self._random is not None:
                cost *= self._random.lognormvariate(0.0, self.speeds.spread)
            self._at(self.now + cost, self._feed_complete, worker, run, stop)

    def _feed_complete(self, worker: FeedWorker, run: Feed, stop: int) -> None:
        worker.busy = False
        if run.reach() >= stop:
            self._thread, self._stepped = feed_thread(worker.unit), False
            first = run.done
            rows = run.rows(first, stop) if isinstance(run, OutfeedRun) else 0
            self.order.learn_outfeed(self._thread, rows)
            self.order.access(run.accesses(first, stop), self._thread, worker.place, None)
            run.advance(stop)
            for channel in range(2 if rows else 0):
                self._wake("room", channel, -1)
        self._feed_step(worker)
        self._poke_feeds()

    # -- scalar core -----------------------------------------------------------------------

    def settle(self, address: int = 0, size: int = 0) -> None:
        self._run_until(self.core_time)
        while self.host.overlaps(address, size) and self._events:
            self._next()
        self.core_time = max(self.core_time, self.now)

    def arrived(self) -> None:
        self._poke_feeds()

    def touch(self, address: int, *, write: bool) -> None:
        self._run_until(self.core_time)
        place = self.order.detector.place("scalar core")
        self.order.access([self.order.word(address, write=write)], CORE, place, None)

    def fence(self, fence: ScalarFence, place: str) -> None:
        self._run_until(self.core_time)
        for missing in self._conditions(fence):
            while missing() and self._events:
                self._next()
            if missing():
                raise self._stuck(place, missing())
        for tile in range(TILES):
            if fence.notify_tiles >> tile & 1:
                for _ in range(fence.notify_count):
                    self.order.clocks.acquire(CORE, self._notices[tile].popleft())
        self.order.pass_scalar_fence(fence)
        self._section += bool(fence.notify_count)
        self.core_time = max(self.core_time, self.now) + self.speeds.fence
        self.now = max(self.now, self.core_time)
        clock = self.order.clocks.release(CORE)
        for flag in ScalarFlag:
            if fence.flags >> flag & 1:
                self.counters.scalar[flag] = fence.value
                self.order.scalar[flag].reset(fence.value, clock)
        self._poke_feeds()

    def _conditions(self, fence: ScalarFence) -> Iterator[Callable[[], str]]:
        """Functions that say why the scalar core may not pass, "" if it may; what is met stays
        so while the scalar core waits."""
        for bit in range(len(FEED_UNITS)):
            yield partial(self._busy_feed, fence, bit)
        yield partial(self._missing_messages, fence)
        for tile in range(TILES):
            if fence.notify_tiles >> tile & 1:
                yield partial(self._missing_notice, fence, tile)

    def _busy_feed(self, fence: ScalarFence, bit: int) -> str:
        queue = self._feeds[bit].queue
        if not queue or idle(fence, bit, [run for run, _, _ in queue]):
            return ""
        return f"the {FEED_UNITS[bit]} never becomes idle"

    def _missing_messages(self, fence: ScalarFence) -> str:
        missing = missing_producer(self.counters, fence)
        return f"counter {missing} is never reached" if missing else ""

    def _missing_notice(self, fence: ScalarFence, tile: int) -> str:
        if len(self._notices[tile]) >= fence.notify_count:
            return ""
        return f"tile {tile} never notifies the scalar core"

    def finish(self) -> None:
        while self._events:
            self._next()
        busy = any(worker.queue for worker in self._feeds) or any(self._issued)
        if busy or any(any(units) for units in self._busy):
            raise self._stuck("the end of the program", "units are still busy")
        self.order.check_left_over(self.ports, self.outfeed, self.links)
        self.now = max(self.now, self.core_time)

    def _stuck(self, place: str, what: str) -> EmulationError:
        waiting = self.blocked()
        self.order.dead_lock(place, waiting)
        return EmulationError(
            f"dead-lock: {what}", where=Where(op=place), hint="; ".join(waiting[:4])
        )

    def blocked(self) -> list[str]:
        """One line for every unit that waits."""
        lines = [
            f"{FEED_UNITS[worker.unit]} waits at item {worker.queue[0][0].done} of "
            f"{worker.queue[0][0].place}"
            for worker in self._feeds
            if worker.queue
        ]
        for tile, busy in enumerate(self._busy):
            for execution in busy:
                if execution is not None:
                    done = ", ".join(str(side.done[tile]) for side in execution.sides or ())
                    unit = UNITS[execution.unit]
                    lines.append(f"tile {tile}: {unit} waits at item {done} of {execution.place}")
        return lines


__all__ = ["Access", "Concurrent", "Space"]
