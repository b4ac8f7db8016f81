"""SOFTMAX, first half: the maximum of the vector, and x - max on every tile.

Facts: docs/format/softmax.md. Reads SoftmaxStep (through Work); writes the Program level.
"""

from __future__ import annotations

from ..fast_dataclass import dataclass
from .program import (
    Direction,
    Flag,
    Mode,
    NarrowToWide,
    Nest,
    TensorKind,
    TensorOp,
    Unit,
    Wait,
    WideToNarrow,
)
from .ring_transfer import ring_message
from .softmax_work import DIFFERENCE_ZERO, LINE_SPACE, OPERANDS, Work, quad_units, quads
from .streams import one_line, stream, words

_IDENTITY_16 = (
    (0, 1, 0x10002, Direction.NORTH),
    (1, 1, 0x20001, Direction.EAST),
    (2, 4, 0x10001, Direction.WEST),
    (6, 1, 0x10002, Direction.SOUTH),
    (7, 1, 0x20001, Direction.NORTH),
)
"""The 16-bit identity of two lines with zero point 1: (offset, words, value, unit)."""


def gather_slices(work: Work) -> None:
    """Blocks of the input to their places in tile 0's vector. Masked ones have been written
    to their place on their own tile."""
    lowering = work.lowering
    lowering.program.idle()
    for tile in range(1, work.tiles):
        place = work.vector + work.block * tile
        ring_message(
            lowering,
            tile,
            1,
            source=place if work.masked else work.slices + work.pitch * tile,
            destination=place,
            count=work.size(tile),
            lines=work.gather_lines,
        )
    work.end_round(resets=1 if work.step.from_host else 2)


