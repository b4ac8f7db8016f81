"""The units beside the scalar core: infeed, pop and outfeed, with the buffers between host
stream and ring bus. Facts: docs/format/execution.md, "Feeds".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..lowering.program import Flag, Infeed, Outfeed, Pop, ScalarFlag, Wait
from .accesses import FEED_SPACES, SIZES, Access, Space
from .counters import WaitSet
from .memories import LINE_BYTES, TILES, Array
from .ring import CHANNEL_A
from .streams import AddressStream

if TYPE_CHECKING:
    from .chip import Chip

_LEVELS = 3
_BYTES_PER_CYCLE = 8
PARAMETERS, ACTIVATIONS, RETURNED = 0, 1, 2
"""Values of `Pop.source`: the buffer it reads."""
ITEM_BYTES = (64, 8, 4)
HOST_LIMIT = 0x7F
SCALAR_WORDS = 1 << 12
_SPACE = (ScalarFlag.PARAMETER_INFEED, ScalarFlag.AVDATA_INFEED, ScalarFlag.SCALAR_INFEED)


class FeedBuffers:
    """The feed buffers, circular, by `Pop.source`; the third is the scalar core's memory."""

    def __init__(self) -> None:
        self.items: tuple[Array, Array, Array] = (
            np.zeros((2048, 64), np.uint8),
            np.zeros((32768, 8), np.uint8),
            np.zeros((SCALAR_WORDS, 4), np.uint8),
        )
        self.scalar: Array = self.items[RETURNED].view(np.uint32)[:, 0]


class Feed:
    """An instruction of one of these units; `done` items of its stream are complete."""

    def __init__(
        self, chip: Chip, stream: AddressStream, waits: Sequence[Wait | None], place: str
    ) -> None:
        self.chip = chip
        self.stream = stream
        self.waits = WaitSet(waits, stream)
        self.done = 0
        self.place = place

    @property
    def finished(self) -> bool:
        return self.done == self.stream.total

    def reach(self) -> int:
        """How far the instruction may advance now."""
        return self.waits.scalar_limit(self.chip.counters.scalar, self.done)

    def advance(self, stop: int) -> None:
        """Execute the items up to `stop`."""
        start, self.done = self.done, stop
        self.run(start, stop)

    def run(self, start: int, stop: int) -> None:
        raise NotImplementedError

    def boundary(self, start: int) -> int:
        """First item behind `start` at which another unit may notice something."""
        return min(self.stream.total, start + 1)

    def cycles(self, start: int, stop: int) -> float:
        """Time the items take: 8 bytes a cycle."""
        return float(stop - start)

    def accesses(self, start: int, stop: int) -> list[Access]:
        """Buffers that items start..stop read and write."""
        return []

    def signal(self, flag: ScalarFlag, level: int | None, start: int, stop: int) -> None:
        if level is not None:
            done = self.stream.finished(level, stop) - self.stream.finished(level, start)
            self.chip.scalar_signal(flag, done)


class InfeedRun(Feed):
    """Host stream -> feed buffer."""

    def __init__(self, chip: Chip, instruction: Infeed, place: str) -> None:
        stream = AddressStream(instruction.buffer, _LEVELS)
        super().__init__(chip, stream, [instruction.wait], place)
        self.instruction = instruction
        self.source = ACTIVATIONS if instruction.activations else PARAMETERS
        self.item_bytes = ITEM_BYTES[self.source]

    def reach(self) -> int:
        there = len(self.chip.host_input[self.source]) // self.item_bytes
        return min(super().reach(), self.done + there)

    def run(self, start: int, stop: int) -> None:
        buffer = self.chip.feeds.items[self.source]
        stream = self.chip.host_input[self.source]
        size = (stop - start) * self.item_bytes
        places = self.stream.addresses()[start:stop] % len(buffer)
        buffer[places] = np.frombuffer(bytes(stream[:size]), np.uint8).reshape(-1, self.item_bytes)
        del stream[:size]
        flag = ScalarFlag.AVDATA_POP if self.source else ScalarFlag.PARAMETER_POP
        self.signal(flag, self.instruction.signal, start, stop)

    def cycles(self, start: int, stop: int) -> float:
        return (stop - start) * self.item_bytes / _BYTES_PER_CYCLE

    def accesses(self, start: int, stop: int) -> list[Access]:
        space = FEED_SPACES[self.source]
        return [Access(space, True, self.stream.addresses()[start:stop] % SIZES[space])]


