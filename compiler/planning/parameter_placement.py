"""Which tile and which wide lines each cached layer's parameters get.

Reads Segments, writes Pieces (both Plan level). Longest layer first onto the least loaded
tile; ties as libc++ leaves them. Facts: docs/format/caching_program.md, "Placement".
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

from ..errors import ResourceError
from .libcxx import PriorityQueue, std_sort
from .plan import TILES, WIDE_LINES, Piece, Segment

_Load = tuple[int, int]
"""(wide lines taken, tile)."""


def place_parameters(
    segments: Sequence[Segment],
    capacity: int = WIDE_LINES,
    *,
    cached: Collection[int] | None = None,
    reserved: int = 0,
    order: Sequence[int] | None = None,
    passes: Mapping[int, int] | None = None,
    small_sort: int = 30,
) -> tuple[tuple[Piece, ...], ...]:
    """Pieces of each segment, () for streamed ones.

    segments: in execution order. capacity: first wide line parameters may not use.
    cached: indices of the segments to place (default all). reserved: lines at the bottom
    of every tile that are taken already. order: indices in the order of the source file
    (default: by operator). passes: how often the layers run that run more than once.
    Where a fully connected layer's blocks find no tile in their turn, they go first, in the order
    in which `select_cached` saw that they fit.
    Raises ResourceError when the cached segments do not fit.
    """
    indices = range(len(segments))
    given = order if order is not None else sorted(indices, key=lambda i: segments[i].op)
    wanted = set(indices if cached is None else cached)

    def placed(turns: Iterable[int]) -> tuple[tuple[Piece, ...], ...]:
        placer = _Placer(segments, capacity - reserved)
        placer.place([index for index in turns if index in wanted])
        return placer.addresses(reserved)

    turns = _placing_order(segments, given, small_sort, passes or {})
    try:
        return placed(turns)
    except ResourceError:
        chosen = pinned_first(segments, longest_first(segments, given, small_sort))
        blocks = [index for index in chosen if segments[index].kind == "fully_connected"]
        return placed(dict.fromkeys([*blocks, *turns]))


def longest_first(
    segments: Sequence[Segment], indices: Sequence[int], small_sort: int = 30
) -> list[int]:
    """`indices` by class (pinned layers, 4-lane packed ones, others) and falling size: the
    order in which layers are chosen to be cached."""

    def key(index: int) -> tuple[bool, bool, int]:
        segment = segments[index]
        return not segment.pinned, segment.kind != "depthwise", -total_lines(segment)

    return _sorted(indices, key, small_sort)


def _placing_order(
    segments: Sequence[Segment],
    indices: Sequence[int],
    small_sort: int,
    passes: Mapping[int, int],
) -> list[int]:
    """`indices` by class and falling size: the order in which cached layers are placed, found with
    the streamed ones among them, since that decides the order of equal ones. Classes:
    pinned layers, the number of spatial passes, one-hot products, 4-lane packed and fully
    connected ones (the size of one block counts), the others."""

    def key(index: int) -> tuple[bool, int, bool, bool, int]:
        segment = segments[index]
        connected = segment.kind == "fully_connected"
        lines = total_lines(segment) // segment.blocks
        ahead = connected and segment.one_hot
        packed = connected or segment.kind == "depthwise"
        return not segment.pinned, -passes.get(index, 1), not ahead, not packed, -lines

    return _sorted(indices, key, small_sort)


def _sorted(
    indices: Sequence[int], key: Callable[[int], tuple[int, ...]], small_sort: int
) -> list[int]:
    keys = {index: key(index) for index in indices}
    return std_sort(indices, lambda a, b: keys[a] < keys[b], small_sort)


def total_lines(segment: Segment) -> int:
    """Wide lines of all its blocks, headers and unused lanes included."""
    return segment.blocks * segment.lines(segment.rows // segment.blocks)


def place_blocks(segment: Segment, loads: list[int], capacity: int) -> list[_Load] | None:
    """Tile of each block of a fully connected layer, as (lines, tile), and adds them to
    `loads`: block b starts looking at tile b and takes the first tile with room. None, and
    `loads` as it was, when a block finds none."""
    lines = segment.lines(segment.rows // segment.blocks)
    after = list(loads)
    found = []
    for block in range(segment.blocks):
        candidates = ((block + step) % TILES for step in range(TILES))
        tile = next((t for t in candidates if after[t] + lines <= capacity), None)
        if tile is None:
            return None
        after[tile] += lines
        found.append((lines, tile))
    loads[:] = after
    return found


def pinned_first(segments: Sequence[Segment], indices: Iterable[int]) -> list[int]:
    """`indices` in order, pinned segments before the others."""
    return sorted(indices, key=lambda index: (not segments[index].pinned, index))


def piece_rows(segment: Segment, pieces: Sequence[Piece]) -> tuple[int, ...]:
    """64-byte rows of the segment's data that each of its pieces holds, in order."""
    if segment.blocks > 1 and len(pieces) == segment.blocks:
        return (segment.rows // segment.blocks,) * segment.blocks
    rows, left = [], segment.rows
    for piece in pieces:
        count = min(left, piece.lines * segment.lanes // 16)
        rows.append(count)
        left -= count
    return tuple(rows)


def _above(a: _Load, b: _Load) -> bool:
    """Comparator of the queue of tiles: only the load counts, the smallest comes first."""
    return a[0] > b[0]


class _Placer:
    """Tile and length of every piece (`runs`), found for one layer after the other."""

    def __init__(self, segments: Sequence[Segment], capacity: int) -> None:
        self.segments = segments
        self.capacity = capacity
        self.runs: list[list[_Load]] = [[] for _ in segments]
        self.queue = self._tiles([0] * TILES)

    def place(self, turns: Sequence[int]) -> None:
        """Every layer in its turn."""
        for index in turns:
            segment = self.segments[index]
            if segment.kind == "fully_connected":
                self._place_blocks(index)
            elif not (segment.spread and self._spread(index)):
                self.runs[index] = list(self._fill(index))

    def addresses(self, reserved: int) -> tuple[tuple[Piece, ...], ...]:
        """Stack the pieces of each tile from `reserved` upward."""
        tops = [reserved] * TILES
        pieces: list[tuple[Piece, ...]] = [()] * len(self.segments)
        for index in self._address_order():
            placed = []
            for lines, tile in self.runs[index]:
                placed.append(Piece(tile, lines, tops[tile]))
                tops[tile] += lines
            pieces[index] = tuple(placed)
        return tuple(pieces)

    def _place_blocks(self, index: int) -> None:
        """Blocks go to tiles of their own; the queue is rebuilt in the order of the tiles."""
        loads = self._loads()
        found = place_blocks(self.segments[index], loads, self.capacity)
        if found is None:
            raise self._no_room(index)
        self.runs[index] = found
        self.queue = self._tiles(loads)

    def _spread(self, index: int) -> bool:
        """A table's slices go to tiles 0, 1, ... if all have room; if not, it stays one
        layer. Either way the queue is rebuilt in the order of the tiles."""
        loads = self._loads()
        segment = self.segments[index]
        slices = [(segment.lines(rows), tile) for tile, rows in enumerate(segment.spread)]
        fits = all(loads[tile] + lines <= self.capacity for lines, tile in slices)
        if fits:
            for lines, tile in slices:
                loads[tile] += lines
            self.runs[index] = slices
            self.queue = self._tiles(loads)
        else:
            self.queue = self._tiles(loads)
        return fits

    def _fill(self, index: int) -> Iterator[_Load]:
        """The least loaded tile takes the layer; if it is too full, it and the next ones
        take what they can, as soon as enough of them are known to hold all of it."""
        left = total_lines(self.segments[index])
        self._look_ahead(left, index)
        while left > 0:
            load, tile = self.queue.pop()
            lines = min(left, self.capacity - load)
            if lines <= 0:
                raise self._no_room(index)
            left -= lines
            self.queue.push((load + lines, tile))
            yield lines, tile

    def _look_ahead(self, lines: int, index: int) -> None:
        """Take tiles off the queue until they and the next one have `lines` lines free,
        and put them back: this is what decides the order of equally full tiles."""
        held: list[_Load] = []
        free = 0
        while len(self.queue) and free + self.capacity - self.queue.top[0] < lines:
            held.append(self.queue.pop())
            free += self.capacity - held[-1][0]
        if not len(self.queue):
            raise self._no_room(index)
        for entry in held:
            self.queue.push(entry)

    def _address_order(self) -> list[int]:
        """Blocks last layer first, spread tables, one-tile tables last first, the rest."""

        def rank(index: int) -> int:
            segment = self.segments[index]
            if segment.kind == "fully_connected":
                return 0
            if segment.spread and len(self.runs[index]) == len(segment.spread):
                return 1 if len(segment.spread) > 1 else 2
            return 3

        indices = range(len(self.segments))
        ranks = [rank(index) for index in indices]
        return sorted(indices, key=lambda i: (ranks[i], -i if ranks[i] in (0, 2) else i))

    def _loads(self) -> list[int]:
        return [load for load, _ in sorted(self.queue.heap, key=lambda entry: entry[1])]

    def _tiles(self, loads: Sequence[int]) -> PriorityQueue[_Load]:
        return PriorityQueue([(load, tile) for tile, load in enumerate(loads)], _above)

    def _no_room(self, index: int) -> ResourceError:
        segment = self.segments[index]
        return ResourceError(
            f"no room for the parameters of operator {segment.op}",
            actual=f"{total_lines(segment)} more wide lines",
            allowed=f"{self.capacity} lines on each of {TILES} tiles",
        )
