"""SOFTMAX with unused channels: every tile gets all 16-bit exponentials.

Words of two 16-bit values. Each tile copies its values to their place in the whole vector and
sends them to every other tile. The very last word has an unused half: it travels by mesh to
tile 0, is multiplied by (1, 0), goes to all tiles over the ring, and back to its own tile by
mesh. Facts: docs/format/softmax.md.
"""

from __future__ import annotations

import itertools
from dataclasses import replace

from ..planning.plan import Piece
from ..planning.tiling import GRID
from .mesh_transfer import INCOMING, OUTGOING
from .program import (
    Direction,
    Flag,
    MeshMove,
    Mode,
    Nest,
    Ring,
    RingConsume,
    RingProduce,
    TensorOp,
    Unit,
    Wait,
    WideToNarrow,
)
from .ring_transfer import end_of_round, ring_message
from .softmax_tables import TABLE_FIFO_LINE
from .softmax_work import MESH_FLAGS, Work
from .streams import one_line, stream, words

_MASK_TABLE = 3
_MESH_UNITS = Unit.MESH_SOUTH | Unit.MESH_WEST | Unit.MESH_NORTH | Unit.MESH_EAST


def exchange_exponentials(work: Work) -> None:
    """All words but a masked last one, all tiles to all; then that one."""
    counts = _counts(work)
    _copy_to_place(work, counts)
    _all_to_all(work, counts)
    if _masks_last_word(work):
        _fetch_last_word(work, counts[-1])
        _mask_last_word(work)
        _spread_last_word(work)
        _return_last_word(work)
    else:
        work.lowering.reset()
        work.lowering.reset()


def _masks_last_word(work: Work) -> bool:
    """Whether the last word of two values holds only one and has a table of its own."""
    return work.step.elements % 2 == 1 and work.tiles > 1


def _counts(work: Work) -> list[int]:
    """Whole words of values on each tile; a last word that is masked is left out."""
    counts = [2 * work.size(tile) for tile in range(work.tiles)]
    counts[-1] = _pairs(work) - sum(counts[:-1]) - _masks_last_word(work)
    return counts


