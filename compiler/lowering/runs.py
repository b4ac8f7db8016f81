"""Streams of words in narrow memory, as messages read and write them.

Reads nothing; writes values of the Program level.
"""

from __future__ import annotations

from ..fast_dataclass import dataclass
from .program import Nest


@dataclass(frozen=True, slots=True)
class Run:
    """Words of a stream: first address and levels, innermost first."""

    base: int
    levels: tuple[tuple[int, int], ...]

    @property
    def words(self) -> int:
        count = 1
        for trips, _ in self.levels:
            count *= trips
        return count

    def nest(self) -> Nest:
        """The stream, without levels of one trip."""
        levels = tuple(level for level in self.levels if level[0] > 1)
        return Nest(self.base, levels or ((1, 1),), (1 << len(levels)) - 1)
