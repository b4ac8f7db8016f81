"""Mesh bus: narrow words to the neighbour tile. Facts: docs/format/execution.md, "Mesh bus"."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..errors import EmulationError
from ..lowering.program import Direction, Flag, MeshMove
from .accesses import Access, Space
from .counters import split_waits
from .execution import Key, Side, counted_levels, next_boundary, signals
from .memories import NARROW_WORDS, Array, gather, scatter
from .streams import AddressStream

if TYPE_CHECKING:
    from .chip import Chip

_LEVELS = 4
_COLUMNS = 4
SENT = {
    Direction.SOUTH: Flag.SOUTH_OUT,
    Direction.WEST: Flag.WEST_OUT,
    Direction.NORTH: Flag.NORTH_OUT,
    Direction.EAST: Flag.EAST_OUT,
}
RECEIVED = {
    Direction.SOUTH: Flag.NORTH_IN,
    Direction.WEST: Flag.EAST_IN,
    Direction.NORTH: Flag.SOUTH_IN,
    Direction.EAST: Flag.WEST_IN,
}
_STEPS = {
    Direction.SOUTH: (1, 0),
    Direction.WEST: (0, -1),
    Direction.NORTH: (-1, 0),
    Direction.EAST: (0, 1),
}


def neighbour(tile: int, direction: Direction) -> int | None:
    """The tile that words sent in `direction` reach; None behind the edge."""
    down, right = _STEPS[direction]
    row, column = tile // _COLUMNS + down, tile % _COLUMNS + right
    inside = 0 <= row < _COLUMNS and 0 <= column < _COLUMNS
    return _COLUMNS * row + column if inside else None


class MeshLink:
    """Words on their way to one tile."""

    __slots__ = ("_blocks", "available")

    def __init__(self) -> None:
        self._blocks: deque[Array] = deque()
        self.available = 0

    def put(self, words: Array) -> None:
        self._blocks.append(words)
        self.available += len(words)

    def take(self, count: int) -> Array:
        parts = []
        self.available -= count
        while count:
            block = self._blocks.popleft()
            if len(block) > count:
                self._blocks.appendleft(block[count:])
                block = block[:count]
            parts.append(block)
            count -= len(block)
        return parts[0] if len(parts) == 1 else np.concatenate(parts)


class SendSide(Side):
    """Reads `source` and puts the words on the link."""

    def __init__(self, chip: Chip, instruction: MeshMove, source: AddressStream) -> None:
        source.check("narrow memory", NARROW_WORDS)
        self.stream = source
        super().__init__(chip, source.total, split_waits(instruction.waits, source, source)[:1])
        self.direction = instruction.direction
        flag = SENT[self.direction]
        self.signals = signals((flag, instruction.signal_sent, source))
        self.levels = counted_levels(self.waits, self.signals)

    def reach(self, tile: int, start: int) -> int:
        return self.waits[0].limit(self.chip.counters.tile, tile, start)

    def run(self, tiles: Sequence[int], start: int, stop: int) -> None:
        addresses = self.stream.addresses()[start:stop]
        words = gather(self.chip.memories.narrow_words, tiles, addresses)
        for tile, sent in zip(tiles, words, strict=True):
            target = neighbour(tile, self.direction)
            if target is None:
                raise EmulationError(
                    "a mesh move sends words over the edge of the tile array", actual=f"tile {tile}"
                )
            self.chip.deliver(self.direction, target, sent)
        self.chip.fire(self.signals, tiles, start, stop)

    def boundary(self, start: int) -> int:
        return next_boundary(start, self.levels, self.total)

    def accesses(self, start: int, stop: int) -> list[Access]:
        return [Access(Space.NARROW, False, self.stream.addresses()[start:stop])]


class ReceiveSide(Side):
    """Writes `destination` with the words of the link, or with a constant."""

    def __init__(self, chip: Chip, instruction: MeshMove, target: AddressStream) -> None:
        target.check("narrow memory", NARROW_WORDS)
        self.stream = target
        waits = split_waits(instruction.waits, target, target)
        # The waits of a fill that only writes guard its one stream, whatever their kind.
        alone = not AddressStream(instruction.source, _LEVELS).present
        self.fill = instruction.fill
        super().__init__(
            chip, target.total, waits if alone and self.fill is not None else waits[1:]
        )
        self.direction = instruction.direction
        flag = RECEIVED[self.direction]
        self.signals = signals((flag, instruction.signal_received, target))
        self.levels = counted_levels(self.waits, self.signals)

    def keys(self) -> list[Key]:
        return [*super().keys(), ("mesh", self.direction)]

    def starved(self, tile: int) -> bool:
        return not self.supply(tile)

    def supply(self, tile: int) -> int:
        if self.fill is not None:
            return self.total
        return self.chip.links[self.direction][tile].available

    def supplies(self) -> list[int] | None:
        if self.fill is not None:
            return None
        return [link.available for link in self.chip.links[self.direction]]

    def reach(self, tile: int, start: int) -> int:
        counters = self.chip.counters.tile
        limit = min(group.limit(counters, tile, start) for group in self.waits)
        return min(limit, start + self.supply(tile))

    def run(self, tiles: Sequence[int], start: int, stop: int) -> None:
        addresses = self.stream.addresses()[start:stop]
        if self.fill is not None:
            words = np.full((1, 1), self.fill, np.uint32)
        else:
            links = self.chip.links[self.direction]
            words = np.stack([links[tile].take(stop - start) for tile in tiles])
        scatter(self.chip.memories.narrow_words, tiles, addresses, words)
        self.chip.fire(self.signals, tiles, start, stop)

    def boundary(self, start: int) -> int:
        return next_boundary(start, self.levels, self.total)

    def moved(self, start: int, stop: int) -> int:
        return 4 * (stop - start)

    def accesses(self, start: int, stop: int) -> list[Access]:
        return [Access(Space.NARROW, True, self.stream.addresses()[start:stop])]


def mesh_sides(chip: Chip, instruction: MeshMove) -> tuple[Side, ...]:
    """The sides a mesh move has; a stream that is all zero is absent."""
    source = AddressStream(instruction.source, _LEVELS)
    target = AddressStream(instruction.destination, _LEVELS)
    sides: list[Side] = []
    if source.present:
        sides.append(SendSide(chip, instruction, source))
    if target.present:
        sides.append(ReceiveSide(chip, instruction, target))
    return tuple(sides)
