"""Concurrent mode: the front end of a tile hands its instructions to the units, in order."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from ..lowering.program import Flag, TileFence
from .chip import UNITS, producers_reached
from .clocks import Clock, front_end
from .execution import Execution

if TYPE_CHECKING:
    from .concurrent import Concurrent


class FrontEnd:
    """A unit holds one instruction; while the next one's unit is busy, or a fence is closed,
    everything behind waits. notices: clocks of notifications the scalar core has not taken."""

    def __init__(self, chip: Concurrent, tile: int) -> None:
        self.chip = chip
        self.tile = tile
        self.notices: deque[Clock] = deque()
        self._queue: deque[tuple[Execution | TileFence, Clock, float, str]] = deque()
        self._free = 0.0
        self._passing = False

    @property
    def waiting(self) -> bool:
        """Whether instructions have not been handed out."""
        return bool(self._queue)

    def has_notified(self, count: int) -> bool:
        """Whether the tile has notified the scalar core so often."""
        return len(self.notices) >= count

    def add(self, item: Execution | TileFence, clock: Clock, place: str) -> None:
        """The scalar core issues an instruction."""
        self._queue.append((item, clock, self.chip.core_time, place))
        self.chip.events.at(self.chip.core_time, self.dispatch)

    def dispatch(self) -> None:
        """Hand out the next instruction if it can go."""
        chip, tile = self.chip, self.tile
        if not self._queue or self._passing:
            return
        item, clock, arrival, place = self._queue[0]
        ready = max(arrival, self._free)
        if chip.now < ready:
            chip.events.at(ready, self.dispatch)
        elif isinstance(item, TileFence):
            if self._open(item):
                chip.order.clocks.acquire(front_end(tile), clock)
                chip.order.pass_fence(item, tile, place)
                self._passing = True
                self._queue.popleft()
                chip.events.at(chip.now + chip.speeds.fence, self._set_flags, item)
        elif chip.busy[tile][item.unit] is None:
            chip.order.clocks.acquire(front_end(tile), clock)
            chip.order.learn_unit(front_end(tile), tile, item.unit)
            self._queue.popleft()
            self._free = chip.now + chip.speeds.issue
            chip.begin(item, tile)
            chip.events.at(self._free, self.dispatch)

    def _open(self, fence: TileFence) -> bool:
        busy = self.chip.busy[self.tile]
        if any(fence.units >> unit & 1 and busy[unit] for unit in range(len(UNITS))):
            return False
        return producers_reached(self.chip.counters, fence, self.tile)

    def _set_flags(self, fence: TileFence) -> None:
        chip, tile = self.chip, self.tile
        clock = chip.order.clocks.release(front_end(tile))
        for flag in Flag:
            if fence.flags >> flag & 1:
                chip.counters.tile[flag][tile] = fence.value
                chip.order.set(flag, tile, fence.value, clock)
                chip.wake_tile("flag", flag, tile)
        if fence.notify & 1:
            self.notices.append(clock)
        self._passing = False
        self.dispatch()
