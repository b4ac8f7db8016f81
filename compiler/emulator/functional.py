"""Functional mode: values, as fast as numpy gives them.

Every unit runs as soon as its waits are met and as far as they permit, tiles in the same state
together. A unit of a tile holds one instruction; issue stops while it is busy.
"""

from __future__ import annotations

import bisect
from collections import deque
from collections.abc import Sequence

from ..errors import EmulationError, Where
from ..lowering.program import (
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
    idle,
    located,
    missing_producer,
    producers_reached,
    start,
    unit_of,
)
from .execution import Execution, Key
from .feeds import Feed
from .host import HostMemory
from .memories import TILES, TileMemories

_CONSUMERS_FIRST = (4, 0, 3, 2, 6, 7, 8, 9, 5, 1)
_STEP_LIMIT = 1 << 32
"""Items all tiles together may run through in one program."""


class Functional(Chip):
    """Runs every unit as soon as its waits are met and as far as they permit; tiles in the same
    state together. A unit of a tile holds one instruction; issue stops while it is busy."""

    def __init__(self, memories: TileMemories, host: HostMemory) -> None:
        super().__init__(memories, host)
        self._issued: list[deque[Execution | TileFence]] = [deque() for _ in range(TILES)]
        self._busy: list[list[Execution | None]] = [[None] * len(UNITS) for _ in range(TILES)]
        self._notified = [0] * TILES
        self._due: dict[int, None] = {}
        self._runnable: list[deque[Execution]] = [deque() for _ in UNITS]
        self._interested: dict[Key, dict[int, Execution]] = {}
        self._feeds: list[deque[Feed]] = [deque() for _ in FEED_UNITS]
        self._steps = 0

    # -- scheduling ----------------------------------------------------------------------

    def wake(self, key: Key) -> None:
        for execution in self._interested.get(key, {}).values():
            self._enqueue(execution)
        if key[1] in (Flag.RING_PRODUCER_A, Flag.RING_PRODUCER_B) and key[0] == "flag":
            self._due.update(dict.fromkeys(range(TILES)))

    def _enqueue(self, execution: Execution) -> None:
        if not execution.queued:
            execution.queued = True
            self._runnable[execution.unit].append(execution)

    def settle(self, address: int = 0, size: int = 0) -> None:
        while True:
            moved = self._run_feeds()
            moved = self._run_tiles() or moved
            if not moved:
                return

    def _run_tiles(self) -> bool:
        moved = False
        while True:
            while self._due:
                due, self._due = list(self._due), {}
                for tile in due:
                    moved = self._dispatch(tile) or moved
            for unit in _CONSUMERS_FIRST:
                if self._runnable[unit]:
                    execution = self._runnable[unit].popleft()
                    execution.queued = False
                    moved = self._step(execution) or moved
                    break
            else:
                if not self._due:
                    return moved

    def _step(self, execution: Execution) -> bool:
        assert execution.sides is not None
        done: list[int] = []
        moved = False
        for side in execution.sides:
            for (first, stop), tiles in side.ready(execution.active).items():
                self._count((stop - first) * len(tiles), execution)
                try:
                    side.advance(tiles, first, stop)
                except EmulationError as error:
                    raise located(error, execution) from None
                moved = True
                if stop == side.total:
                    done += tiles
        for tile in dict.fromkeys(done):
            if execution.finished(tile):
                self._finish(execution, tile)
        return moved

    def _count(self, steps: int, execution: Execution) -> None:
        self._steps += steps
        if self._steps > _STEP_LIMIT:
            raise execution.error("the program does not come to an end: too many steps")

    def _finish(self, execution: Execution, tile: int) -> None:
        if self.observer is not None:
            self.observer(self, execution, tile)
        execution.active.remove(tile)
        execution.remaining -= 1
        self._busy[tile][execution.unit] = None
        self._due[tile] = None
        if not execution.remaining:
            for key in self._keys(execution):
                del self._interested[key][id(execution)]
            execution.sides = ()
            if execution.queued:
                execution.queued = False
                self._runnable[execution.unit].remove(execution)

    @staticmethod
    def _keys(execution: Execution) -> set[Key]:
        return set().union(*(side.keys() for side in execution.sides or ()))

    # -- issue ---------------------------------------------------------------------------

    def issue(self, instruction: TileInstruction, tiles: Sequence[int], place: str) -> None:
        item: Execution | TileFence
        if isinstance(instruction, TileFence):
            item = instruction
        else:
            item = Execution(unit_of(instruction), instruction, tiles, place)
        for tile in tiles:
            self._issued[tile].append(item)
            self._due[tile] = None

    def _dispatch(self, tile: int) -> bool:
        """Hand a tile's next instructions to its units until one has to wait."""
        queue, busy = self._issued[tile], self._busy[tile]
        moved = False
        while queue:
            item = queue[0]
            if isinstance(item, TileFence):
                if not self._open(item, tile):
                    break
                self._pass(item, tile)
            elif busy[item.unit] is not None:
                break
            else:
                busy[item.unit] = item
                self._begin(item, tile)
            queue.popleft()
            moved = True
        return moved

    def _begin(self, execution: Execution, tile: int) -> None:
        if execution.sides is None:
            execution.sides = start(self, execution)
            for key in self._keys(execution):
                self._interested.setdefault(key, {})[id(execution)] = execution
        bisect.insort(execution.active, tile)
        if execution.finished(tile):
            self._finish(execution, tile)
        else:
            self._enqueue(execution)

    def _open(self, fence: TileFence, tile: int) -> bool:
        busy = self._busy[tile]
        if any(fence.units >> unit & 1 and busy[unit] for unit in range(len(UNITS))):
            return False
        return producers_reached(self.counters, fence, tile)

    def _pass(self, fence: TileFence, tile: int) -> None:
        for flag in Flag:
            if fence.flags >> flag & 1:
                self.counters.tile[flag][tile] = fence.value
                self.wake(("flag", flag))
        self._notified[tile] += fence.notify & 1

    # -- scalar side -----------------------------------------------------------------------

    def feed(self, instruction: Infeed | Pop | Outfeed, place: str) -> None:
        unit, run = feed_of(self, instruction, place)
        self._feeds[unit].append(run)

    def _run_feeds(self) -> bool:
        moved = False
        for queue in self._feeds:
            while queue:
                run = queue[0]
                stop = run.reach()
                if stop > run.done:
                    run.advance(stop)
                    moved = True
                if not run.finished:
                    break
                queue.popleft()
        return moved

    def fence(self, fence: ScalarFence, place: str) -> None:
        self.settle()
        busy = [
            name for unit, name in enumerate(FEED_UNITS) if not idle(fence, unit, self._feeds[unit])
        ]
        if busy:
            raise self._stuck(place, f"the {busy[0]} never becomes idle")
        missing = missing_producer(self.counters, fence)
        if missing:
            raise self._stuck(place, f"counter {missing} is never reached")
        for tile in range(TILES):
            if fence.notify_count and fence.notify_tiles >> tile & 1:
                if self._notified[tile] < fence.notify_count:
                    raise self._stuck(place, f"tile {tile} never notifies the scalar core")
                self._notified[tile] -= fence.notify_count
        for scalar_flag in ScalarFlag:
            if fence.flags >> scalar_flag & 1:
                self.counters.scalar[scalar_flag] = fence.value

    def finish(self) -> None:
        self.settle()
        if any(self._feeds) or any(self._issued) or any(any(busy) for busy in self._busy):
            raise self._stuck("the end of the program", "units are still busy")

    def _stuck(self, place: str, what: str) -> EmulationError:
        return EmulationError(
            f"dead-lock: {what}", where=Where(op=place), hint="; ".join(self.blocked()[:4])
        )

    def blocked(self) -> list[str]:
        """One line for every unit that waits."""
        lines = [
            f"{name} waits at item {queue[0].done} of {queue[0].place}"
            for name, queue in zip(FEED_UNITS, self._feeds, strict=True)
            if queue
        ]
        for tile, busy in enumerate(self._busy):
            for execution in busy:
                if execution is not None and execution.sides is not None:
                    done = ", ".join(str(side.done[tile]) for side in execution.sides)
                    unit = UNITS[execution.unit]
                    lines.append(f"tile {tile}: {unit} waits at item {done} of {execution.place}")
        return lines
