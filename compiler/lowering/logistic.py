"""LOGISTIC: y = 256 * sigmoid(scale * (x - input_zero)), through the identity and the table.

Facts: docs/format/activation.md. Reads LogisticStep; writes the Program level.
"""

from __future__ import annotations

from ..planning.logistic import LogisticStep
from ..planning.requantization import SIGMOID_LIMIT
from .activation_tables import load_table
from .lower import Lowering
from .program import Flag, Mode, Nest, TensorOp, Wait
from .relayout import make_byte_identity
from .streams import stream


def lower_logistic(lowering: Lowering, step: LogisticStep) -> None:
    """reset (and the identity, if it is not there); table; one op for whole blocks and one
    for the last; reset."""
    lowering.reset()
    if step.identity:
        make_byte_identity(lowering, lowering.address(step.identity), step.identity_line)
    load_table(lowering, "sigmoid_256", step.blocks.mask)
    place = 4 * (lowering.address(step.input) + step.offset)
    for tiles, count in step.blocks.groups():
        nest = stream(place, (1, 4), (1, 4 * count), (count, 4))
        lowering.add(
            TensorOp(
                tiles=tiles,
                loops=(count,),
                narrow_in=nest,
                narrow_out=nest,
                wide=Nest(4 * step.identity_line, ((count, 0),)),
                partial=Nest(0, ((count, 0),), 0, 0, 4),
                signal_output=2,
                signal_operands=0,
                waits=(Wait(Flag.NARROW_TO_WIDE, 1, 0),),
                mode=Mode.IDENTITY,
                input_zero=step.input_zero,
                last_lanes=3,
                lanes=3,
                activation=1,
                multiplier=step.multiplier,
                clamp_max=SIGMOID_LIMIT,
                clamp_min=-SIGMOID_LIMIT,
                output_zero=step.output_zero,
            )
        )
    lowering.reset()
