"""Vector clocks: what is known to have happened before what, whatever the units' speeds.

Threads are the units, the front end of each tile, the units beside the scalar core and the
scalar core itself. A thread that waits for a counter learns what the signalling threads had
done by the signals it needed - not what they have done since.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .memories import TILES

Clock = NDArray[np.int32]

UNITS_PER_TILE = 10
_RECEIVERS = 4
_PER_TILE = 1 + UNITS_PER_TILE + _RECEIVERS
CORE = TILES * _PER_TILE
_FEEDS = CORE + 1
HOST = _FEEDS + 4
"""Its steps are the transfers to the chip that were asked for."""
THREADS = HOST + 1


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

    def release(self, thread: int, count: int = 1) -> Clock:
        """What others learn from the thread at this point; its later steps are not part.
        count: the thread makes that many steps, of which the clock is the first."""
        clock: Clock = self.now[thread].copy()
        self.now[thread, thread] += count
        return clock

    def acquire(self, thread: int, clock: Clock) -> None:
        """The thread learns what was released."""
        np.maximum(self.now[thread], clock, out=self.now[thread])

    def step(self, thread: int) -> int:
        """The thread's own current step."""
        return int(self.now[thread, thread])
