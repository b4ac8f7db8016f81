"""Parameters that stay on the host: each inference sends them through the feed buffer and
over ring A to the tiles that are about to use them.

Reads bytes and tile masks, writes the Program level: its instructions and the bytes the host
sends (`Program.parameters`). Facts: docs/format/memory.md, "Streaming".
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from .builder import TAG_PARAMETERS, ProgramBuilder
from .feed_buffer import FEED_ROWS, ring_of_rows, signed16
from .program import Infeed, Pop, ScalarFlag, Wait

ROW_BYTES = 64
PACKED_ROW_BYTES = 16
"""A row of a packed layer: four lanes."""
PACKED_LANES = 16
"""Lanes that a 64-byte row fills."""
_HEADROOM = 4
"""Rows of the feed buffer that the stream leaves free."""


class HostStream:
    """The stream of one program. parameters: what the host sends; a segment (or whatever
    else has a key of its own) that is sent again, in another pass, lies there once."""

    def __init__(self, program: ProgramBuilder) -> None:
        self.parameters = bytearray()
        self._program = program
        self._offsets: dict[Hashable, int] = {}
        self._rows = 0

    def broadcast(self, key: Hashable, data: bytes, lanes: int, tiles: int) -> None:
        """All of `data` to every tile of the mask, behind all ring A messages so far.

        lanes: lanes of a wide line that the rows fill.
        """
        program = self._program
        rows, start = len(data) // ROW_BYTES, self._rows
        program.add(self._infeed(start, rows))
        self._request(key, data)
        turn = Wait(ScalarFlag.PRODUCER_A, 2, program.producer_a, 0)
        program.add(_pop(start, rows, lanes, tiles, (turn,)))
        self._rows += rows

    def begin(self, key: Hashable, data: bytes) -> None:
        """Ask for `data`, which `send` then sends on, part by part."""
        self._program.add(self._infeed(self._rows, len(data) // ROW_BYTES))
        self._request(key, data)

    def send(self, rows: int, lanes: int, tiles: int) -> None:
        """The next `rows` rows to the tiles of the mask."""
        self._program.add(_pop(self._rows, rows, lanes, tiles, ()))
        self._rows += rows

    def distribute(
        self, key: Hashable, data: bytes, lanes: int, parts: Sequence[tuple[int, int]]
    ) -> None:
        """`data` in parts, each (tile, rows) to its own tile; the caller has seen to it that
        no ring A message is on its way."""
        program, start = self._program, self._rows
        self._request(key, data)
        program.add(self._infeed(start, len(data) // ROW_BYTES))
        for tile, rows in parts:
            program.add(_pop(self._rows, rows, lanes, 1 << tile, ()))
            self._rows += rows

    def _request(self, key: Hashable, data: bytes) -> None:
        """One host descriptor for the bytes, at their place behind the parameter base."""
        if key not in self._offsets:
            self._offsets[key] = len(self.parameters)
            self.parameters += data
        program = self._program
        program.parameter_address(self._offsets[key])
        program.address_to_descriptor()
        program.fire(len(data), TAG_PARAMETERS)

    def _infeed(self, start: int, rows: int) -> Infeed:
        """Host stream -> feed buffer while it has room."""
        room = signed16(start + _HEADROOM - FEED_ROWS)
        return Infeed(
            buffer=ring_of_rows(start, rows),
            signal=0,
            wait=Wait(ScalarFlag.PARAMETER_INFEED, 0, room),
        )


def spread_packed_rows(data: bytes, rows: int) -> bytes:
    """`rows` 16-byte rows of a packed layer as 64-byte rows with four used lanes: only
    cached layers can be cut into 16-byte rows on their way."""
    pad = bytes(ROW_BYTES - PACKED_ROW_BYTES)
    cut = (data[i * PACKED_ROW_BYTES : (i + 1) * PACKED_ROW_BYTES] for i in range(rows))
    return b"".join(row + pad for row in cut)


def _pop(start: int, rows: int, lanes: int, tiles: int, turn: tuple[Wait, ...]) -> Pop:
    """Feed buffer -> ring A, each row once it has arrived."""
    arrived = Wait(ScalarFlag.PARAMETER_POP, 0, signed16(start + 1))
    return Pop(
        buffer=ring_of_rows(start, rows),
        signal_space=0,
        waits=(arrived, *turn),
        on=1,
        destinations=tiles,
        lanes=lanes - 1,
    )
