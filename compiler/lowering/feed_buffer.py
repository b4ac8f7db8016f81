"""The parameter feed buffer of the scalar core: rows from the host on their way to the ring.

Reads nothing; writes values of the Program level. Facts: docs/format/caching_program.md,
"Feed buffer".
"""

from __future__ import annotations

from .program import Nest, Tail

FEED_ROWS = 2048
"""64-byte rows of the buffer, which is used as a ring."""
CHUNK_ROWS = 1024
"""Rows of one trip through half of the buffer."""


def ring_of_rows(start: int, rows: int) -> Nest:
    """`rows` rows of the buffer from row `start` of the whole stream on: trips of 1024 rows
    through its halves in turn, the last trip shorter."""
    base = start % FEED_ROWS
    if rows == 1:
        return Nest(base, ((1, 1), (1, 0)), 1, double_level=1, double_offset=CHUNK_ROWS)
    rest = rows % CHUNK_ROWS
    tail = Tail(rest, 1, CHUNK_ROWS - rest) if rest else None
    trips = -(-rows // CHUNK_ROWS)
    return Nest(base, ((CHUNK_ROWS, 1), (trips, 0)), 1, 1, CHUNK_ROWS, tail)


def signed16(value: int) -> int:
    """The counters have 16 bits and run on; thresholds wrap with them."""
    return (value + 0x8000) % 0x10000 - 0x8000
