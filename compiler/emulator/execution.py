"""What every unit of a tile has in common: an instruction in execution on its tiles.

An instruction runs on all its tiles at once. Its *sides* advance on their own (a mesh move
sends and receives independently; everything else has one side); a side counts the items of
one stream, and tiles that stand at the same item advance together in one numpy operation.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import EmulationError, Where
from ..lowering.program import Flag, TileInstruction
from .accesses import Access
from .counters import WaitSet
from .memories import TILES
from .streams import AddressStream

if TYPE_CHECKING:
    from .chip import Chip

_MOST_KEPT = 1 << 18
"""Addresses a side keeps of what it has accessed."""
Key = tuple[str, int]
"""What a side waits for: ("flag", counter), ("ring", channel) or ("mesh", direction)."""


@dataclass(frozen=True, slots=True)
class Signal:
    """Adds to `flag` whenever a block of `level` of `stream` is complete; `everywhere`: on
    all tiles and the scalar core."""

    flag: Flag
    level: int
    stream: AddressStream
    everywhere: bool = False

    def count(self, start: int, stop: int) -> int:
        """Signals fired by items start..stop of the stream."""
        return self.stream.finished(self.level, stop) - self.stream.finished(self.level, start)


def signals(*candidates: tuple[Flag, int | None, AddressStream]) -> tuple[Signal, ...]:
    """The signals of an instruction whose level is not None."""
    return tuple(
        Signal(flag, level, stream) for flag, level, stream in candidates if level is not None
    )


def _alike(row: list[int]) -> bool:
    """Whether all tiles have the same value."""
    return row.count(row[0]) == TILES


Levels = tuple[tuple[AddressStream, int], ...]
"""Levels of streams whose blocks some wait or signal counts."""


def counted_levels(groups: Iterable[WaitSet], signals: Iterable[Signal]) -> Levels:
    """The levels that waits and signals count."""
    levels = [(group.stream, wait.level) for group in groups for wait in group.waits]
    levels += [(signal.stream, signal.level) for signal in signals]
    return tuple(dict.fromkeys(levels))


def next_boundary(start: int, levels: Levels, total: int) -> int:
    """First item behind `start` that ends a block some wait or signal counts."""
    result = total
    for stream, level in levels:
        result = min(result, stream.block_end(level, start))
    return result


class Side:
    """One stream of an instruction: `done` items of `total` on each tile."""

    def __init__(self, chip: Chip, total: int, waits: Sequence[WaitSet] = ()) -> None:
        self.chip = chip
        self.total = total
        self.done = [0] * TILES
        self.waits = tuple(waits)
        self.flags = tuple(dict.fromkeys(flag for group in waits for flag in group.flags))
        self._accesses: dict[tuple[int, int], list[Access]] = {}
        self._kept = 0

    shares_room = False
    """Whether another sender may take the room the side was about to use."""

    def keys(self) -> list[Key]:
        """Everything whose change may let the side go on."""
        return [("flag", flag) for flag in self.flags]

    def starved(self, tile: int) -> bool:
        """Whether the side waits for data or for room, and not for a counter."""
        return False

    def supply(self, tile: int) -> int:
        """Data that has arrived for the tile, in any unit that grows with it."""
        return 0

    def supplies(self) -> list[int] | None:
        """`supply` of every tile; None if it is always the same."""
        return None

    def reach(self, tile: int, start: int) -> int:
        """How far the tile may advance now, at least `start`."""
        raise NotImplementedError

    def run(self, tiles: Sequence[int], start: int, stop: int) -> None:
        """Execute items start..stop on tiles, all of which stand at `start`."""
        raise NotImplementedError

    def boundary(self, start: int) -> int:
        """First item behind `start` at which the side waits for or signals something."""
        return self.total

    @property
    def stepped(self) -> bool:
        """Whether `accesses` tells which accesses come before which signal, so that blocks need
        not end at signals."""
        return False

    def waited(self, start: int, stop: int) -> list[tuple[WaitSet, int, int]]:
        """(waits, first, last + 1 item of their stream) that items start..stop depend on."""
        return [(group, start, stop) for group in self.waits]

    def accesses(self, start: int, stop: int) -> list[Access]:
        """Memory that items start..stop read and write."""
        return []

    def known_accesses(self, start: int, stop: int) -> list[Access]:
        """As `accesses`, kept for the tiles that come to the same items later."""
        found = self._accesses.get((start, stop))
        if found is None:
            found = self.accesses(start, stop)
            self._kept += sum(len(access.addresses) for access in found)
            if self._kept > _MOST_KEPT:
                self._accesses.clear()
                self._kept = 0
            self._accesses[start, stop] = found
        return found

    def moved(self, start: int, stop: int) -> int:
        """Bytes the items move between memories, links or tiles."""
        return 0

    def products(self, start: int, stop: int) -> int:
        """Multiplications of the items whose lane belongs to an output."""
        return 0

    def cycles(self, start: int, stop: int) -> float:
        """Time the items take, in clock cycles."""
        return float(stop - start)

    def ready(self, tiles: Sequence[int]) -> dict[tuple[int, int], list[int]]:
        """Tiles that can advance, by (start, stop)."""
        counters = self.chip.counters.tile
        rows = [counters[flag] for flag in self.flags]
        if len(tiles) == TILES and _alike(self.done) and all(map(_alike, rows)):
            supply = self.supplies()
            if supply is None or _alike(supply):
                first = self.done[0]
                limit = self.reach(0, first) if first < self.total else first
                return {(first, limit): list(tiles)} if limit > first else {}
        known: dict[tuple[int, ...], int] = {}
        groups: dict[tuple[int, int], list[int]] = {}
        for tile in tiles:
            start = self.done[tile]
            if start == self.total:
                continue
            state = (start, self.supply(tile), *[row[tile] for row in rows])
            stop = known.get(state)
            if stop is None:
                stop = known[state] = self.reach(tile, start)
            if stop > start:
                groups.setdefault((start, stop), []).append(tile)
        return groups

    def advance(self, tiles: Sequence[int], start: int, stop: int) -> None:
        """`run`, then the book-keeping."""
        self.run(tiles, start, stop)
        for tile in tiles:
            self.done[tile] = stop


class Execution:
    """An instruction on its way: `active` are the tiles whose unit works on it now; `section`
    counts the barriers before it."""

    def __init__(
        self, unit: int, instruction: TileInstruction, tiles: Sequence[int], place: str
    ) -> None:
        self.unit = unit
        self.instruction = instruction
        self.tiles = tuple(tiles)
        self.place = place
        self.active: list[int] = []
        self.remaining = len(tiles)
        self.sides: tuple[Side, ...] | None = None
        self.queued = False
        self.section = 0

    def finished(self, tile: int) -> bool:
        """Whether every side of a started instruction is done on a tile."""
        assert self.sides is not None
        return all(side.done[tile] == side.total for side in self.sides)

    def error(self, message: str, tile: int | None = None) -> EmulationError:
        """An error that names the instruction."""
        where = f"{self.place} ({type(self.instruction).__name__})"
        if tile is not None:
            where += f" on tile {tile}"
        return EmulationError(message, where=Where(op=where))
