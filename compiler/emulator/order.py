"""What happened before what in a concurrent run, and the hazards that follow.

Keeps a vector clock for every thread, the signals of every counter, and the clocks that travel
with ring rows and mesh words. Used by `concurrent`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..lowering.program import Direction, Flag, ScalarFence, ScalarFlag, TileFence
from .accesses import Access, Space
from .chip import FEED_UNITS, POP, RETURNED_POPS, UNITS
from .clocks import CORE, HOST, Clock, Clocks, feed_thread, front_end, unit_thread
from .counter_order import CounterOrder, met
from .counters import WaitSet
from .execution import Execution
from .feeds import ACTIVATIONS, PARAMETERS
from .hazards import Detector, DoubleWrite, Kind, Report
from .memories import TILES
from .mesh import MeshLink
from .ring import RingPort

Parcel = list[object]
"""[clock, rows or words left]."""
_MESH_UNITS = range(6, 10)


@dataclass(frozen=True, slots=True)
class _Sender:
    """Who sent a row to a receiver last: its step then, and the last step of the scalar core it
    knew of, which is not before its issue."""

    thread: int
    step: int
    issued: int
    place: str


class Order:
    """Clocks, histories and the detector of one program run. tracks: whether accesses count."""

    tracks = True

    def __init__(self, detector: Detector) -> None:
        self.detector = detector
        detector.new_program()
        self.clocks = Clocks()
        self._owners: dict[int, str] = {}
        self.counters = CounterOrder(self.clocks, detector, self._owners)
        self.rows = [[deque[Parcel]() for _ in range(TILES)] for _ in range(2)]
        self.words = {way: [deque[Parcel]() for _ in range(TILES)] for way in Direction}
        self.outfeed: deque[Parcel] = deque()
        self._places: dict[str, int] = {}
        self._last_sender: dict[tuple[int, int], _Sender] = {}
        self._asked: list[int] = []
        self._arriving = {source: deque[list[int]]() for source in (PARAMETERS, ACTIVATIONS)}
        self._acted: dict[int, int] = {}
        self._told = False

    def place_of(self, execution: Execution) -> int:
        """Number of an instruction in reports."""
        text = f"{execution.place} ({type(execution.instruction).__name__})"
        found = self._places.get(text)
        if found is None:
            found = self._places[text] = self.detector.place(text)
        return found

    def word(self, address: int, *, write: bool) -> Access:
        """An access of the scalar core's memory."""
        return Access(Space.SCALAR, write, np.array([address]))

    def access(
        self, accesses: Iterable[Access], thread: int, place: int, tile: int | None
    ) -> list[DoubleWrite]:
        """A thread is about to read and write memory. Returns the double writes, which are to
        be judged and added."""
        clock = self.clocks.now[thread]
        self._acted[thread] = int(clock[thread])
        if self._told:
            self._report_early_end(thread)
        return self.detector.access(accesses, clock, thread, place, tile)

    def access_shared(self, accesses: Iterable[Access], thread: int, place: int) -> None:
        """As `access`, for the memories beside the tiles: no double write is harmless."""
        for double in self.access(accesses, thread, place, None):
            self.detector.add(double.report)

    def works_on(self, thread: int, place: int) -> None:
        """A thread starts an instruction."""
        self._owners[thread] = self.detector.places[place]

    def end(self) -> None:
        """The scalar core tells the host that the program is done: it must know that every
        unit is."""
        self._told = True
        now = self.clocks.now[CORE]
        for thread, step in self._acted.items():
            if step > now[thread]:
                self._report_early_end(thread)

    def _report_early_end(self, thread: int) -> None:
        owner = self._owners.get(thread, "")
        self.detector.add(Report(Kind.EARLY_END, "the end of the program", None, other=owner))

    # -- learning --------------------------------------------------------------------------

    def learn_unit(self, thread: int, tile: int, unit: int) -> None:
        """A unit of the tile is idle: the thread knows all it did."""
        for side in range(2 if unit in _MESH_UNITS else 1):
            self.clocks.acquire(thread, self.clocks.release(unit_thread(tile, unit, side)))

    def learn_waits(self, thread: int, tile: int, group: WaitSet, begin: int, end: int) -> None:
        """Items begin..end of the group's stream may run on a tile: their waits were met."""
        for wait, value in met(group, begin, end):
            self.counters.wait(self.counters.tile[wait.flag][tile], thread, value)

    def learn_scalar_waits(self, thread: int, group: WaitSet, begin: int, end: int) -> None:
        for wait, value in met(group, begin, end):
            self.counters.wait(self.counters.scalar[wait.flag], thread, value)

    def learn_rows(self, thread: int, channel: int, tile: int, count: int) -> None:
        self._take(thread, self.rows[channel][tile], count)

    def learn_words(self, thread: int, direction: int, tile: int, count: int) -> None:
        self._take(thread, self.words[Direction(direction)][tile], count)

    def learn_outfeed(self, thread: int, count: int) -> None:
        self._take(thread, self.outfeed, count)

    def requested(self, source: int, size: int) -> None:
        """The scalar core asks the host for bytes of an input stream."""
        self._asked.append(int(self.clocks.release(CORE)[CORE]))
        self._arriving[source].append([size, len(self._asked)])

    def learn_host(self, thread: int, source: int, count: int) -> None:
        """An infeed takes bytes of an input stream: it knows that they were asked for."""
        arriving = self._arriving[source]
        while count and arriving:
            transfer = arriving[0]
            self.clocks.now[thread, HOST] = max(self.clocks.now[thread, HOST], transfer[1])
            taken = min(count, transfer[0])
            count -= taken
            transfer[0] -= taken
            if not transfer[0]:
                arriving.popleft()

    def _take(self, thread: int, parcels: deque[Parcel], count: int) -> None:
        while count and parcels:
            clock, left = parcels[0]
            assert isinstance(clock, np.ndarray) and isinstance(left, int)
            self.clocks.acquire(thread, clock)
            taken = min(count, left)
            count -= taken
            if taken == left:
                parcels.popleft()
            else:
                parcels[0][1] = left - taken

    def sent(self, thread: int, channel: int, receiver: int, clock: Clock) -> None:
        """A row goes to a receiver (a tile, or TILES for the outfeed): the row before it must
        be known to be sent."""
        before = self._last_sender.get((channel, receiver))
        place = self._owners.get(thread, "")
        sender = _Sender(thread, int(clock[thread]), int(clock[CORE]), place)
        self._last_sender[channel, receiver] = sender
        if before is None or before.thread == thread or clock[before.thread] >= before.step:
            return
        transfers = int(clock[HOST])
        late = thread > CORE and transfers and self._asked[transfers - 1] > before.issued
        tile = None if receiver == TILES else receiver
        name = f"ring channel {'AB'[channel]}" if tile is not None else "outfeed"
        kind = Kind.HOST_ORDER if late else Kind.MESSAGE_ORDER
        self.detector.add(Report(kind, place, tile, name, None, before.place))

    # -- fences ----------------------------------------------------------------------------

    def pass_fence(self, fence: TileFence, tile: int, place: str) -> None:
        """A tile's front end passes a fence."""
        front = front_end(tile)
        self._owners[front] = f"{place} (TileFence)"
        for unit in range(len(UNITS)):
            if fence.units >> unit & 1:
                self.learn_unit(front, tile, unit)
        for bit, flag in enumerate((Flag.RING_PRODUCER_A, Flag.RING_PRODUCER_B)):
            if fence.producers >> bit & 1:
                self.counters.wait(self.counters.tile[flag][tile], front, fence.producer_threshold)
        for flag in Flag:
            if fence.flags >> flag & 1:
                self.counters.check_set(self.counters.tile[flag][tile], fence.value)

    def signal(
        self,
        flag: Flag | ScalarFlag,
        tile: int | None,
        thread: int,
        clock: Clock,
        signals: tuple[int, bool],
    ) -> None:
        """A thread that knows `clock` signals a counter. signals: how often, and whether at a
        step of its own each time."""
        count, stepped = signals
        history = self.counters.history(flag, tile)
        self.counters.signal(history, thread, clock, count, stepped=stepped)

    def set(self, flag: Flag | ScalarFlag, tile: int | None, value: int, clock: Clock) -> None:
        """A fence sets a counter of a tile, or (None) of the scalar core."""
        self.counters.history(flag, tile).reset(value, clock)

    def pass_scalar_fence(self, fence: ScalarFence, place: str) -> None:
        self._owners[CORE] = f"{place} (ScalarFence)"
        for unit in range(len(FEED_UNITS)):
            if fence.units >> unit & 1 or (unit == POP and fence.units & RETURNED_POPS):
                self.clocks.acquire(CORE, self.clocks.release(feed_thread(unit)))
        needed = (fence.producer_a, fence.producer_b)
        for bit, flag in enumerate((ScalarFlag.PRODUCER_A, ScalarFlag.PRODUCER_B)):
            if fence.producers >> bit & 1:
                self.counters.wait(self.counters.scalar[flag], CORE, needed[bit])
        for flag in ScalarFlag:
            if fence.flags >> flag & 1:
                self.counters.check_set(self.counters.scalar[flag], fence.value)

    # -- other reports -----------------------------------------------------------------------

    def check_left_over(
        self,
        ports: Sequence[Sequence[RingPort]],
        outfeed: RingPort,
        links: Mapping[Direction, Sequence[MeshLink]],
        notices: Sequence[int],
    ) -> None:
        """Nothing may be on its way when a program ends. notices: notifications that no scalar
        fence has taken, by tile."""
        queues = [
            (f"ring channel {'AB'[channel]}", tile, port.available)
            for channel, row in enumerate(ports)
            for tile, port in enumerate(row)
        ]
        queues += [
            (f"mesh link {way.name.lower()}", tile, link.available)
            for way, row in links.items()
            for tile, link in enumerate(row)
        ]
        queues += [("notifications", tile, count) for tile, count in enumerate(notices)]
        self.counters.check_unset()
        end = "the end of the program"
        for name, tile, left in queues:
            if left:
                self.detector.add(Report(Kind.LEFT_OVER, end, tile, name, count=left))
        if outfeed.available:
            self.detector.add(Report(Kind.LEFT_OVER, end, None, "outfeed", count=outfeed.available))

    def dead_lock(self, place: str, waiting: Sequence[str]) -> None:
        self.detector.add(Report(Kind.DEAD_LOCK, place, None, other="; ".join(waiting[:4])))
