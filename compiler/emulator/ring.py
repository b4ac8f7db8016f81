"""Ring bus: producers send wide lines, consumers store the rows that reach their tile.

Facts: docs/format/execution.md, "Ring bus".
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..errors import EmulationError
from ..lowering.program import Flag, Ring, RingConsume, RingProduce
from .accesses import Access, Space, line_units
from .counters import WaitSet
from .execution import Key, Side, Signal, signals
from .memories import LINE_BYTES, TILES, UNITS_PER_LINE, WIDE_LINES, Array, rows
from .streams import Addresses, AddressStream

if TYPE_CHECKING:
    from .chip import Chip

CHANNEL_A, CHANNEL_B = 0, 1


class RingPort:
    """Rows on their way to one receiver: a queue of (rows, width) arrays shared between
    the receivers of a broadcast."""

    __slots__ = ("_blocks", "_taken", "available")

    def __init__(self) -> None:
        self._blocks: deque[Array] = deque()
        self._taken = 0
        self.available = 0

    def put(self, block: Array) -> None:
        self._blocks.append(block)
        self.available += len(block)

    def take(self, count: int) -> list[Array]:
        """The next `count` rows; each part has rows of one width."""
        parts = []
        self.available -= count
        while count:
            block = self._blocks[0]
            if len(block) == 1:
                parts.append(self._blocks.popleft())
                count -= 1
                continue
            part = block[self._taken : self._taken + count]
            parts.append(part)
            count -= len(part)
            self._taken += len(part)
            if self._taken == len(block):
                self._blocks.popleft()
                self._taken = 0
        return parts


class ProduceSide(Side):
    """Sends line after line; every receiver gets every row."""

    shares_room = True

    def __init__(self, chip: Chip, instruction: RingProduce) -> None:
        self.wide = AddressStream(instruction.wide, 4)
        self.wide.check("wide memory", WIDE_LINES)
        super().__init__(chip, self.wide.total, [WaitSet(instruction.waits, self.wide)])
        self.channel = CHANNEL_B if instruction.channel_b else CHANNEL_A
        self.destinations = [t for t in range(TILES) if instruction.destinations >> t & 1]
        self.to_host = bool(instruction.to_host)
        sent = Flag.RING_PRODUCER_B if self.channel else Flag.RING_PRODUCER_A
        self.signals = signals((Flag.RING_WRITE, instruction.signal_read, self.wide))
        if instruction.signal_sent is not None:
            self.signals += (Signal(sent, instruction.signal_sent, self.wide, everywhere=True),)

    def keys(self) -> list[Key]:
        return [*super().keys(), ("room", self.channel)]

    def reach(self, tile: int, start: int) -> int:
        limit = self.waits[0].limit(self.chip.counters.tile, tile, start)
        return min(limit, start + self.room())

    def starved(self, tile: int) -> bool:
        return self.room() <= 0

    def room(self) -> int:
        """Rows all receivers can take now."""
        return self.chip.room(self.channel, self.destinations, to_host=self.to_host)

    def run(self, tiles: Sequence[int], start: int, stop: int) -> None:
        lines = self.wide.addresses()[start:stop]
        for tile in tiles:
            sent = self.chip.memories.wide_lines[tile, lines]
            self.chip.send(self.channel, self.destinations, sent, to_host=self.to_host)
        self.chip.fire(self.signals, tiles, start, stop)

    def boundary(self, start: int) -> int:
        return start + 1

    def moved(self, start: int, stop: int) -> int:
        return LINE_BYTES * (stop - start)

    def accesses(self, start: int, stop: int) -> list[Access]:
        return [Access(Space.WIDE, False, line_units(self.wide.addresses()[start:stop]))]


class ConsumeSide(Side):
    """Stores rows. Headers come before the rows of their block and go to the header ring."""

    def __init__(self, chip: Chip, instruction: RingConsume) -> None:
        self.wide = AddressStream(instruction.wide, 4)
        wait = WaitSet([instruction.wait], self.wide)
        self.channel = CHANNEL_A if instruction.ring is Ring.A else CHANNEL_B
        self.lines, self.first_row, self.items = _rows(instruction, self.wide)
        if self.lines.min() < 0 or self.lines.max() >= WIDE_LINES:
            raise EmulationError(
                "an address lies outside the wide memory", actual=int(self.lines.max())
            )
        super().__init__(chip, len(self.lines), [wait])
        flag = Flag.RING_READ_B if self.channel else Flag.RING_READ_A
        self.signals = signals((flag, instruction.signal, self.wide))

    def keys(self) -> list[Key]:
        return [*super().keys(), ("ring", self.channel)]

    def starved(self, tile: int) -> bool:
        return not self.supply(tile)

    def supply(self, tile: int) -> int:
        return self.chip.ports[self.channel][tile].available

    def supplies(self) -> list[int]:
        return [port.available for port in self.chip.ports[self.channel]]

    def reach(self, tile: int, start: int) -> int:
        there = self.supply(tile)
        if not there:
            return start
        items = self.waits[0].limit(self.chip.counters.tile, tile, int(self.items[start]))
        limit = self.total if items >= self.wide.total else int(self.first_row[items])
        return max(start, min(limit, start + there))

    def run(self, tiles: Sequence[int], start: int, stop: int) -> None:
        ports = self.chip.ports[self.channel]
        parts = [ports[tile].take(stop - start) for tile in tiles]
        if all(_same(part, parts[0]) for part in parts[1:]):
            self._store(tiles, start, parts[0])
        else:
            for tile, part in zip(tiles, parts, strict=True):
                self._store([tile], start, part)
        before, after = int(self.items[start]), int(self.items[stop])
        self.chip.fire(self.signals, tiles, before, after)

    def _store(self, tiles: Sequence[int], start: int, parts: list[Array]) -> None:
        memory = self.chip.memories.wide_lines
        if len(tiles) == len(parts) == len(parts[0]) == 1:
            memory[tiles[0], self.lines[start], : parts[0].shape[1]] = parts[0][0]
            return
        selected = rows(tiles)
        for part in parts:
            lines = self.lines[start : start + len(part)]
            width = part.shape[1]
            if isinstance(selected, slice):
                memory[selected][:, lines, :width] = part
            else:
                memory[selected[:, None], lines, :width] = part
            start += len(part)

    def boundary(self, start: int) -> int:
        return start + 1

    def waited(self, start: int, stop: int) -> list[tuple[WaitSet, int, int]]:
        """A header row depends on the wait of the item behind it."""
        first = int(self.items[start])
        last = min(int(self.items[stop - 1]) + 1, self.wide.total)
        return [(self.waits[0], first, last)]

    def accesses(self, start: int, stop: int) -> list[Access]:
        if stop == start + 1:
            first = UNITS_PER_LINE * int(self.lines[start])
            block = slice(first, first + UNITS_PER_LINE)
            return [Access(Space.WIDE, True, np.arange(block.start, block.stop), block=block)]
        return [Access(Space.WIDE, True, line_units(self.lines[start:stop]))]


def _same(part: list[Array], other: list[Array]) -> bool:
    """Whether two receivers got the very same broadcast."""
    return len(part) == len(other) and all(
        a.shape == b.shape and a.ctypes.data == b.ctypes.data
        for a, b in zip(part, other, strict=True)
    )


def _rows(instruction: RingConsume, wide: AddressStream) -> tuple[Addresses, Addresses, Addresses]:
    """(line of each row, first row of each item, items complete before each row)."""
    addresses = wide.addresses()
    count = instruction.header_lines if instruction.header else 0
    items = np.arange(wide.total + 1)
    if not count:
        return addresses, items, items
    starts = wide.starts(instruction.header_level + 1)[:-1]
    if count * len(starts) > WIDE_LINES * LINE_BYTES:
        raise EmulationError("a ring consumer has too many header lines", actual=count)
    first = np.searchsorted(starts, items, side="left") * count + items
    slots = max(1, instruction.header_last - instruction.header_first + 1)
    header = instruction.header_first + np.arange(count * len(starts)) % slots
    total = wide.total + len(header)
    headers = np.zeros(total, bool)
    headers[(first[starts][:, None] + np.arange(count)).ravel()] = True
    lines = np.empty(total, np.int64)
    lines[headers] = header
    lines[~headers] = addresses
    complete = np.concatenate(([0], np.cumsum(~headers)))
    return lines, first, complete
