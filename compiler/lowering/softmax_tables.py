"""SOFTMAX with unused channels in the last word: parameter tables keep them out.

Each table has one line a word with a value for each of its four channels. INPUTS and
DIFFERENCES add the lowest integer to unused channels (and 0 to others), so that they are
neither the maximum nor more than 0 as an exponential; FACTORS multiplies each channel with
beta * scale before the exponential. A table lies in blocks on the tiles of the vector, or, if
a tile has no room, as one copy that is sent over ring B; streamed ones come from the host over
ring A. Facts: docs/format/softmax.md.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import replace

from ..planning.plan import Piece
from .builder import RING_AND_FEED
from .program import (
    ALL_TILES,
    Flag,
    Mode,
    Nest,
    Ring,
    RingConsume,
    RingProduce,
    ScalarFence,
    TensorOp,
    Wait,
    WideToNarrow,
)
from .softmax_work import DIFFERENCE_ZERO, EXPONENT_LIMIT, Work

_BIAS_UNIT = 64
TABLE_FIFO_LINE = 34
"""Lines below the identity of the FIFO that takes tables from the ring."""


class Table(enum.IntEnum):
    """The three tables, numbered as the step's segments."""

    INPUTS = 0
    DIFFERENCES = 1
    FACTORS = 2


class _Home(enum.Enum):
    """Where a table lies: in blocks on the tiles of the vector, as one copy on whatever
    tiles, or on the host."""

    TILES = enum.auto()
    ONE_COPY = enum.auto()
    HOST = enum.auto()


def apply_table(work: Work, table: Table) -> None:
    """Load a table's lines and pass the vector through the byte identity with them."""
    home = _home(work, table)
    if home is _Home.TILES:
        _load_resident(work, table, work.lowering.placement(work.step.segments[table]))
    else:
        _load_from_ring(work, table, home)
    if table is Table.INPUTS:
        for tile in range(work.tiles):
            work.lowering.add(_input_op(work, tile))
    else:
        for tiles, count in work.groups:
            op = _difference_op if table is Table.DIFFERENCES else _factor_op
            work.lowering.add(op(work, tiles, count))
    if home is _Home.HOST:
        _stream(work, table)
    elif home is _Home.ONE_COPY:
        _send(work, work.lowering.placement(work.step.segments[table]))
    if table is Table.INPUTS:
        return
    work.lowering.reset()
    if home is _Home.ONE_COPY:
        end_of_table(work)
    if table is Table.DIFFERENCES:
        work.lowering.reset()


def _home(work: Work, table: Table) -> _Home:
    pieces = work.lowering.placement(work.step.segments[table])
    blocks = [(piece.tile, piece.lines) for piece in pieces]
    if not blocks:
        return _Home.HOST
    resident = blocks == [(tile, work.size(tile)) for tile in range(work.tiles)]
    return _Home.TILES if resident else _Home.ONE_COPY


def end_of_table(work: Work) -> None:
    """All lines of a table that came over the ring have been sent."""
    work.lowering.add(ScalarFence(tiles=ALL_TILES, units=RING_AND_FEED))
    work.lowering.program.barrier()


def _header_stream(table: Table, count: int) -> Nest:
    """Four values a word, in turn to the two slots of the scaling unit: bias or scales."""
    base = 0 if table is Table.FACTORS else _BIAS_UNIT
    return Nest(base, ((2, 1), (1, _BIAS_UNIT), (count, 0)), 3, 2, 32)


def _load_resident(work: Work, table: Table, pieces: tuple[Piece, ...]) -> None:
    """Tiles with the same lines at the same place together."""
    groups: dict[tuple[int, int], int] = {}
    for piece in pieces:
        key = piece.address, piece.lines
        groups[key] = groups.get(key, 0) | 1 << piece.tile
    for (line, count), tiles in groups.items():
        work.lowering.add(
            WideToNarrow(
                tiles=tiles,
                wide=Nest(line, ((1, 1), (count, 1)), 3),
                narrow=_header_stream(table, count),
                signal=2,
                waits=(Wait(Flag.AVDATA, 2, -1, 1, True),),
                to_scaling=1,
                fill_level=1,
            )
        )


