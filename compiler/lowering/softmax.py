"""SOFTMAX: y = rint(256 * exp(beta * scale * (x - max)) / sum), one function a phase.

    m = max x                       tile 0, after a gather of the slices
    d = x - m                       m as a bias of -m; 8 bits from 255 down
    e = 65536 exp(factor * d)       activation table, 16 bits
    r = 65535 / sqrt(2 sum e)       sum on tile 0, activation table of a 16-bit argument
    c = r * r                       ~ 1 / sum
    y = 256 e c

Where the last word has unused channels, tables keep them out (softmax_tables.py) and the
16-bit values take another way (softmax_exchange.py). Facts: docs/format/softmax.md.

Reads SoftmaxStep; writes the Program level.
"""

from __future__ import annotations

from ..planning.softmax import SoftmaxStep
from .activation_tables import Activation, load_table
from .lower import Lowering
from .program import (
    INF,
    Direction,
    Flag,
    Mode,
    NarrowToWide,
    Nest,
    Tail,
    TensorKind,
    TensorOp,
    Unit,
    Wait,
    WideToNarrow,
)
from .ring_transfer import ring_message
from .softmax_exchange import exchange_exponentials
from .softmax_tables import Table, apply_table
from .softmax_work import (
    DIFFERENCE_ZERO,
    EXPONENT_LIMIT,
    OPERANDS,
    OPERATION_FLAGS,
    RESULT_UNIT,
    ROOT_UNIT,
    STORED,
    Work,
)
from .streams import fifo, one_line, stream, words

_SPACE = Wait(Flag.PARAMETERS, 1, -1, 1, True)
_IDENTITY_16 = (
    (0, 1, 0x10002, Direction.NORTH),
    (1, 1, 0x20001, Direction.EAST),
    (2, 4, 0x10001, Direction.WEST),
    (6, 1, 0x10002, Direction.SOUTH),
    (7, 1, 0x20001, Direction.NORTH),
)
"""The 16-bit identity of two lines with zero point 1: (offset, words, value, unit)."""


def lower_softmax(lowering: Lowering, step: SoftmaxStep) -> None:
    """All phases; counters are zero at both ends."""
    work = Work.of(lowering, step)
    lowering.reset()
    if work.masked:
        apply_table(work, Table.INPUTS)
    gather_slices(work)
    find_maximum(work)
    work.to_all(work.maximum, 1, 10)
    repeat_maximum(work)
    negate_maximum(work)
    subtract_maximum(work)
    exponentials(work)
    if work.masked:
        exchange_exponentials(work)
    else:
        gather_exponentials(work)
    inverse_root(work)
    square_root_product(work)
    work.to_all(work.total, 2, 10)
    repeat_reciprocal(work)
    multiply(work)
    lowering.reset()


def gather_slices(work: Work) -> None:
    """Blocks of the input to their places in tile 0's vector. Masked ones have been written
    to their place on their own tile; others are at its start."""
    lowering = work.lowering
    lowering.program.idle()
    for tile in range(1, work.tiles):
        place = work.vector + work.block * tile
        ring_message(
            lowering,
            tile,
            1,
            source=place if work.masked else work.slices,
            destination=place,
            count=work.size(tile),
            lines=work.ring_lines(36 if work.masked else 2),
        )
    work.end_round()


