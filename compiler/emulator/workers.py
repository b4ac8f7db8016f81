"""Concurrent mode: one side of an instruction at work on one tile."""

from __future__ import annotations

from dataclasses import dataclass

from .clocks import unit_thread
from .execution import Execution, Key, Side
from .mesh import ReceiveSide

Wanted = tuple[tuple[str, int, int], ...]
"""(kind, index, tile) of what a side may wait for: a `Key` and the tile, -1 for all."""


@dataclass(eq=False, slots=True)
class Worker:
    """One side of an instruction on one tile. flags, goods: the counters, and the data or room,
    it may wait for; data: the data it takes; waits_for: what it waits for now."""

    execution: Execution
    side: Side
    tile: int
    thread: int
    place: int
    speed: float
    flags: Wanted
    goods: Wanted
    data: Key | None
    waits_for: Wanted = ()

    @classmethod
    def of(cls, execution: Execution, side: Side, tile: int, place: int, speed: float) -> Worker:
        """A side that starts. place: the instruction's number in reports."""
        thread = unit_thread(tile, execution.unit, int(isinstance(side, ReceiveSide)))
        wanted = side.keys()
        keys = [(*key, -1 if key[0] == "room" else tile) for key in wanted]
        flags = tuple(key for key in keys if key[0] == "flag")
        goods = tuple(key for key in keys if key[0] != "flag")
        data = next((key for key in wanted if key[0] in ("ring", "mesh")), None)
        return cls(execution, side, tile, thread, place, speed, flags, goods, data)
