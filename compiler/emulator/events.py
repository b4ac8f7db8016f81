"""Event queue of the concurrent mode."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any

from ..errors import EmulationError

_LIMIT = 20_000_000


class EventQueue:
    """Actions in order of time; those of one time in the order in which they were added."""

    def __init__(self) -> None:
        self.now = 0.0
        self.count = 0
        self._events: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []

    def __bool__(self) -> bool:
        return bool(self._events)

    def at(self, time: float, action: Callable[..., None], *arguments: object) -> None:
        """Call an action at a time, which may be now."""
        self.count += 1
        if self.count > _LIMIT:
            raise EmulationError("the program does not come to an end: too many events")
        heapq.heappush(self._events, (time, self.count, action, arguments))

    def next(self) -> None:
        """Advance to the next action and call it."""
        self.now, _, action, arguments = heapq.heappop(self._events)
        action(*arguments)

    def run_until(self, time: float) -> None:
        """Call everything due by a time."""
        while self._events and self._events[0][0] <= time:
            self.next()