class PopRun(Feed):
    """Feed buffer -> ring bus; lines of 4 * (lanes + 1) bytes, the last may be shorter."""

    def __init__(self, chip: Chip, instruction: Pop, place: str) -> None:
        super().__init__(chip, AddressStream(instruction.buffer, _LEVELS), instruction.waits, place)
        self.instruction = instruction
        self.source = min(instruction.source, RETURNED)
        self.destinations = [t for t in range(TILES) if instruction.destinations >> t & 1]
        self.line_bytes = 4 * (instruction.lanes + 1)
        self.left: Array = np.zeros(0, np.uint8)

    def run(self, start: int, stop: int) -> None:
        buffer = self.chip.feeds.items[self.source]
        items = buffer[self.stream.addresses()[start:stop] % len(buffer)].ravel()
        data = np.concatenate((self.left, items))
        whole = len(data) // self.line_bytes * self.line_bytes
        if whole:
            self._send(data[:whole].reshape(-1, self.line_bytes))
        self.left = data[whole:]
        if self.finished and len(self.left):
            self._send(self.left[None])
        self.signal(_SPACE[self.source], self.instruction.signal_space, start, stop)
        self._signal_ring(start, stop)

    def reach(self) -> int:
        return min(super().reach(), self.done + max(0, self.room()) * self.row_items)

    def room(self) -> int:
        """Rows all receivers can take now."""
        return self.chip.room(CHANNEL_A, self.destinations, to_host=False)

    @property
    def row_items(self) -> int:
        """Items that make one row, at least."""
        return max(1, self.line_bytes // ITEM_BYTES[self.source])

    def boundary(self, start: int) -> int:
        return min(self.stream.total, (start // self.row_items + 1) * self.row_items)

    def cycles(self, start: int, stop: int) -> float:
        return (stop - start) * ITEM_BYTES[self.source] / _BYTES_PER_CYCLE

    def accesses(self, start: int, stop: int) -> list[Access]:
        space = FEED_SPACES[self.source]
        return [Access(space, False, self.stream.addresses()[start:stop] % SIZES[space])]

    def _send(self, rows: Array) -> None:
        self.chip.send(CHANNEL_A, self.destinations, rows, to_host=False)

    def _signal_ring(self, start: int, stop: int) -> None:
        """Returned lines are messages of their own on the ring."""
        level = self.instruction.signal_ring
        if level is None:
            return
        count = self.stream.finished(level, stop) - self.stream.finished(level, start)
        if count:
            self.chip.produced(Flag.RING_PRODUCER_A, count)


class OutfeedRun(Feed):
    """Ring rows -> host (8-byte items) or scalar memory (4-byte items). What is left of the
    last row is dropped."""

    def __init__(self, chip: Chip, instruction: Outfeed, place: str) -> None:
        stream = AddressStream(instruction.buffer, _LEVELS)
        super().__init__(chip, stream, [instruction.wait], place)
        self.instruction = instruction
        self.to_host = instruction.limit == HOST_LIMIT
        self.item_bytes = 8 if self.to_host else 4
        self.row_items = LINE_BYTES // self.item_bytes
        self.row: Array = np.zeros((0, self.item_bytes), np.uint8)

    def reach(self) -> int:
        opened = -(-self.done // self.row_items)
        there = (opened + self.chip.outfeed.available) * self.row_items
        return min(super().reach(), there)

    def run(self, start: int, stop: int) -> None:
        rows = self.rows(start, stop)
        parts = [part.reshape(-1, self.item_bytes) for part in self.chip.outfeed.take(rows)]
        items = np.concatenate((self.row, *parts))
        taken, self.row = items[: stop - start], items[stop - start :]
        if self.to_host:
            self.chip.host.receive(taken.tobytes())
        else:
            memory = self.chip.feeds.items[RETURNED]
            memory[self.stream.addresses()[start:stop] % len(memory)] = taken
        self.signal(ScalarFlag.RING_OUTFEED, self.instruction.signal, start, stop)

    def rows(self, start: int, stop: int) -> int:
        """Rows that items start..stop take."""
        return -(-stop // self.row_items) + -start // self.row_items

    def boundary(self, start: int) -> int:
        return min(self.stream.total, (start // self.row_items + 1) * self.row_items)

    def cycles(self, start: int, stop: int) -> float:
        return (stop - start) * self.item_bytes / _BYTES_PER_CYCLE

    def accesses(self, start: int, stop: int) -> list[Access]:
        if self.to_host:
            return []
        addresses = self.stream.addresses()[start:stop] % SIZES[Space.SCALAR]
        return [Access(Space.SCALAR, True, addresses)]
