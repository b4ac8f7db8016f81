"""Address streams that many lowerings write alike (docs/format/execution.md, "Streams").

Reads nothing; writes values of the Program level.
"""

from __future__ import annotations

from functools import lru_cache
from math import prod

from ..planning.plan import LONGEST_LOOP
from .program import Nest


def stream(base: int, *levels: tuple[int, int]) -> Nest:
    """A plain stream with every level enabled."""
    return Nest(base, levels, (1 << len(levels)) - 1)


def idle_levels(*counts: int) -> tuple[tuple[int, int], ...]:
    """Loops that stay where they are: one of all steps, or one each where those are too many."""
    steps = prod(counts)
    return ((steps, 0),) if steps <= LONGEST_LOOP else tuple((count, 0) for count in counts)


@lru_cache(4096)
def words(base: int, count: int) -> Nest:
    """`count` words in a row; a single word enables no level."""
    return Nest(base, ((count, 1),), int(count > 1))


@lru_cache(4096)
def one_line(line: int, enabled: int = 0) -> Nest:
    """One line of a two-line FIFO."""
    return Nest(line, ((1, 1),), enabled, 1, 1)


@lru_cache(4096)
def fifo(base: int, count: int) -> Nest:
    """`count` items through a FIFO of two slots of one item (a word or a line)."""
    return Nest(base, ((count, 0),), 0, 0, 1)
