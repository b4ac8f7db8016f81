"""The PARAMETER_CACHING program: host parameters into the tiles' wide memories.

Reads Segments and their Pieces (Plan level), writes the Program level. One host descriptor
brings all cached segments through the feed buffer; each piece is a ring consumer on its
tile and a pop that feeds it. Facts: docs/format/caching_program.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..errors import InternalError
from ..fast_dataclass import dataclass
from ..planning.parameter_placement import piece_rows
from ..planning.plan import Piece, Segment
from ..release import Release
from .builder import TAG_INTERRUPT, TAG_PARAMETERS, ProgramBuilder
from .feed_buffer import FEED_ROWS, ring_of_rows, signed16
from .program import Infeed, Nest, Pop, Program, RingConsume, ScalarFlag, Unit, Wait

_NOTIFY_LAST = 0xD
"""Notification bits of the last fence of every program."""
_DESCRIPTOR = 4
"""First scalar register of a host descriptor."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """One piece: `rows` 64-byte rows to wide lines [address, address + lines) of `tile`.

    start: row of the host stream it begins at. header_lines: leading lines that hold header
    vectors and are written by a stream of their own (fully connected layers).
    """

    tile: int
    address: int
    lines: int
    start: int
    rows: int
    lanes: int
    header_lines: int = 0


def lower_caching_program(
    segments: Sequence[Segment],
    placement: Sequence[Sequence[Piece]],
    release: Release,
) -> Program:
    """The program that caches every segment with pieces, in the order of the segments,
    which is the order of their bytes in the executable's parameters.

    Raises InternalError when there is nothing to cache or a piece cannot hold its rows.
    """
    groups = list(_transfers(segments, placement))
    rows = sum(transfer.rows for group in groups for transfer in group)
    if rows == 0:
        raise InternalError("a caching program needs at least one cached segment")
    builder = ProgramBuilder(release)
    builder.drain()
    _request_parameters(builder, rows)
    builder.add(_infeed(rows))
    for group in groups:
        for transfer in group:
            builder.add(_consume(transfer))
        for transfer in group:
            builder.add(_pop(transfer))
    builder.tile_fence(0, Unit.ALL, notify=_NOTIFY_LAST)
    builder.wait_tiles()
    _interrupt(builder)
    builder.halt()
    return builder.program(caching=True)


def cached_parameters(segments: Sequence[Segment], placement: Sequence[Sequence[Piece]]) -> bytes:
    """Executable.parameters of the caching program: the cached segments in order."""
    return b"".join(s.data for s, pieces in zip(segments, placement, strict=True) if pieces)


def _transfers(
    segments: Sequence[Segment], placement: Sequence[Sequence[Piece]]
) -> Iterator[list[Transfer]]:
    """The pieces of each cached segment with their rows of the stream."""
    start = 0
    for segment, pieces in zip(segments, placement, strict=True):
        if not pieces:
            continue
        header = len(segment.headers) if segment.kind == "fully_connected" else 0
        group = []
        for piece, rows in zip(pieces, piece_rows(segment, pieces), strict=True):
            if rows <= 0 or segment.lines(rows) != piece.lines:
                raise InternalError(f"a piece of operator {segment.op} does not hold its rows")
            group.append(
                Transfer(piece.tile, piece.address, piece.lines, start, rows, segment.lanes, header)
            )
            start += rows
        if sum(transfer.rows for transfer in group) != segment.rows:
            raise InternalError(f"the pieces of operator {segment.op} do not hold all its rows")
        yield group


def _request_parameters(builder: ProgramBuilder, rows: int) -> None:
    """One host descriptor for the whole stream, at the parameter base the driver fills in."""
    builder.move_immediate(1)
    builder.move_immediate(0)
    builder.copy_address(1, 0, 3, 2, 4)
    builder.copy_address(3, 2, 4, 5, 8)
    builder.fire(rows * 64, TAG_PARAMETERS, _DESCRIPTOR)


def _interrupt(builder: ProgramBuilder) -> None:
    builder.move_immediate(2)
    builder.move_immediate(3)
    builder.copy_address(3, 2, 4, 5, 8)
    builder.fire(0, TAG_INTERRUPT, _DESCRIPTOR)


def _infeed(rows: int) -> Infeed:
    """Host stream -> feed buffer, row by row, while it has room."""
    if rows == 1:
        wait = Wait(ScalarFlag.PARAMETER_INFEED, 0, 0, increment=0)
        return Infeed(buffer=Nest(0, ((1, 1), (1, 0)), enabled=1), signal=0, wait=wait)
    room = Wait(ScalarFlag.PARAMETER_INFEED, 0, -(min(rows, FEED_ROWS) - 1))
    return Infeed(buffer=ring_of_rows(0, rows), signal=0, wait=room)


def _pop(transfer: Transfer) -> Pop:
    """Feed buffer -> ring bus, each row once it has arrived."""
    arrived = Wait(ScalarFlag.PARAMETER_POP, 0, signed16(transfer.start + 1))
    return Pop(
        buffer=ring_of_rows(transfer.start, transfer.rows),
        signal_space=0,
        waits=(arrived,),
        on=1,
        destinations=1 << transfer.tile,
        lanes=transfer.lanes - 1,
    )


def _consume(transfer: Transfer) -> RingConsume:
    """Ring bus -> consecutive wide lines; header lines go ahead of the others."""
    header, address = transfer.header_lines, transfer.address
    lines = transfer.lines - header
    wide = Nest(address + header, ((lines, 1),), enabled=1 if lines > 1 else 0)
    if header == 0:
        return RingConsume(tiles=1 << transfer.tile, wide=wide)
    return RingConsume(
        tiles=1 << transfer.tile,
        wide=wide,
        header=1,
        header_first=address,
        header_split=header - 1,
        header_last=address + header - 1,
        header_lines=header,
    )
