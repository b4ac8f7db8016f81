"""SOFTMAX, second half: 1 / sum of the exponentials, and the product with it.

Facts: docs/format/softmax.md. Reads SoftmaxStep (through Work); writes the Program level.
"""

from __future__ import annotations

from .activation_tables import load_table
from .program import INF, Flag, Mode, NarrowToWide, Nest, Tail, TensorKind, TensorOp, Unit, Wait
from .softmax_work import (
    LINE_SPACE,
    RESULT_UNIT,
    ROOT_UNIT,
    Work,
    quad_units,
    quads,
)
from .streams import fifo, stream, words


def inverse_root(work: Work) -> None:
    """1 / sqrt of the sum of all exponentials, 16 bits, on tile 0."""
    lowering = work.lowering
    load_table(lowering, "inverse_root", 1)
    pairs = -(-work.step.elements // 2)
    count, rest = -(-pairs // 4), pairs % 4
    wide = quads(work.line(8), count, rest)
    lowering.add(
        NarrowToWide(
            tiles=1,
            narrow=words(work.exponentials, pairs),
            wide=wide,
            signal=1,
            waits=(LINE_SPACE,),
        )
    )
    lowering.add(
        TensorOp(
            tiles=1,
            kind=TensorKind.SUM,
            loops=(4, count),
            loop_tail=(rest, 1) if rest else None,
            narrow_out=stream(4 * work.total, (2, 4), (1, 8), (1, 8), (1, 8)),
            wide=quad_units(wide),
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
    work.release()
    lowering.program.idle()


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
    work.release()


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
