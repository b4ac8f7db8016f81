"""Synchronisation counters and what a wait admits.

Counters are 16 bits wide on the chip; here they run on and comparisons wrap.
Facts: docs/format/synchronisation.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..lowering.program import Flag, ScalarFlag, Wait
from .memories import TILES
from .streams import AddressStream


def wrapped(difference: int) -> int:
    """A difference of counters as the chip sees it: signed, 16 bits."""
    return (difference + 0x8000 & 0xFFFF) - 0x8000


def admitted(wait: Wait, stream: AddressStream, value: int, done: int) -> int:
    """Items of `stream` that may have started when the counter is `value` and `done` items
    are complete: a block starts once value >= threshold + block * increment."""
    level = wait.level
    block = stream.first_open(level, done)
    if block >= stream.blocks(level):
        return stream.total
    ahead = (value - wait.threshold - block * wait.increment + 0x8000 & 0xFFFF) - 0x8000
    if ahead < 0:
        return stream.start(level, block)
    if wait.increment <= 0:
        return stream.total
    return stream.start(level, block + ahead // wait.increment + 1)


class Counters:
    """tile[flag][tile] and scalar[flag] count signals since they were last set."""

    def __init__(self) -> None:
        self.tile = [[0] * TILES for _ in Flag]
        self.scalar = [0] * len(ScalarFlag)

    def add(self, flag: Flag, tiles: Iterable[int], amount: int) -> None:
        row = self.tile[flag]
        for tile in tiles:
            row[tile] += amount


class WaitSet:
    """The waits of one instruction that count over one stream."""

    __slots__ = ("flags", "stream", "waits")

    def __init__(self, waits: Iterable[Wait | None], stream: AddressStream) -> None:
        self.waits = tuple(wait for wait in waits if wait is not None)
        self.stream = stream
        self.flags = tuple(int(wait.flag) for wait in self.waits)

    def limit(self, counters: Sequence[Sequence[int]], tile: int, done: int) -> int:
        """Items of the stream that may start now on a tile."""
        limit = self.stream.total
        for wait, flag in zip(self.waits, self.flags, strict=True):
            limit = min(limit, admitted(wait, self.stream, counters[flag][tile], done))
        return limit

    def scalar_limit(self, counters: Sequence[int], done: int) -> int:
        """As `limit`, for a unit of the scalar core."""
        limit = self.stream.total
        for wait in self.waits:
            limit = min(limit, admitted(wait, self.stream, counters[wait.flag], done))
        return limit


def split_waits(
    waits: Iterable[Wait | None], read: AddressStream, write: AddressStream
) -> tuple[WaitSet, WaitSet]:
    """The waits that count over the read stream and, with `space`, over the write stream."""
    present = [wait for wait in waits if wait is not None]
    return (
        WaitSet([wait for wait in present if not wait.space], read),
        WaitSet([wait for wait in present if wait.space], write),
    )
