"""What happened before what in a concurrent run, and the hazards that follow.

Keeps a vector clock for every thread, the signals of every counter, and the clocks that travel
with ring rows and mesh words. Used by `concurrent`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from ..lowering.program import Direction, Flag, ScalarFence, ScalarFlag, TileFence
from .accesses import Access, Space
from .chip import FEED_UNITS, UNITS
from .clocks import CORE, Clock, Clocks, History, feed_thread, front_end, unit_thread
from .counters import Counters, WaitSet, wrapped
from .execution import Execution
from .hazards import Detector, Kind, Report
from .memories import TILES
from .mesh import MeshLink
from .ring import RingPort

Parcel = list[object]
"""[clock, rows or words left]."""
_MESH_UNITS = range(6, 10)
_POP, _RETURNED_POPS = 2, 0x10


class Order:
    """Clocks, histories and the detector of one program run. tracks: whether accesses count."""

    tracks = True

    def __init__(self, detector: Detector) -> None:
        self.detector = detector
        detector.new_program()
        self.clocks = Clocks()
        self.tile = [[History() for _ in range(TILES)] for _ in Flag]
        self.scalar = [History() for _ in ScalarFlag]
        self.rows = [[deque[Parcel]() for _ in range(TILES)] for _ in range(2)]
        self.words = {way: [deque[Parcel]() for _ in range(TILES)] for way in Direction}
        self.outfeed: deque[Parcel] = deque()
        self._places: dict[int, int] = {}
        self._owners: dict[int, str] = {}
        self._set_at: dict[tuple[Flag, int], int] = {}
        self._last_sender: dict[tuple[int, int], tuple[int, int]] = {}

    def place_of(self, execution: Execution) -> int:
        """Number of an instruction in reports."""
        found = self._places.get(id(execution.instruction))
        if found is None:
            text = f"{execution.place} ({type(execution.instruction).__name__})"
            found = self._places[id(execution.instruction)] = self.detector.place(text)
        return found

    def word(self, address: int, *, write: bool) -> Access:
        """An access of the scalar core's memory."""
        return Access(Space.SCALAR, write, np.array([address]))

    def access(self, accesses: Iterable[Access], thread: int, place: int, tile: int | None) -> None:
        self._owners[thread] = self.detector.places[place]
        self.detector.access(accesses, self.clocks.now[thread], thread, place, tile)

    # -- learning --------------------------------------------------------------------------

    def learn_unit(self, thread: int, tile: int, unit: int) -> None:
        """A unit of the tile is idle: the thread knows all it did."""
        for side in range(2 if unit in _MESH_UNITS else 1):
            self.clocks.acquire(thread, self.clocks.release(unit_thread(tile, unit, side)))

    def learn_waits(self, thread: int, tile: int, group: WaitSet, begin: int, end: int) -> None:
        """Items begin..end of the group's stream may run: their waits were met."""
        for wait in group.waits:
            block = last_block(group, wait.level, begin, end)
            if block >= 0:
                history = self.tile[wait.flag][tile]
                self._learn(thread, history, wait.threshold + block * wait.increment)

    def learn_scalar_waits(self, thread: int, group: WaitSet, begin: int, end: int) -> None:
        for wait in group.waits:
            block = last_block(group, wait.level, begin, end)
            if block >= 0:
                history = self.scalar[wait.flag]
                self._learn(thread, history, wait.threshold + block * wait.increment)

    def _learn(self, thread: int, history: History, value: int) -> None:
        """The counter, which wraps, has reached `value`."""
        count = history.value
        reached = count - wrapped(count - value)
        for clock in history.known_at(reached):
            self.clocks.acquire(thread, clock)

    def learn_rows(self, thread: int, channel: int, tile: int, count: int) -> None:
        self._take(thread, self.rows[channel][tile], count)

    def learn_words(self, thread: int, direction: int, tile: int, count: int) -> None:
        self._take(thread, self.words[Direction(direction)][tile], count)

    def learn_outfeed(self, thread: int, count: int) -> None:
        self._take(thread, self.outfeed, count)

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
        self._last_sender[channel, receiver] = thread, int(clock[thread])
        if before is None or before[0] == thread or clock[before[0]] >= before[1]:
            return
        tile = None if receiver == TILES else receiver
        name = f"ring channel {'AB'[channel]}" if tile is not None else "outfeed"
        place, other = self._owners.get(thread, ""), self._owners.get(before[0], "")
        kind = Kind.HOST_ORDER if thread > CORE else Kind.MESSAGE_ORDER
        self.detector.add(Report(kind, place, tile, name, None, other))

    # -- fences ----------------------------------------------------------------------------

    def pass_fence(self, fence: TileFence, tile: int, counters: Counters, place: str) -> None:
        """A tile's front end passes a fence."""
        front = front_end(tile)
        for unit in range(len(UNITS)):
            if fence.units >> unit & 1:
                self.learn_unit(front, tile, unit)
        for bit, flag in enumerate((Flag.RING_PRODUCER_A, Flag.RING_PRODUCER_B)):
            if fence.producers >> bit & 1:
                self._learn(front, self.tile[flag][tile], fence.producer_threshold)
        for flag in Flag:
            if fence.flags >> flag & 1:
                self._check_set(self.tile[flag][tile], front, f"{place} (TileFence)", tile, flag)

    def _check_set(self, history: History, thread: int, place: str, tile: int, flag: Flag) -> None:
        """Whoever signals a counter must be known to be done when it is set."""
        for other, step in history.last.items():
            if step > self.clocks.now[thread, other]:
                owner = self._owners.get(other, "")
                self.detector.add(
                    Report(Kind.UNBALANCED, place, tile, f"counter {flag.name}", None, owner)
                )

    def set(self, flag: Flag, tile: int, value: int, clock: Clock) -> None:
        """A fence sets a counter of a tile."""
        self.tile[flag][tile].reset(value, clock)
        self._set_at[flag, tile] = int(clock[front_end(tile)])

    def signalled(self, flag: Flag, tile: int, thread: int, clock: Clock) -> None:
        """A signal must know of the fence that set its counter last."""
        if self._set_at.get((flag, tile), 0) > clock[front_end(tile)]:
            place = self._owners.get(thread, "")
            name = f"counter {flag.name}"
            self.detector.add(Report(Kind.UNBALANCED, place, tile, name, None, "a later fence"))

    def pass_scalar_fence(self, fence: ScalarFence) -> None:
        for unit in range(len(FEED_UNITS)):
            if fence.units >> unit & 1 or (unit == _POP and fence.units & _RETURNED_POPS):
                self.clocks.acquire(CORE, self.clocks.release(feed_thread(unit)))
        needed = (fence.producer_a, fence.producer_b)
        for bit, flag in enumerate((ScalarFlag.PRODUCER_A, ScalarFlag.PRODUCER_B)):
            if fence.producers >> bit & 1:
                self._learn(CORE, self.scalar[flag], needed[bit])

    # -- other reports -----------------------------------------------------------------------

    def check_left_over(
        self,
        ports: Sequence[Sequence[RingPort]],
        outfeed: RingPort,
        links: Mapping[Direction, Sequence[MeshLink]],
    ) -> None:
        """Nothing may be on its way when a program ends."""
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
        end = "the end of the program"
        for name, tile, left in queues:
            if left:
                self.detector.add(Report(Kind.LEFT_OVER, end, tile, name, count=left))
        if outfeed.available:
            self.detector.add(Report(Kind.LEFT_OVER, end, None, "outfeed", count=outfeed.available))

    def dead_lock(self, place: str, waiting: Sequence[str]) -> None:
        self.detector.add(Report(Kind.DEAD_LOCK, place, None, other="; ".join(waiting[:4])))


def last_block(group: WaitSet, level: int, begin: int, end: int) -> int:
    """The last block that starts in items begin..end; -1 if none does."""
    stream = group.stream
    if end <= begin:
        return -1
    block = stream.finished(level, end - 1)
    if stream.start(level, block) > end - 1:
        block -= 1
    return block if stream.start(level, block) >= begin else -1


__all__ = ["Clock", "Order", "last_block"]
