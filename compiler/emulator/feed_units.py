"""Concurrent mode: infeeds, pop and outfeed, each in order on its own clock."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..lowering.program import ScalarFence
from .chip import FEED_UNITS, POP, idle
from .clocks import CORE, Clock, feed_thread
from .feeds import Feed, InfeedRun, OutfeedRun, PopRun

if TYPE_CHECKING:
    from .concurrent import Concurrent


@dataclass(eq=False, slots=True)
class _Unit:
    """One unit: its instructions with the clock and time of their issue; the first is worked on."""

    number: int
    queue: deque[tuple[Feed, Clock, float]]
    busy: bool = False
    poked: bool = False
    place: int = -1
    current: Feed | None = None


class FeedUnits:
    """The units beside the scalar core."""

    def __init__(self, chip: Concurrent) -> None:
        self.chip = chip
        self._units = [_Unit(number, deque()) for number in range(len(FEED_UNITS))]

    @property
    def busy(self) -> bool:
        """Whether any unit has work."""
        return any(unit.queue for unit in self._units)

    def idle(self, fence: ScalarFence, number: int) -> bool:
        """Whether a unit is as idle as a fence asks."""
        queue = self._units[number].queue
        if not queue or fence.units >> number & 1:
            return not queue
        return number != POP or idle(fence, number, [run for run, _, _ in queue])

    def add(self, number: int, run: Feed, time: float) -> None:
        """Issue an instruction."""
        unit = self._units[number]
        unit.queue.append((run, self.chip.order.clocks.release(CORE), time))
        self.chip.events.at(time, self._step, unit)

    def poke(self) -> None:
        """Something a unit may wait for has changed."""
        for unit in self._units:
            if unit.queue and not unit.busy and not unit.poked:
                unit.poked = True
                self.chip.events.at(self.chip.now, self._step, unit)

    def room_again(self) -> None:
        """A ring consumer has taken rows of channel A: pop may have waited for the room."""
        unit = self._units[POP]
        if unit.queue and not unit.busy and not unit.poked:
            run = unit.queue[0][0]
            if isinstance(run, PopRun) and run.room() > 0:
                unit.poked = True
                self.chip.events.at(self.chip.now, self._step, unit)

    def _step(self, unit: _Unit) -> None:
        chip = self.chip
        unit.poked = False
        while unit.queue and not unit.busy:
            run, clock, arrival = unit.queue[0]
            if arrival > chip.now:
                return
            if unit.current is not run:
                self._begin(unit, run, clock)
            if run.finished:
                unit.queue.popleft()
                if chip.timeline is not None:
                    chip.timeline.end_feed(unit.number, run, chip.now)
                continue
            stop = min(run.reach(), run.boundary(run.done))
            if stop <= run.done:
                return
            chip.order.learn_scalar_waits(feed_thread(unit.number), run.waits, run.done, stop)
            unit.busy = True
            cost = run.cycles(run.done, stop) * chip.random_factor()
            chip.events.at(chip.now + cost, self._complete, unit, run, stop)

    def _begin(self, unit: _Unit, run: Feed, clock: Clock) -> None:
        unit.current = run
        name = type(run).__name__.removesuffix("Run")
        unit.place = self.chip.order.detector.place(f"{run.place} ({name})")
        thread = feed_thread(unit.number)
        self.chip.order.clocks.acquire(thread, clock)
        self.chip.order.works_on(thread, unit.place)
        if self.chip.timeline is not None:
            self.chip.timeline.begin_feed(unit.number, run, self.chip.now)

    def _complete(self, unit: _Unit, run: Feed, stop: int) -> None:
        chip = self.chip
        unit.busy = False
        if run.reach() >= stop:
            thread, first = feed_thread(unit.number), run.done
            chip.act_as(thread)
            rows = run.rows(first, stop) if isinstance(run, OutfeedRun) else 0
            chip.order.learn_outfeed(thread, rows)
            if isinstance(run, InfeedRun):
                chip.order.learn_host(thread, run.source, (stop - first) * run.item_bytes)
            chip.order.access_shared(run.accesses(first, stop), thread, unit.place)
            run.advance(stop)
            if rows:
                chip.outfeed_taken()
        self._step(unit)

    def blocked(self) -> list[str]:
        """One line for every unit that waits."""
        return [
            f"{FEED_UNITS[unit.number]} waits at item {unit.queue[0][0].done} of "
            f"{unit.queue[0][0].place}"
            for unit in self._units
            if unit.queue
        ]