def _pairs(work: Work) -> int:
    """Words of two 16-bit values."""
    return -(-work.step.elements // 2)


def _last_word(work: Work) -> int:
    return work.exponentials + _pairs(work) - 1


def _copy_to_place(work: Work, counts: list[int]) -> None:
    for tile, count in enumerate(counts):
        if not count:
            continue
        size = 2 * work.size(tile)
        levels = ((count, 1), (1, 0), (1, size), (1, 0), (1, size), (1, 0), (1, size))
        place = (work.exponentials + 2 * work.block * tile, _pairs(work))
        work.raw_copy(1 << tile, levels, work.base, place=place, count=count, line=work.identity)
    work.lowering.reset()


def _all_to_all(work: Work, counts: list[int]) -> None:
    work.lowering.program.idle()
    for reader in range(work.tiles):
        for sender, count in enumerate(counts):
            if sender != reader and count:
                place = work.exponentials + 2 * work.block * sender
                ring_message(
                    work.lowering,
                    sender,
                    1 << reader,
                    source=place,
                    destination=place,
                    count=count,
                    lines=work.ring_lines(2),
                )
    end_of_round(work.lowering)
    work.lowering.program.idle()
    work.lowering.program.idle()


def _fetch_last_word(work: Work, source: int) -> None:
    """From the last tile, where it lies behind its block's values, to tile 0."""
    last = _last_word(work)
    path = _path(work.tiles - 1, 0)
    move_word(work, path, work.base + source, last + 9, last + 1)
    _after_move(work)
    work.lowering.program.idle()
    work.lowering.reset()


def _after_move(work: Work) -> None:
    program = work.lowering.program
    program.tile_fence(MESH_FLAGS, _MESH_UNITS)
    program.idle()
    work.lowering.reset()


def _mask_last_word(work: Work) -> None:
    """Its two values times (1.0, 0.0), on tile 0; the factors lie there, on another
    tile or on the host."""
    last = _last_word(work)
    pieces = work.lowering.placement(work.step.segments[_MASK_TABLE])
    here = bool(pieces) and pieces[0].tile == 0
    ring = Ring.B if pieces else Ring.A
    work.lowering.add(_load_mask(pieces[0].address) if here else _receive_mask(work, ring))
    work.lowering.add(
        TensorOp(
            tiles=1,
            narrow_in=stream(4 * (last + 9), (1, 4), (1, 4), (1, 4)),
            narrow_out=stream(4 * last, (1, 4), (1, 4 * _pairs(work)), (1, 4)),
            wide=words(4 * work.identity, 1),
            partial=words(0, 1),
            signal_output=2,
            signal_operands=1,
            waits=(Wait(Flag.WIDE_TO_SCALING, 1, 1), Wait(Flag.NARROW_TO_WIDE, 2, 0)),
            mode=Mode.POOL,
            group_level=1,
            last_lanes=1,
            lanes=1,
            activation=4,
            multiplier=1.0,
            clamp_max=65535.0,
            scales=1,
        )
    )
    if not here:
        _send_mask(work, pieces)
    work.lowering.program.idle()


def _load_mask(line: int) -> WideToNarrow:
    return WideToNarrow(
        tiles=1,
        wide=Nest(line, ((1, 1),), 1),
        narrow=Nest(0, ((1, 1), (1, 64)), 3, 2, 32),
        signal=2,
        waits=(Wait(Flag.AVDATA, 2, -1, 1, True),),
        to_scaling=1,
        fill_level=1,
    )


def _receive_mask(work: Work, ring: Ring) -> WideToNarrow:
    """A consumer of the one line, and what loads it from the consumer's FIFO."""
    line = one_line(work.line(TABLE_FIFO_LINE))
    room = Wait(Flag.WIDE_TO_SCALING, 1, -1, 1, True)
    work.lowering.add(RingConsume(tiles=1, ring=ring, wide=line, signal=1, wait=room))
    load = _load_mask(line.base)
    arrival = Flag.RING_READ_A if ring is Ring.A else Flag.RING_READ_B
    waits = (Wait(arrival, 1, 1), *load.waits)
    return replace(load, wide=replace(line, enabled=1), waits=waits)


def _send_mask(work: Work, pieces: tuple[Piece, ...]) -> None:
    lowering = work.lowering
    index = work.step.segments[_MASK_TABLE]
    if not pieces:
        segment = lowering.segment(index)
        lowering.host.broadcast(index, segment.data, segment.lanes, 1)
        lowering.sync.advance(Flag.RING_READ_A, 1, 1)
        return
    turn = Wait(Flag.RING_PRODUCER_B, 1, lowering.program.producer_b)
    lowering.add(
        RingProduce(
            tiles=1 << pieces[0].tile,
            wide=stream(pieces[0].address, (1, 1)),
            signal_sent=0,
            waits=(turn,),
            channel_b=1,
            destinations=1,
        )
    )
    lowering.program.producer_b += 1
    lowering.sync.advance(Flag.RING_READ_B, 1, 1)


def _spread_last_word(work: Work) -> None:
    """From tile 0 to all; then the ring's message counts start again."""
    work.to_all(_last_word(work), 1, 36)
    program = work.lowering.program
    program.drain_producers()
    program.idle()
    program.idle()


def _return_last_word(work: Work) -> None:
    """To the tile whose block it ends."""
    last = _last_word(work)
    move_word(work, _path(0, work.tiles - 1), last, last, last + 1)
    _after_move(work)
    work.lowering.reset()


def _path(start: int, end: int) -> list[int]:
    """Tiles from start to end: along the column first, then along the row."""
    (row, column), (last_row, last_column) = divmod(start, GRID), divmod(end, GRID)
    down = 1 if last_row > row else -1
    right = 1 if last_column > column else -1
    path = [GRID * r + column for r in range(row, last_row, down)]
    path += [GRID * last_row + c for c in range(column, last_column, right)]
    return [*path, end]


def _direction(start: int, end: int) -> Direction:
    if abs(end - start) == GRID:
        return Direction.SOUTH if end > start else Direction.NORTH
    return Direction.EAST if end > start else Direction.WEST


def move_word(work: Work, path: list[int], source: int, destination: int, relay: int) -> None:
    """One word from narrow `source` of path[0] to `destination` of path[-1]. Every tile
    between keeps it in a relay of two slots of 4 words at `relay`; where the path turns, the
    word comes in by one unit and leaves by another, in two instructions."""
    slots = Nest(relay, ((1, 1),), 1, 1, 4)
    steps = [_direction(a, b) for a, b in itertools.pairwise(path)]
    arriving: Direction | None = None
    for tile, leaving in itertools.zip_longest(path, steps):
        _pass_word(work, tile, (arriving, leaving), (source, destination), slots)
        arriving = leaving


def _pass_word(
    work: Work,
    tile: int,
    ways: tuple[Direction | None, Direction | None],
    ends: tuple[int, int],
    slots: Nest,
) -> None:
    arriving, leaving = ways
    add, tiles = work.lowering.add, 1 << tile
    if arriving is None:
        assert leaving is not None
        add(MeshMove(tiles=tiles, direction=leaving, source=words(ends[0], 1)))
        return
    arrived = Wait(INCOMING[arriving], 1, 1)
    if leaving is None:
        add(MeshMove(tiles=tiles, direction=arriving, destination=words(ends[1], 1)))
        return
    if leaving == arriving:
        room = Wait(OUTGOING[leaving], 1, -1, 1, True)
        add(
            MeshMove(
                tiles=tiles,
                direction=leaving,
                source=slots,
                destination=slots,
                signal_sent=1,
                signal_received=1,
                waits=(arrived, room),
            )
        )
        return
    room = Wait(OUTGOING[leaving], 1, -1, 1, True)
    add(
        MeshMove(
            tiles=tiles,
            direction=arriving,
            destination=slots,
            signal_received=1,
            waits=(room,),
        )
    )
    add(MeshMove(tiles=tiles, direction=leaving, source=slots, signal_sent=1, waits=(arrived,)))
