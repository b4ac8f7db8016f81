"""Constants that programs make on the chip: words written by the mesh units, packed into wide
lines.

Reads nothing; writes the Program level. Facts: docs/format/elementwise.md, "Constants".
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from ..planning.builder import IDENTITY_WORDS
from .lower import Lowering
from .mesh_transfer import INCOMING
from .program import Direction, Flag, MeshMove, NarrowToWide, Unit, Wait
from .streams import stream, words

_UNITS = (Direction.NORTH, Direction.EAST, Direction.WEST, Direction.SOUTH)
"""The mesh units take turns."""
_WAITS = (Direction.SOUTH, Direction.NORTH, Direction.EAST, Direction.WEST)
"""Order in which the packing waits for them."""
LINE_WORDS = 4
"""Words of a line that the lanes of one output word use."""


def write_weights(lowering: Lowering, scratch: int, line: int, image: Sequence[int]) -> None:
    """Words -> lines of four words each. Runs of equal words are one fill; the fills stay
    counted in the receiving counters, and the packing in NARROW_TO_WIDE."""
    fills = dict.fromkeys(_UNITS, 0)
    start = 0
    for number, (value, run) in enumerate(groupby(image)):
        direction, count = _UNITS[number % len(_UNITS)], len(list(run))
        fills[direction] += 1
        lowering.add(
            MeshMove(
                direction=direction,
                destination=words(scratch + start, count),
                signal_received=1,
                fill=value,
            )
        )
        start += count
    lines = len(image) // LINE_WORDS
    lowering.add(
        NarrowToWide(
            narrow=stream(scratch, (LINE_WORDS, 1), (lines, LINE_WORDS)),
            wide=stream(line, (lines, 1)),
            signal=1,
            waits=tuple(
                Wait(INCOMING[direction], 2, fills[direction])
                for direction in _WAITS
                if fills[direction]
            ),
            fill_level=1,
        )
    )
    for direction, count in fills.items():
        lowering.sync.advance(INCOMING[direction], count)
    lowering.sync.advance(Flag.NARROW_TO_WIDE, 1)


def diagonal(weight: int, zero: int) -> tuple[int, ...]:
    """Eight words: two lines that multiply the four bytes of a word by `weight`, as 16-bit
    values plus `zero`."""
    none = zero | zero << 16
    first, second = (weight + zero) | zero << 16, zero | (weight + zero) << 16
    return (first, second, none, none, none, none, first, second)


def make_identity(lowering: Lowering, scratch: str) -> bool:
    """The program's identity line: word i has its byte i set. Nothing to do where it is there
    (scratch ''); returns whether it was made, one event of NARROW_TO_WIDE. All tiles stand at
    the same counts."""
    if not scratch:
        return False
    base = lowering.address(scratch)
    for index in range(IDENTITY_WORDS):
        last = index == IDENTITY_WORDS - 1
        lowering.add(
            MeshMove(
                direction=Direction.NORTH,
                destination=words(base + index, 1),
                signal_received=1 if last else None,
                fill=1 << (8 * index),
            )
        )
    lowering.sync.advance(Flag.SOUTH_IN, 1)
    lowering.add(
        NarrowToWide(
            narrow=words(base, IDENTITY_WORDS),
            wide=words(lowering.plan.identity_line, 1),
            signal=1,
            waits=(Wait(Flag.SOUTH_IN, 1, lowering.sync.count(Flag.SOUTH_IN), 0),),
            fill_level=1,
        )
    )
    lowering.sync.advance(Flag.NARROW_TO_WIDE, 1)
    return True


def write_identity(lowering: Lowering, scratch: int, line: int, arrived: int) -> None:
    """An identity line for copies: fills, one narrow-to-wide, idle. arrived: what the counter
    SOUTH_IN stands at behind the fills."""
    for index in range(IDENTITY_WORDS):
        lowering.add(
            MeshMove(
                direction=Direction.NORTH,
                destination=words(scratch + index, 1),
                signal_received=1 if index == IDENTITY_WORDS - 1 else None,
                fill=1 << 8 * index,
            )
        )
    lowering.add(
        NarrowToWide(
            narrow=words(scratch, IDENTITY_WORDS),
            wide=words(line, 1),
            waits=(Wait(Flag.SOUTH_IN, 1, arrived, 0),),
            fill_level=1,
        )
    )
    lowering.program.idle()


def fence_identity(lowering: Lowering, scratch: str) -> None:
    """Make the identity line where it is not there, and wait until it is."""
    if scratch:
        lowering.reset()
        make_identity(lowering, scratch)
        lowering.fence_unit(Unit.NARROW_TO_WIDE)
