"""Steps around the layers of spatial passes: maps cut anew, parked, and put together again.

Facts: docs/format/passes.md.
"""

from __future__ import annotations

from ..fast_dataclass import dataclass
from .axis_relayout import AxisRelayout
from .halo import HaloMove
from .map_layout import MapLayout
from .plan import Step
from .tiling import GRID

FIFO_WORDS = 8
"""Two slots of four words, for words that tiles pass on."""
LINE_WORDS = 64


@dataclass(frozen=True, slots=True)
class Move:
    """A relayout and the buffers it goes from and to."""

    relayout: AxisRelayout
    source: str
    target: str


@dataclass(frozen=True, slots=True)
class ParkedRectangle:
    """Tiles that park as many rows and columns of their map."""

    rows: int
    columns: int
    tiles: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PassInputStep(Step):
    """The input of one pass: the part of a map that it works on, cut over all tiles. exchange:
    halo moves of the new map, `layout`, outside the picture `zero`. identity_buffer: words to
    make the identity line from, '' if it is there."""

    move: Move
    layout: MapLayout
    exchange: tuple[HaloMove, ...]
    zero: int
    fifo_buffer: str
    identity_buffer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectStep(Step):
    """Results of passes, put together to one map."""

    moves: tuple[Move, ...]
    fifo_buffer: str
    identity_buffer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkStep(Step):
    """A map without halo out to wide memory, from `line` on, or back if `restore`."""

    rectangles: tuple[ParkedRectangle, ...]
    pixel_words: int
    buffer: str
    line: int
    restore: bool = False


def parked_lines(layout: MapLayout) -> int:
    """Wide lines that the tile with the largest part of a map takes to park it."""
    pixels = max(rows * columns for rows, columns in _sizes(layout))
    return -(-pixels * layout.pixel_words // LINE_WORDS)


def parked_rectangles(layout: MapLayout) -> tuple[ParkedRectangle, ...]:
    """Tiles by the size of their part, in the order of their lowest tiles."""
    masks: dict[tuple[int, int], int] = {}
    for tile, size in enumerate(_sizes(layout)):
        if all(size):
            masks[size] = masks.get(size, 0) | 1 << tile
    return tuple(ParkedRectangle(rows, columns, tiles) for (rows, columns), tiles in masks.items())


def _sizes(layout: MapLayout) -> list[tuple[int, int]]:
    return [layout.own_size(tile) for tile in range(GRID * GRID)]
