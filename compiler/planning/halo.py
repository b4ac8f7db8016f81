"""The halo exchange of a map: which rectangles every tile sends, receives and fills.

Reads a MapLayout, writes `HaloMove`s for steps of the Plan level. Rows travel first (own columns
only), then columns (with the rows that just came, so corners need no move of their own). What
lies outside the picture is filled by the tile at its edge. Facts: docs/format/tiling.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from ..fast_dataclass import dataclass
from ..lowering.program import Direction
from .map_layout import MapAxis, MapLayout
from .tiling import GRID, AxisSplit, Interval, length, overlap

EXCHANGE_ORDER = (Direction.NORTH, Direction.SOUTH, Direction.WEST, Direction.EAST)
_STEP = {
    Direction.NORTH: (-1, 0),
    Direction.SOUTH: (1, 0),
    Direction.WEST: (0, -1),
    Direction.EAST: (0, 1),
}
_BEHIND = (Direction.NORTH, Direction.WEST)
"""Ways of movement that fill what lies behind the own pixels (below, right)."""


@dataclass(frozen=True, slots=True)
class Rectangle:
    """Pixels in a tile's map: word offset of the first, and their size."""

    offset: int
    rows: int
    columns: int
    row_words: int


@dataclass(frozen=True, slots=True)
class HaloMove:
    """One tile's part in the moves of one direction. `source`: what it sends on; `destination`:
    what it receives, or fills with the zero point if `fill`. The source holds: `reads_own`
    pixels of its own; `reads_vertical` rows that came (or were filled) by a vertical move;
    `forwards` pixels received by this same direction."""

    direction: Direction
    tile: int
    source: Rectangle | None
    destination: Rectangle | None
    fill: bool
    reads_own: bool
    reads_vertical: bool
    forwards: bool


def halo_moves(layout: MapLayout) -> tuple[HaloMove, ...]:
    """All moves of an exchange, direction by direction, tiles ascending."""
    return _all_moves(_relative(layout.rows), _relative(layout.columns), layout.pixel_words)


@lru_cache(maxsize=512)
def _all_moves(rows: MapAxis, columns: MapAxis, pixel_words: int) -> tuple[HaloMove, ...]:
    """Layers of one shape, and passes inside the picture, share their moves."""
    layout = MapLayout(rows, columns, pixel_words, pixel_words)
    return tuple(move for direction in EXCHANGE_ORDER for move in _moves(layout, direction))


def _relative(axis: MapAxis) -> MapAxis:
    """The axis counted from its first pixel; a border that no tile touches is just beyond."""
    start, low, high = axis.held[0][0], axis.low, axis.high
    if all(low not in own for own in axis.own):
        low = start - 1
    if all(high not in own for own in axis.own):
        high = axis.held[-1][1] + 1
    return MapAxis(
        low - start,
        high - start,
        _moved(axis.own, start),
        _moved(axis.held, start),
        tuple(n and (n[0] - start, n[1] - start) for n in axis.needed),
    )


def _moved(intervals: AxisSplit, start: int) -> AxisSplit:
    return tuple((first - start, end - start) for first, end in intervals)


def _moves(layout: MapLayout, direction: Direction) -> Iterator[HaloMove]:
    tiles = range(GRID * GRID)
    received = [_received(layout, direction, tile) for tile in tiles]
    at_edge = [_at_edge(layout, direction, tile) for tile in tiles]
    if not any(received):
        return
    down, right = _STEP[direction]
    for tile in tiles:
        sent = None
        row, column = tile // GRID + down, tile % GRID + right
        if 0 <= row < GRID and 0 <= column < GRID and not at_edge[row * GRID + column]:
            sent = received[row * GRID + column]
        got = received[tile]
        if got is not None or sent is not None:
            yield HaloMove(
                direction,
                tile,
                sent and _rectangle(layout, tile, *sent),
                got and _rectangle(layout, tile, *got),
                got is not None and at_edge[tile],
                **_contents(layout, direction, tile, sent),
            )


def _contents(
    layout: MapLayout, direction: Direction, tile: int, sent: tuple[Interval, Interval] | None
) -> dict[str, bool]:
    """What a tile's source holds."""
    if sent is None:
        return {"reads_own": False, "reads_vertical": False, "forwards": False}
    own_rows, own_columns = layout.rows.own[tile // GRID], layout.columns.own[tile % GRID]
    rows, columns = sent
    own_row = length(overlap(rows, own_rows)) > 0
    own_column = length(overlap(columns, own_columns)) > 0
    vertical = _STEP[direction][0] != 0
    along, own = (rows, own_rows) if vertical else (columns, own_columns)
    return {
        "reads_own": own_row and own_column,
        "reads_vertical": own_column and not vertical,
        "forwards": not (own[0] <= along[0] and along[1] <= own[1]),
    }


def _axis(layout: MapLayout, direction: Direction, tile: int) -> tuple[MapAxis, int]:
    """The axis of movement and the tile's place on it."""
    if _STEP[direction][0]:
        return layout.rows, tile // GRID
    return layout.columns, tile % GRID


def _at_edge(layout: MapLayout, direction: Direction, tile: int) -> bool:
    """Whether the picture ends where the data of this direction would come from."""
    axis, place = _axis(layout, direction, tile)
    low, high = axis.own[place]
    return high == axis.high if direction in _BEHIND else low == axis.low


def _received(
    layout: MapLayout, direction: Direction, tile: int
) -> tuple[Interval, Interval] | None:
    """Rows and columns the tile gets by this direction."""
    axis, place = _axis(layout, direction, tile)
    part = axis.after(place) if direction in _BEHIND else axis.before(place)
    if axis is layout.rows:
        rows, columns = part, layout.columns.own[tile % GRID]
    else:
        across = layout.rows.needed[tile // GRID]
        if across is None:
            return None
        rows, columns = across, part
    return (rows, columns) if length(rows) and length(columns) else None


def _rectangle(layout: MapLayout, tile: int, rows: Interval, columns: Interval) -> Rectangle:
    return Rectangle(
        layout.offset(tile, rows[0], columns[0]) - layout.channel_offset,
        length(rows),
        length(columns),
        layout.row_words(tile),
    )