def _load_from_ring(work: Work, table: Table, home: _Home) -> None:
    line = work.line(TABLE_FIFO_LINE)
    from_host = home is _Home.HOST
    for tile in range(work.tiles):
        work.lowering.add(
            RingConsume(
                tiles=1 << tile,
                ring=Ring.A if from_host else Ring.B,
                wide=Nest(line, ((work.size(tile), 0),), 0, 0, 1),
                signal=0,
                wait=Wait(Flag.WIDE_TO_SCALING, 0, -1, 1, True),
            )
        )
    arrival = Flag.RING_READ_A if from_host else Flag.RING_READ_B
    for tiles, count in work.groups:
        work.lowering.add(
            WideToNarrow(
                tiles=tiles,
                wide=Nest(line, ((1, 1), (count, 0)), 1, 1, 1),
                narrow=_header_stream(table, count),
                signal=2,
                waits=(
                    Wait(arrival, 1, 1),
                    Wait(Flag.AVDATA, 2, -1, 1, True),
                ),
                to_scaling=1,
                fill_level=1,
            )
        )


def _stream(work: Work, table: Table) -> None:
    """From the host, block after block."""
    index = work.step.segments[table]
    segment = work.lowering.segment(index)
    parts = [(tile, work.size(tile)) for tile in range(work.tiles)]
    work.lowering.host.distribute(index, segment.data, segment.lanes, parts)
    for tile, rows in parts:
        work.lowering.sync.advance(Flag.RING_READ_A, rows, 1 << tile)


def _send(work: Work, pieces: tuple[Piece, ...]) -> None:
    """The single copy, block after block, each to the tile of its block."""
    program = work.lowering.program
    for tile in range(work.tiles):
        for owner, address, count in _runs(pieces, work.block * tile, work.size(tile)):
            work.lowering.add(
                RingProduce(
                    tiles=1 << owner,
                    wide=Nest(address, ((count, 1),), 1),
                    signal_sent=0,
                    waits=(Wait(Flag.RING_PRODUCER_B, 1, program.producer_b),),
                    channel_b=1,
                    destinations=1 << tile,
                )
            )
            program.producer_b += count


def _runs(pieces: tuple[Piece, ...], first: int, count: int) -> Iterator[tuple[int, int, int]]:
    """(tile, line, lines) of lines [first, first + count) of a segment cut into pieces."""
    start = 0
    for piece in pieces:
        low, high = max(first, start), min(first + count, start + piece.lines)
        if low < high:
            yield piece.tile, piece.address + low - start, high - low
        start += piece.lines


def _through_identity(
    work: Work, tiles: int, count: int, source: int, place: tuple[int, int, int]
) -> TensorOp:
    """`count` words through the byte identity, each with its own line of the table. place:
    (address, words written for a word, words between blocks)."""
    address, written, pitch = place
    return TensorOp(
        tiles=tiles,
        loops=(1, 2, count),
        narrow_in=Nest(4 * source, ((1, 4), (2, 0), (1, 4 * count), (count, 4)), 0xD),
        narrow_out=Nest(
            4 * address, ((written, 4), (1, 4 * pitch), (2, 0), (count, 4 * written)), 0xB
        ),
        wide=Nest(4 * work.identity, ((2, 0), (count, 0)), 0, 1),
        partial=Nest(0, ((2, 0), (count, 0)), 0, 0, 4),
        signal_output=3,
        signal_operands=1,
        waits=(Wait(Flag.WIDE_TO_SCALING, 2, 1), Wait(Flag.NARROW_TO_WIDE, 3, 0)),
        mode=Mode.IDENTITY,
        group_level=2,
        last_lanes=3,
        lanes=3,
        multiplier=1.0,
    )


def _input_op(work: Work, tile: int) -> TensorOp:
    """A block to its place in the vector, on its own tile."""
    zero = work.step.input_zero
    place = (work.vector + work.block * tile, 1, work.words)
    return replace(
        _through_identity(work, 1 << tile, work.size(tile), work.slices, place),
        input_zero=zero,
        output_zero=zero,
        clamp_max=work.input_max,
        clamp_min=work.input_min,
        bias=1,
    )


def _difference_op(work: Work, tiles: int, count: int) -> TensorOp:
    """Differences in place."""
    place = (work.differences, 1, count)
    return replace(
        _through_identity(work, tiles, count, work.differences, place),
        input_zero=DIFFERENCE_ZERO,
        output_zero=DIFFERENCE_ZERO,
        clamp_min=work.widest_difference,
        bias=1,
    )


def _factor_op(work: Work, tiles: int, count: int) -> TensorOp:
    """The exponential of factor * difference, two words a word."""
    place = (work.base, 2, 2 * count)
    return replace(
        _through_identity(work, tiles, count, work.differences, place),
        input_zero=DIFFERENCE_ZERO,
        activation=5,
        clamp_min=EXPONENT_LIMIT,
        scales=1,
    )
