"""What an instruction in execution reads and writes, for the hazard detector."""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np

from .memories import LINE_BYTES, NARROW_WORDS, SCALING_BYTES, UNITS_PER_LINE, WIDE_LINES
from .streams import Addresses


class Space(enum.Enum):
    """A memory and the unit of its addresses; all but the last three exist on every tile."""

    NARROW = "narrow memory word"
    WIDE = "wide memory 64-byte unit"
    SCALING = "scaling unit 8-byte entry"
    TABLE = "lookup table"
    PARAMETER_FEED = "parameter feed buffer line"
    ACTIVATION_FEED = "activation feed buffer item"
    SCALAR = "scalar memory word"


SIZES = {
    Space.NARROW: NARROW_WORDS,
    Space.WIDE: UNITS_PER_LINE * WIDE_LINES,
    Space.SCALING: SCALING_BYTES // 8,
    Space.TABLE: 1,
    Space.PARAMETER_FEED: 2048,
    Space.ACTIVATION_FEED: 32768,
    Space.SCALAR: 4096,
}
PER_TILE = (Space.NARROW, Space.WIDE, Space.SCALING, Space.TABLE)
FEED_SPACES = (Space.PARAMETER_FEED, Space.ACTIVATION_FEED, Space.SCALAR)
"""By `Pop.source`."""
_MANY = 1 << 9
"""Addresses from which on a table of flags is faster than sorting."""


@dataclass(frozen=True, slots=True, eq=False)
class Access:
    """Addresses of one space, read or written. after: how many signals of the same items each
    access comes after; None: all come before the first. block: the addresses are those from its
    start up to its end."""

    space: Space
    write: bool
    addresses: Addresses
    after: Addresses | None = None
    block: slice | None = None

    @property
    def index(self) -> Addresses | slice:
        """The addresses as the index of an array."""
        return self.addresses if self.block is None else self.block


def distinct(addresses: Addresses) -> Addresses:
    """Each address once, ascending."""
    if len(addresses) < _MANY:
        return np.unique(addresses)
    first = int(addresses.min())
    seen = np.zeros(int(addresses.max()) - first + 1, bool)
    seen[addresses - first] = True
    return np.flatnonzero(seen) + first


def line_units(lines: Addresses, width: int = LINE_BYTES) -> Addresses:
    """64-byte units of the first `width` bytes of lines."""
    units = -(-width // (LINE_BYTES // UNITS_PER_LINE))
    return np.asarray((UNITS_PER_LINE * lines[..., None] + np.arange(units)).ravel())


def lane_units(lines: Addresses, lanes: Addresses, lanes_per_unit: int) -> Addresses:
    """64-byte units of single lanes, each once."""
    return np.unique(UNITS_PER_LINE * lines + lanes // lanes_per_unit)
