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
from .activation_tables import load_table
from .lower import Lowering
from .program import Flag, Mode, Nest, TensorOp, Wait
from .relayout import make_byte_identity, write_byte_identity
from .ring_transfer import ring_message
from .softmax_exchange import exchange_exponentials
from .softmax_maximum import (
    find_maximum,
    gather_slices,
    negate_maximum,
    repeat_maximum,
    subtract_maximum,
)
from .softmax_reciprocal import inverse_root, multiply, repeat_reciprocal, square_root_product
from .softmax_tables import Table, apply_table
from .softmax_work import DIFFERENCE_ZERO, EXPONENT_LIMIT, Work
from .streams import stream


def lower_softmax(lowering: Lowering, step: SoftmaxStep) -> None:
    """All phases; counters are zero at both ends."""
    work = Work.of(lowering, step)
    if not step.from_host:
        lowering.reset()
    if step.identity:
        make_byte_identity(lowering, lowering.address(step.identity), step.identity_line)
    if work.masked:
        apply_table(work, Table.INPUTS)
    gather_slices(work)
    find_maximum(work)
    work.to_all(work.maximum, 1, 10)
    repeat_maximum(work)
    negate_maximum(work)
    subtract_maximum(work)
    if work.masked:
        apply_table(work, Table.DIFFERENCES)
    if step.identity_late:
        write_byte_identity(lowering, work.base + 2 * work.span, step.identity_line)
        lowering.sync.advance(Flag.NARROW_TO_WIDE, 1)
    work = work.below_identity()
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


def exponentials(work: Work) -> None:
    """65536 exp(factor * d), clipped to 16 bits."""
    lowering = work.lowering
    load_table(lowering, "exponential", work.mask)
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
        waits=(Wait(Flag.NARROW_TO_WIDE, 1, work.lowering.sync.count(Flag.NARROW_TO_WIDE)),),
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
