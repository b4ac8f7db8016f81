"""The synchronisation counters as they will stand when the program runs.

Every counter is cumulative since the last fence that reset it, and private to a tile, so a
lowering asks "how many events has this tile seen" here and nowhere else. Facts:
docs/format/execution_order.md.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import InternalError
from ..fast_dataclass import dataclass
from .program import ALL_TILES, Flag

_TILES = 16


@dataclass(frozen=True, slots=True)
class Production:
    """A buffer's contents as AVDATA events: the last `blocks` of `total` events; `grouped` if
    they come by groups of four channels (else by blocks of 64)."""

    total: int
    blocks: int
    grouped: bool


class SyncState:
    """Counters of all tiles since the last reset, and two of the scalar core that run through
    the whole program: words taken from the ring for re-injection, plus one for each message
    to the host (`outfed`), and words sent again from there (`reinjected`).

    reset_before_parameters: an elementwise operator asks the next layer that loads parameters
    for a reset in front of them.
    """

    def __init__(self) -> None:
        self.outfed = 0
        self.reinjected = 0
        self.reset_before_parameters = False
        self._grouped: dict[str, bool] = {}
        self._produced: dict[str, Production] = {}
        self._counts: dict[Flag, list[int]] = {}

    def reset(self, flags: Iterable[Flag] | None = None) -> None:
        """After a fence that sets the counters (default: all of them) to zero."""
        if flags is None:
            self._counts.clear()
            self._produced.clear()
            self.reset_before_parameters = False
            return
        for flag in flags:
            self._counts.pop(flag, None)
            if flag == Flag.AVDATA:
                self._produced.clear()

    @property
    def is_clear(self) -> bool:
        """Whether every counter stands at zero."""
        return not self._counts

    def on_tile(self, flag: Flag, tile: int) -> int:
        """Events of `flag` on one tile."""
        counts = self._counts.get(flag)
        return counts[tile] if counts else 0

    def count(self, flag: Flag, tiles: int = ALL_TILES) -> int:
        """Events of `flag` on every tile of the mask; InternalError if they differ."""
        values = {self.on_tile(flag, tile) for tile in range(_TILES) if tiles >> tile & 1}
        if len(values) > 1:
            raise InternalError(f"{flag.name} differs between the tiles {tiles:#x}: {values}")
        return values.pop() if values else 0

    def is_uniform(self, tiles: int, flags: Iterable[Flag] = tuple(Flag)) -> bool:
        """Whether all tiles of the mask stand at the same count, for each of the flags."""
        chosen = [tile for tile in range(_TILES) if tiles >> tile & 1]
        return all(
            len({counts[tile] for tile in chosen}) <= 1
            for flag, counts in self._counts.items()
            if flag in flags
        )

    def ahead(self, flag: Flag) -> int:
        """Mask of the tiles with most events of `flag`."""
        counts = [self.on_tile(flag, tile) for tile in range(_TILES)]
        return sum(1 << tile for tile in range(_TILES) if counts[tile] == max(counts))

    def advance(self, flag: Flag, events: int, tiles: int = ALL_TILES) -> None:
        """`events` more events on the tiles of the mask."""
        counts = self._counts.setdefault(flag, [0] * _TILES)
        for tile in range(_TILES):
            if tiles >> tile & 1:
                counts[tile] += events

    def produce(self, buffer: str, blocks: int, tiles: int, *, grouped: bool = False) -> None:
        """A tensor op filled `buffer` with `blocks` AVDATA events on the tiles of the mask."""
        self.advance(Flag.AVDATA, blocks, tiles)
        total = self.count(Flag.AVDATA, tiles)
        self._produced[buffer] = Production(total, blocks, grouped)
        self._grouped[buffer] = grouped

    def production(self, buffer: str) -> Production | None:
        """The buffer's events, or None if it was filled before the last reset."""
        return self._produced.get(buffer)

    def is_grouped(self, buffer: str) -> bool:
        """Whether the buffer was filled by groups of four channels (kept over resets)."""
        return self._grouped.get(buffer, False)
