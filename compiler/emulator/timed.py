"""Timed mode: the clock of the concurrent mode without its values and its hazards.

How long a program takes does not depend on the numbers it computes, so the multiplications and
the record of what happened before what are left out. Costs: `timing`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

import numpy as np

from ..beagle.executable import Executable
from ..lowering.program import Direction, Flag, ScalarFence, ScalarFlag, TensorKind, TensorOp
from ..lowering.program import TileFence as Fence
from .accesses import Access
from .clocks import THREADS, Clock, Clocks
from .concurrent import Concurrent
from .counters import WaitSet
from .device import host_buffers
from .execution import Execution, Side
from .hazards import Detector, DoubleWrite
from .host import HostMemory, link
from .machine import Machine, load
from .memories import TILES, TileMemories
from .order import Order
from .tensor_unit import TensorSide


def emulated_cycles(executable: Executable) -> int:
    """Clock cycles of one run of an executable. Raises EmulationError for a malformed program
    and for a dead-lock."""
    inputs = {layer.name: bytes(layer.size_bytes) for layer in executable.inputs or ()}
    chip = Timed(TileMemories(), HostMemory(host_buffers(executable, inputs)))
    Machine(chip).run(load(link(executable)))
    return round(chip.now)


class Timed(Concurrent):
    """The chip in time; what it computes is meaningless."""

    def __init__(self, memories: TileMemories, host: HostMemory) -> None:
        super().__init__(memories, host, _Untracked(Detector()))

    def sides_of(self, execution: Execution) -> tuple[Side, ...]:
        op = execution.instruction
        if isinstance(op, TensorOp) and op.kind is not TensorKind.INTERPOLATE:
            return (TimedTensorSide(self, op),)
        return super().sides_of(execution)


class TimedTensorSide(TensorSide):
    """Signals of a tensor op, without its sums."""

    def run(self, tiles: Sequence[int], start: int, stop: int) -> None:
        first, last = self.complete(start)[1], self.complete(stop)[1]
        self.chip.fire(self.result_signals, tiles, first, last)
        self.chip.fire(self.operand_signals, tiles, start, stop)


class _NoClocks(Clocks):
    """Nobody learns anything."""

    def __init__(self) -> None:
        super().__init__()
        self._clock = np.zeros(THREADS, np.int32)

    def release(self, thread: int, count: int = 1) -> Clock:
        return self._clock

    def acquire(self, thread: int, clock: Clock) -> None:
        pass


class _Untracked(Order):
    """No record of what happened before what."""

    tracks = False

    def __init__(self, detector: Detector) -> None:
        super().__init__(detector)
        nothing = deque[list[object]](maxlen=0)
        self.clocks = _NoClocks()
        self.rows = [[nothing] * TILES for _ in range(2)]
        self.words = {way: [nothing] * TILES for way in Direction}
        self.outfeed = nothing

    def place_of(self, execution: Execution) -> int:
        return 0

    def works_on(self, thread: int, place: int) -> None:
        pass

    def end(self) -> None:
        pass

    def access(
        self, accesses: Iterable[Access], thread: int, place: int, tile: int | None
    ) -> list[DoubleWrite]:
        return []

    def learn_unit(self, thread: int, tile: int, unit: int) -> None:
        pass

    def learn_waits(self, thread: int, tile: int, group: WaitSet, begin: int, end: int) -> None:
        pass

    def learn_scalar_waits(self, thread: int, group: WaitSet, begin: int, end: int) -> None:
        pass

    def learn_rows(self, thread: int, channel: int, tile: int, count: int) -> None:
        pass

    def learn_words(self, thread: int, direction: int, tile: int, count: int) -> None:
        pass

    def learn_outfeed(self, thread: int, count: int) -> None:
        pass

    def sent(self, thread: int, channel: int, receiver: int, clock: Clock) -> None:
        pass

    def signal(
        self,
        flag: Flag | ScalarFlag,
        tile: int | None,
        thread: int,
        clock: Clock,
        signals: tuple[int, bool],
    ) -> None:
        pass

    def set(self, flag: Flag | ScalarFlag, tile: int | None, value: int, clock: Clock) -> None:
        pass

    def pass_fence(self, fence: Fence, tile: int, place: str) -> None:
        pass

    def pass_scalar_fence(self, fence: ScalarFence, place: str) -> None:
        pass

    def requested(self, source: int, size: int) -> None:
        pass

    def learn_host(self, thread: int, source: int, count: int) -> None:
        pass