def find_maximum(work: Work) -> None:
    """Over the words, lane by lane, then over the four lanes of the result."""
    add = work.lowering.add
    count = -(-work.words // 4)
    rest = work.words % 4
    wide = quads(work.line(8), count, rest)
    add(
        NarrowToWide(
            tiles=1,
            narrow=words(work.vector, work.words),
            wide=wide,
            signal=1,
            waits=(LINE_SPACE,),
            transpose=1,
        )
    )
    add(
        _maximum_op(
            work,
            work.word_maximum,
            loops=(4, count),
            loop_tail=(rest, 1) if rest else None,
            wide=quad_units(wide),
            items=work.words,
            stored=1,
        )
    )
    work.lowering.fence_unit(Unit.TENSOR)
    add(
        NarrowToWide(
            tiles=1,
            narrow=words(work.word_maximum, 1),
            wide=one_line(work.line(8)),
            signal=1,
            waits=(Wait(Flag.PARAMETERS, 1, count, 1, True),),
            fill_level=1,
        )
    )
    planes = Nest(4 * work.line(8), ((4, 1),), 1, 1, 4)
    add(
        _maximum_op(
            work,
            work.maximum,
            loops=(4,),
            loop_tail=None,
            wide=planes,
            items=4,
            stored=count + 1,
        )
    )
    work.lowering.reset()
    work.lowering.program.idle()


def _maximum_op(
    work: Work,
    output: int,
    *,
    loops: tuple[int, ...],
    loop_tail: tuple[int, int] | None,
    wide: Nest,
    items: int,
    stored: int,
) -> TensorOp:
    step = work.step
    return TensorOp(
        tiles=1,
        kind=TensorKind.MAXIMUM,
        loops=loops,
        loop_tail=loop_tail,
        narrow_out=stream(4 * output, (1, 4), (1, 4), (1, 4), (1, 4)),
        wide=wide,
        partial=Nest(0, ((items, 0),), 0, 1, 4),
        signal_operands=1,
        waits=(Wait(Flag.NARROW_TO_WIDE, 1, stored),),
        mode=Mode.IDENTITY,
        weight_zero=step.input_zero,
        output_zero=step.input_zero,
        initial=-step.input_zero,
        group_level=1,
        reduced=3,
        last_lanes=3,
        lanes=3,
        multiplier=1.0,
        clamp_max=work.input_max,
        clamp_min=work.input_min,
    )


def repeat_maximum(work: Work) -> None:
    """The maximum (byte 0 of its word) at every place of the vector."""
    work.fill(work.maximum + 1, ((4, 1),), 1)
    work.store_constants(work.maximum + 1, work.line(7))
    work.broadcast(work.maximum, 1, work.maxima, work.words, work.line(7))
    work.lowering.reset()


def negate_maximum(work: Work) -> None:
    """0 - max in every lane of a wide line: weights 0 with zero point 1."""
    lowering = work.lowering
    work.fill(work.constants, ((8, 1),), 0)
    lowering.add(
        NarrowToWide(
            tiles=work.mask,
            narrow=stream(work.constants, (4, 1), (2, 4)),
            wide=stream(work.line(2), (2, 1)),
            waits=(Wait(Flag.SOUTH_IN, 2, 1, 0),),
            fill_level=1,
        )
    )
    lowering.program.idle()
    for tiles, count in work.groups:
        lowering.add(
            TensorOp(
                tiles=tiles,
                narrow_in=Nest(4 * work.maxima, ((1, 1), (1, 0), (1, 4 * work.words)), 5),
                narrow_out=Nest(4 * work.discarded, ((1, 1), (1, 0), (1, 4 * count)), 4),
                wide=Nest(4 * work.line(2), ((1, 1),)),
                partial=Nest(4 * work.line(5), ((1, 1),)),
                mode=Mode.TO_WIDE,
                byte_slices=3,
                weight_zero=1,
                last_lanes=3,
                lanes=3,
                multiplier=1.0,
                clamp_min=work.widest_difference,
                output_zero=DIFFERENCE_ZERO,
            )
        )
    lowering.program.tile_fence(OPERANDS, Unit.ALL)
    lowering.program.idle()


def subtract_maximum(work: Work) -> None:
    """x - max + 255: the 16-bit identity with -max as its bias."""
    lowering = work.lowering
    for offset, count, value, direction in _IDENTITY_16:
        work.fill(work.constants + offset, ((count, 1),), value, direction)
    lowering.add(
        NarrowToWide(
            tiles=work.mask,
            narrow=stream(work.constants, (4, 1), (2, 4)),
            wide=stream(work.line(2), (2, 1)),
            signal=1,
            waits=(
                Wait(Flag.NORTH_IN, 2, 1),
                Wait(Flag.SOUTH_IN, 2, 3),
                Wait(Flag.WEST_IN, 2, 1),
                Wait(Flag.EAST_IN, 2, 1),
            ),
            fill_level=1,
        )
    )
    lowering.add(
        WideToNarrow(
            tiles=work.mask,
            wide=Nest(work.line(5), ((1, 1), (2, 0), (1, 1)), 5),
            narrow=Nest(64, ((32, 1), (2, 0)), 1, 1, 32),
            signal=2,
            waits=(Wait(Flag.AVDATA, 2, 0, 1, True),),
            to_scaling=1,
            fill_level=1,
        )
    )
    for piece in _slices(work):
        lowering.add(_difference_op(work, piece))
    for _ in range(3):
        lowering.reset()


@dataclass(frozen=True, slots=True)
class _Slice:
    """Input blocks of `count` words at word `source`, in vectors of `row` words."""

    tiles: int
    count: int
    source: int
    row: int


def _slices(work: Work) -> list[_Slice]:
    """Blocks at their place in a vector, or vectors of their own; without masks tile 0's is the
    start of its vector."""
    if work.pitch:
        return [
            _Slice(1 << tile, work.size(tile), work.slices + work.pitch * tile, work.words)
            for tile in range(work.tiles)
        ]
    if work.masked:
        return [_Slice(tiles, count, work.slices, count) for tiles, count in work.groups]
    rest = [(tiles & ~1, count) for tiles, count in work.groups if tiles & ~1]
    return [
        _Slice(1, work.size(0), work.slices, work.words),
        *(_Slice(tiles, count, work.slices, count) for tiles, count in rest),
    ]


def _difference_op(work: Work, piece: _Slice) -> TensorOp:
    count = piece.count
    pitch, block = 4 * piece.row, 4 * count
    return TensorOp(
        tiles=piece.tiles,
        loops=(2, count),
        narrow_in=stream(4 * piece.source, (2 * count, 2), (1, pitch), (1, pitch), (1, pitch)),
        narrow_out=stream(4 * work.differences, (count, 4), (1, block), (1, block), (1, block)),
        wide=Nest(4 * work.line(2), ((2, 4), (count, 0)), 1),
        partial=Nest(0, ((2, 0), (count, 0)), 0, 1, 4),
        signal_output=3,
        waits=(Wait(Flag.NARROW_TO_WIDE, 2, 1), Wait(Flag.WIDE_TO_SCALING, 2, 1)),
        mode=Mode.ELEMENTWISE,
        weight_zero=1,
        output_zero=DIFFERENCE_ZERO,
        group_level=1,
        reduced=1,
        last_lanes=3,
        lanes=3,
        multiplier=1.0,
        clamp_min=work.widest_difference,
        bias=1,
    )
