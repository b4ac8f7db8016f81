"""Vector clocks: what is known to have happened before what, whatever the units' speeds.

Threads are the units, the front end of each tile, the units beside the scalar core and the
scalar core itself. A thread that waits for a counter learns what the signalling threads had
done by the signals it needed - not what they have done since.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .memories import TILES

Clock = NDArray[np.int32]

UNITS_PER_TILE = 10
_RECEIVERS = 4
_PER_TILE = 1 + UNITS_PER_TILE + _RECEIVERS
CORE = TILES * _PER_TILE
_FEEDS = CORE + 1
THREADS = _FEEDS + 4


def front_end(tile: int) -> int:
    """Thread of a tile's issue."""
    return tile * _PER_TILE


def unit_thread(tile: int, unit: int, side: int = 0) -> int:
    """Thread of a unit; `side` 1 is the receiving side of a mesh unit (units 6..9)."""
    if side:
        return tile * _PER_TILE + 1 + UNITS_PER_TILE + unit - 6
    return tile * _PER_TILE + 1 + unit


def feed_thread(unit: int) -> int:
    """Thread of a unit beside the scalar core."""
    return _FEEDS + unit


class Clocks:
    """now[thread] is what the thread knows: for every thread the last step it knows of."""

    def __init__(self) -> None:
        self.now: Clock = np.zeros((THREADS, THREADS), np.int32)
        np.fill_diagonal(self.now, 1)
        self._released: list[Clock | None] = [None] * THREADS

    def release(self, thread: int) -> Clock:
        """What others learn from the thread at this point; its later steps are not part."""
        clock: Clock = self.now[thread].copy()
        self.now[thread, thread] += 1
        return clock

    def acquire(self, thread: int, clock: Clock) -> None:
        """The thread learns what was released."""
        np.maximum(self.now[thread], clock, out=self.now[thread])

    def step(self, thread: int) -> int:
        """The thread's own current step."""
        return int(self.now[thread, thread])


class History:
    """The signals of a counter since it was set to `base`: the i-th makes it base + i + 1."""

    __slots__ = ("_signals", "base", "last", "set_clock")

    def __init__(self) -> None:
        self.base = 0
        self.set_clock: Clock | None = None
        self._signals: list[Clock] = []
        self.last: dict[int, int] = {}

    @property
    def value(self) -> int:
        """The counter, not wrapped."""
        return self.base + len(self._signals)

    def reset(self, value: int, clock: Clock) -> None:
        """A fence sets the counter."""
        self.base, self.set_clock = value, clock
        self._signals.clear()
        self.last.clear()

    def add(self, thread: int, clock: Clock, count: int) -> None:
        """`count` signals of a thread at once."""
        if self._signals and (thread not in self.last or len(self.last) > 1):
            clock = np.maximum(self._signals[-1], clock)
        self._signals.extend([clock] * count)
        self.last[thread] = int(clock[thread])

    def known_at(self, value: int) -> list[Clock]:
        """What a thread learns that has seen the counter reach `value`."""
        learned = [] if self.set_clock is None else [self.set_clock]
        needed = min(value - self.base, len(self._signals))
        if needed > 0:
            learned.append(self._signals[needed - 1])
        return learned


def ordered(clock: Clock, threads: Any, steps: Any) -> NDArray[np.bool_]:  # noqa: ANN401
    """Whether each step of `threads` happened before whoever holds `clock`."""
    return np.asarray(clock[threads] >= steps)