def find_maximum(work: Work) -> None:
    """Over the words, lane by lane, then over the four lanes of the result."""
    add = work.lowering.add
    count = -(-work.words // 4)
    rest = work.words % 4
    wide = _quads(work.line(8), count, rest)
    add(
        NarrowToWide(
            tiles=1,
            narrow=words(work.vector, work.words),
            wide=wide,
            signal=1,
            waits=(_SPACE,),
            transpose=1,
        )
    )
    add(
        _maximum_op(
            work,
            work.word_maximum,
            (4, count),
            (rest, 1) if rest else None,
            _quad_units(wide),
            work.words,
            1,
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
    add(_maximum_op(work, work.maximum, (4,), None, planes, 4, count + 1))
    work.lowering.reset()
    work.lowering.program.idle()


def _quads(line: int, count: int, rest: int) -> Nest:
    """Lines of four words each in two slots of four; the last slot may hold fewer."""
    tail = Tail(rest, 1, 4 - rest) if rest else None
    return Nest(line, ((4, 1), (count, 0)), 1, 1, 4, tail)


def _quad_units(lines: Nest) -> Nest:
    """The same lines as a tensor op reads them, in 64-byte units."""
    return lines.scaled(4)


def _maximum_op(
    work: Work,
    output: int,
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
            tiles=_all(work),
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


def _all(work: Work) -> int:
    """Tiles of the constant lines: all of them where the vector fills all."""
    return work.mask


def subtract_maximum(work: Work) -> None:
    """x - max + 255: the 16-bit identity with -max as its bias."""
    lowering = work.lowering
    for offset, count, value, direction in _IDENTITY_16:
        work.fill(work.constants + offset, ((count, 1),), value, direction)
    lowering.add(
        NarrowToWide(
            tiles=_all(work),
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
            tiles=_all(work),
            wide=Nest(work.line(5), ((1, 1), (2, 0), (1, 1)), 5),
            narrow=Nest(64, ((32, 1), (2, 0)), 1, 1, 32),
            signal=2,
            waits=(Wait(Flag.AVDATA, 2, 0, 1, True),),
            to_scaling=1,
            fill_level=1,
        )
    )
    for tiles, count, pitch in _slice_groups(work):
        lowering.add(_difference_op(work, tiles, count, pitch))
    for _ in range(3):
        lowering.reset()
    if work.masked:
        apply_table(work, Table.DIFFERENCES)


def _slice_groups(work: Work) -> list[tuple[int, int, int]]:
    """(tiles, words, pitch); without masks tile 0's slice is the start of its vector."""
    if work.masked:
        return [(tiles, count, count) for tiles, count in work.groups]
    result = [(1, work.size(0), work.words)]
    result += [(tiles & ~1, count, count) for tiles, count in work.groups if tiles & ~1]
    return result


def _difference_op(work: Work, tiles: int, count: int, pitch: int) -> TensorOp:
    pitch, block = 4 * pitch, 4 * count
    return TensorOp(
        tiles=tiles,
        loops=(2, count),
        narrow_in=stream(4 * work.slices, (2 * count, 2), (1, pitch), (1, pitch), (1, pitch)),
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


def exponentials(work: Work) -> None:
    """65536 exp(factor * d), clipped to 16 bits."""
    lowering = work.lowering
    lowering.program.tile_fence(OPERATION_FLAGS, Unit.TENSOR)
    load_table(lowering, Activation.EXPONENTIAL, work.mask)
    if work.masked:
        apply_table(work, Table.FACTORS)
    else:
        for tile in range(work.tiles):
            lowering.add(_exponential_op(work, tile))
    lowering.program.idle()


def _exponential_op(work: Work, tile: int) -> TensorOp:
    """Without masks: the factor is the multiplier, the result goes to its place."""
    count = work.size(tile)
    place = work.exponentials + 2 * work.block * tile
    return TensorOp(
        tiles=1 << tile,
        loops=(count,),
        narrow_in=stream(4 * work.differences, (1, 4), (1, 4 * work.block), (count, 4)),
        narrow_out=stream(4 * place, (2, 4), (1, 8 * work.words), (count, 8)),
        wide=Nest(4 * work.identity, ((count, 0),)),
        partial=Nest(0, ((count, 0),), 0, 0, 4),
        signal_output=2,
        signal_operands=0,
        waits=(Wait(Flag.NARROW_TO_WIDE, 1, 0),),
        mode=Mode.IDENTITY,
        input_zero=DIFFERENCE_ZERO,
        last_lanes=3,
        lanes=3,
        activation=5,
        multiplier=work.step.factor,
        clamp_min=EXPONENT_LIMIT,
    )


def gather_exponentials(work: Work) -> None:
    """16-bit blocks to tile 0."""
    for tile in range(1, work.tiles):
        place = work.exponentials + 2 * work.block * tile
        ring_message(
            work.lowering,
            tile,
            1,
            source=place,
            destination=place,
            count=2 * work.size(tile),
            lines=work.ring_lines(2),
        )
    work.end_round()


def inverse_root(work: Work) -> None:
    """1 / sqrt of the sum of all exponentials, 16 bits, on tile 0."""
    lowering = work.lowering
    lowering.program.tile_fence(OPERATION_FLAGS, Unit.TENSOR)
    load_table(lowering, Activation.INVERSE_ROOT, 1)
    pairs = -(-work.step.elements // 2)
    count, rest = -(-pairs // 4), pairs % 4
    wide = _quads(work.line(8), count, rest)
    lowering.add(
        NarrowToWide(
            tiles=1,
            narrow=words(work.exponentials, pairs),
            wide=wide,
            signal=1,
            waits=(_SPACE,),
        )
    )
    lowering.add(
        TensorOp(
            tiles=1,
            kind=TensorKind.SUM,
            loops=(4, count),
            loop_tail=(rest, 1) if rest else None,
            narrow_out=stream(4 * work.total, (2, 4), (1, 8), (1, 8), (1, 8)),
            wide=_quad_units(wide),
            partial=Nest(0, ((pairs, 0),), 0, 1, 4),
            signal_operands=1,
            waits=(Wait(Flag.NARROW_TO_WIDE, 1, 1),),
            mode=Mode.ELEMENTWISE,
            group_level=1,
            reduced=3,
            last_lanes=3,
            lanes=3,
            activation=7,
            multiplier=ROOT_UNIT,
            clamp_max=INF,
            clamp_min=-INF,
        )
    )
    for _ in range(3):
        lowering.reset()


def square_root_product(work: Work) -> None:
    """The root times itself, then its four 16-bit lanes side by side in two words."""
    lowering = work.lowering
    lowering.add(
        TensorOp(
            tiles=1,
            loops=(2, 2),
            narrow_in=stream(4 * work.total, (4, 2), (1, 8), (1, 8), (1, 8)),
            narrow_out=stream(4 * work.reciprocals, (2, 4), (4, 4), (1, 16), (1, 16), (1, 16)),
            wide=Nest(4 * work.line(8), ((2, 2), (2, 0)), 1, 1, 4),
            partial=Nest(0, ((1, 1), (4, 0)), 1, 1, 4),
            signal_operands=1,
            waits=(Wait(Flag.NARROW_TO_WIDE, 1, 1),),
            mode=Mode.PRODUCT_16,
            group_level=4,
            last_lanes=3,
            lanes=3,
            activation=4,
            multiplier=ROOT_UNIT,
            clamp_max=32768.0,
        )
    )
    lowering.add(
        NarrowToWide(
            tiles=1,
            narrow=words(work.total, 2),
            wide=fifo(work.line(8), 2),
            signal=0,
            waits=(Wait(Flag.PARAMETERS, 0, -1, 1, True),),
        )
    )
    lowering.fence_unit(Unit.NARROW_TO_WIDE)
    lowering.add(
        TensorOp(
            tiles=1,
            loops=(4,),
            narrow_in=stream(4 * work.reciprocals, (4, 4), (1, 16), (1, 16), (1, 16)),
            narrow_out=stream(4 * work.total, (2, 4), (1, 8), (1, 8), (1, 8)),
            wide=Nest(4 * work.identity, ((4, 1),), 1, 1),
            partial=Nest(0, ((4, 0),), 0, 1, 4),
            mode=Mode.POOL,
            byte_slices=3,
            group_level=2,
            last_lanes=3,
            lanes=3,
            activation=4,
            multiplier=1.0,
            clamp_max=INF,
            clamp_min=-INF,
        )
    )
    _release(work)
    lowering.program.idle()


def _release(work: Work) -> None:
    """End of a phase that kept tensor op and store apart: their counters, then all."""
    work.lowering.program.tile_fence(STORED, Unit.ALL)
    work.lowering.program.tile_fence(OPERANDS, Unit.ALL)
    work.lowering.reset()


def repeat_reciprocal(work: Work) -> None:
    """The two words of the reciprocal at every place of the 16-bit vector."""
    work.fill(work.total + 2, ((2, 2),), 1, signal=False)
    work.fill(work.total + 3, ((2, 2),), 0x100)
    work.store_constants(work.total + 2, work.line(7))
    work.broadcast(work.total, 2, work.reciprocals, 2 * work.words, work.line(7))
    work.lowering.reset()


def multiply(work: Work) -> None:
    """Exponentials, two words at a time as one line, times the reciprocal."""
    if work.masked:
        sources = [(tiles, count, work.base) for tiles, count in work.groups]
    else:
        offset = 2 * work.block
        sources = [
            (1 << tile, work.size(tile), work.exponentials + offset * tile)
            for tile in range(work.tiles)
        ]
    for tiles, count, source in sources:
        work.lowering.add(
            NarrowToWide(
                tiles=tiles,
                narrow=Nest(
                    source,
                    ((2, 2), (2, 1), (-(-count // 2), 4)),
                    7,
                    tail=Tail(2, 2, 0) if count % 2 else None,
                ),
                wide=fifo(work.line(2), -(-count // 2)),
                signal=0,
                waits=(Wait(Flag.PARAMETERS, 0, -1, 1, True),),
                transpose=3,
                fill_level=2,
            )
        )
    for tiles, count in work.groups:
        work.lowering.add(_product_op(work, tiles, count))
    _release(work)


def _product_op(work: Work, tiles: int, count: int) -> TensorOp:
    pairs, odd = -(-count // 2), count % 2
    pitch, block = 8 * work.words, 4 * count
    return TensorOp(
        tiles=tiles,
        loops=(2, pairs),
        loop_tail=(1, 1) if odd else None,
        narrow_in=Nest(
            4 * work.reciprocals, ((1, 4), (count, 0), (1, pitch), (1, pitch), (1, pitch)), 0x1D
        ),
        narrow_out=stream(4 * work.result, (count, 4), (1, block), (1, block), (1, block)),
        wide=Nest(4 * work.line(2), ((2, 2), (pairs, 0)), 1, 1, 4, Tail(1, 1, 2) if odd else None),
        partial=Nest(0, ((count, 0),), 0, 0, 4),
        signal_operands=1,
        waits=(Wait(Flag.NARROW_TO_WIDE, 1, 1),),
        mode=Mode.PRODUCT_16,
        group_level=1,
        last_lanes=3,
        lanes=3,
        multiplier=RESULT_UNIT,
        clamp_max=255.0,
    )
