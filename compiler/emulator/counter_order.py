"""What is ordered between the signals of a counter, the waits for it and the fences that set it.

Used by `order`. Facts: docs/format/synchronisation.md, "Counters" and "Fences".
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping

import numpy as np

from ..lowering.program import Flag, ScalarFlag, Wait
from .clocks import CORE, Clock, Clocks, front_end
from .counters import WaitSet, wrapped
from .hazards import Detector, Kind, Report
from .memories import TILES

_A_FENCE = "a later fence"


class History:
    """The signals of a counter since it was set to `base`: the i-th makes it base + i + 1.

    setter: the thread whose fences set the counter. last: the last step at which each thread
    signalled. waited: for each thread the step of its last wait and the value it needed.
    before: the counter when it was set."""

    __slots__ = (
        "_counts",
        "_runs",
        "base",
        "before",
        "last",
        "name",
        "set_clock",
        "set_step",
        "setter",
        "tile",
        "value",
        "waited",
    )

    def __init__(self, name: str = "", tile: int | None = None, setter: int = CORE) -> None:
        self.name = name
        self.tile = tile
        self.setter = setter
        self.base = self.before = self.value = self.set_step = 0
        self.set_clock: Clock | None = None
        self._runs: list[tuple[Clock, int, int, bool]] = []
        self._counts: list[int] = []
        self.last: dict[int, int] = {}
        self.waited: dict[int, tuple[int, int]] = {}

    def reset(self, value: int, clock: Clock) -> None:
        """A fence sets the counter."""
        self.before = self.value
        self.base = self.value = value
        self.set_clock, self.set_step = clock, int(clock[self.setter])
        for kept in (self._runs, self._counts, self.last, self.waited):
            kept.clear()

    def add(self, thread: int, clock: Clock, count: int, *, stepped: bool = False) -> None:
        """`count` signals of a thread at once or, if stepped, one at each step from the clock's
        on."""
        first = int(clock[thread])
        if self._runs and (thread not in self.last or len(self.last) > 1):
            clock = np.maximum(self._resolve(len(self._runs) - 1, self.value - 1), clock)
        self.last[thread] = first + count - 1 if stepped else first
        self._runs.append((clock, thread, first, stepped))
        self._counts.append(self.value)
        self.value += count

    def known_at(self, value: int) -> list[Clock]:
        """What a thread learns that has seen the counter reach `value`."""
        learned = [] if self.set_clock is None else [self.set_clock]
        needed = min(value, self.value)
        if needed > self.base:
            run = bisect_right(self._counts, needed - 1) - 1
            learned.append(self._resolve(run, needed - 1))
        return learned

    def _resolve(self, run: int, count: int) -> Clock:
        """The clock of the signal that found the counter at `count`."""
        clock, thread, first, stepped = self._runs[run]
        step = first + count - self._counts[run] if stepped else first
        if clock[thread] == step:
            return clock
        own = clock.copy()
        own[thread] = step
        return own


class CounterOrder:
    """The histories of all counters. owners: for each thread the instruction it works on."""

    def __init__(self, clocks: Clocks, detector: Detector, owners: Mapping[int, str]) -> None:
        self.clocks = clocks
        self.detector = detector
        self.owners = owners
        self.tile = [
            [History(flag.name, tile, front_end(tile)) for tile in range(TILES)] for flag in Flag
        ]
        self.scalar = [History(flag.name) for flag in ScalarFlag]
        self._unset: dict[History, Report] = {}

    def history(self, flag: Flag | ScalarFlag, tile: int | None) -> History:
        """A counter of a tile, or (None) of the scalar core."""
        return self.scalar[flag] if tile is None else self.tile[flag][tile]

    def signal(
        self, history: History, thread: int, clock: Clock, count: int, *, stepped: bool = False
    ) -> None:
        """A thread that knows `clock` signals: it must know of the fence that set the counter
        last."""
        if history.set_step > clock[history.setter]:
            self._report(Kind.UNBALANCED, self.owners.get(thread, ""), history, _A_FENCE)
        history.add(thread, clock, count, stepped=stepped)

    def wait(self, history: History, thread: int, value: int) -> None:
        """A thread has seen the counter, which wraps, reach `value`."""
        now = self.clocks.now[thread]
        if history.set_clock is None:
            place = self.owners.get(thread, "")
            report = Report(Kind.UNSET, place, history.tile, f"counter {history.name}")
            self._unset.setdefault(history, report)
        elif history.set_step > now[history.setter] and wrapped(history.before - value) >= 0:
            self._report(Kind.EARLY_SET, self.owners.get(thread, ""), history, _A_FENCE)
        history.waited[thread] = int(now[thread]), value
        count = history.value
        reached = count - wrapped(count - value)
        for clock in history.known_at(reached):
            self.clocks.acquire(thread, clock)

    def check_set(self, history: History, value: int) -> None:
        """The counter is about to be set: whoever signals it must be known to be done, and
        whoever waits for more than `value` too."""
        now, place = self.clocks.now[history.setter], self.owners.get(history.setter, "")
        for thread, step in history.last.items():
            if step > now[thread]:
                self._report(Kind.UNBALANCED, place, history, self.owners.get(thread, ""))
        for thread, (step, needed) in history.waited.items():
            if step > now[thread] and wrapped(needed - value) > 0:
                self._report(Kind.EARLY_SET, place, history, self.owners.get(thread, ""))

    def check_unset(self) -> None:
        """The end of the program: counters that were waited for before any fence had set them
        must be zero, as they were, for the next run."""
        for history, report in self._unset.items():
            if history.value:
                self.detector.add(report)

    def _report(self, kind: Kind, place: str, history: History, other: str) -> None:
        name = f"counter {history.name}"
        self.detector.add(Report(kind, place, history.tile, name, None, other))


def met(group: WaitSet, begin: int, end: int) -> list[tuple[Wait, int]]:
    """The waits of a group, with the values they need, that are met where items begin..end of
    its stream may run."""
    found = []
    stream = group.stream
    for wait in group.waits if end > begin else ():
        block = stream.last_started(wait.level, end)
        if stream.start(wait.level, block) >= begin:
            found.append((wait, wait.threshold + block * wait.increment))
    return found
