"""A vector from the host to blocks on the tiles, and blocks on the tiles to the host.

Facts: docs/format/fully_connected.md, "Vectors". Reads VectorInputStep and VectorOutputStep;
writes the Program level.
"""

from __future__ import annotations

from ..planning.vectors import (
    BLOCK_WORDS,
    INPUT_UNIT,
    ROW_BYTES,
    SLOT_WORDS,
    VectorInputStep,
    VectorOutputStep,
)
from .builder import RING_AND_FEED, TAG_INPUT, TAG_OUTPUT
from .lower import Lowering
from .mesh_transfer import LINE_WORDS
from .program import (
    Flag,
    Infeed,
    NarrowToWide,
    Nest,
    Outfeed,
    Pop,
    Ring,
    RingConsume,
    RingProduce,
    ScalarFence,
    ScalarFlag,
    Tail,
    Unit,
    Wait,
    WideToNarrow,
)
from .ring_transfer import turn
from .streams import one_line, words

FEED_UNITS = 16384
"""8-byte items of half the on-chip feed buffer."""
FEED_CREDIT = 0x7FFC
"""Items the host may be ahead of the pops."""
TO_HOST = 0x7F
_ROW_UNITS = ROW_BYTES // INPUT_UNIT
_TILES_PER_ROW = 4
_ROW = 0xF
_COLUMN = 0x1111


def lower_vector_input(lowering: Lowering, step: VectorInputStep) -> None:
    """Feed the bytes in; each tile row takes 256 of them and each tile keeps its 64."""
    program = lowering.program
    lowering.fence_unit(Unit.NARROW_TO_WIDE)
    lowering.load_base(step)
    lowering.add(ScalarFence(flags=4, value=FEED_CREDIT, units=RING_AND_FEED))
    lowering.add(ScalarFence(flags=1, units=RING_AND_FEED))
    units = step.size // INPUT_UNIT
    lowering.add(
        Infeed(
            activations=1,
            buffer=_feed_buffer(0, units, (1, 0)),
            signal=0,
            wait=Wait(ScalarFlag.AVDATA_INFEED, 0, 0),
        )
    )
    program.address_from_base()
    program.address_to_descriptor()
    program.fire(step.size, TAG_INPUT)
    own = lowering.address(step.output)
    for column in range(_TILES_PER_ROW):
        _keep_own(lowering, step, column, own)
    for row in range(-(-step.size // ROW_BYTES)):
        _send_row(lowering, step, row, units)
    program.idle()
    lowering.reset()


def _feed_buffer(first: int, units: int, *outer: tuple[int, int]) -> Nest:
    """`units` items from item `first` on, through the feed buffer's two halves."""
    tail = None if units == FEED_UNITS else Tail(units, 1, FEED_UNITS - units)
    return Nest(first, ((FEED_UNITS, 1), *outer), 1, 1, FEED_UNITS, tail)


def _keep_own(lowering: Lowering, step: VectorInputStep, column: int, own: int) -> None:
    """Tiles of one column write their block of a row; the words before it are dropped."""
    before = BLOCK_WORDS * column
    for tiles, count in step.blocks.groups():
        chosen = tiles & _COLUMN << column
        if not chosen:
            continue
        lowering.add(
            WideToNarrow(
                tiles=chosen,
                wide=Nest(step.fifo_line, ((1, 1),)),
                narrow=Nest(own, ((count, 1),), 1, 1, SLOT_WORDS),
                skip=3 if before else 0,
                skip_first=own if before else 0,
                skip_last=before - 1 if before else 0,
                skip_end=own + before - 1 if before else 0,
                signal=0,
                waits=(
                    Wait(Flag.RING_READ_A, 1, 1),
                    Wait(Flag.AVDATA, 1, -1, 1, True),
                ),
                fill_level=2 if before else 1,
            )
        )


def _send_row(lowering: Lowering, step: VectorInputStep, row: int, units: int) -> None:
    """One ring row of up to 256 bytes to the tiles of a tile row that keep part of it."""
    tiles = step.blocks.mask & _ROW << (_TILES_PER_ROW * row)
    slot = step.slot_lines
    capacity = LINE_WORDS * slot
    lowering.add(
        RingConsume(
            tiles=tiles,
            ring=Ring.A,
            wide=Nest(step.fifo_line, ((1, 1),), int(slot > 1), 1, slot),
            signal=1,
            wait=Wait(Flag.WIDE_TO_NARROW, 1, -capacity, capacity, True),
        )
    )
    first = _ROW_UNITS * row
    lowering.add(
        Pop(
            source=1,
            buffer=_feed_buffer(first, min(_ROW_UNITS, units - first)),
            signal_space=0,
            waits=(Wait(ScalarFlag.AVDATA_POP, 0, first + 1),),
            on=1,
            destinations=tiles,
            lanes=63,
        )
    )


def lower_vector_output(lowering: Lowering, step: VectorOutputStep) -> None:
    """Every tile stores its block as a line; lines leave in tile order."""
    program = lowering.program
    program.barrier()
    lowering.load_base(step)
    program.address_from_base()
    source = lowering.address(step.input) + step.offset
    for tiles, count in step.blocks.groups():
        lowering.add(
            NarrowToWide(
                tiles=tiles,
                narrow=words(source, count),
                wide=one_line(step.fifo_line),
                signal=1,
                waits=(Wait(Flag.RING_WRITE, 1, -1, 1, True),),
                fill_level=1,
            )
        )
    program.address_to_descriptor()
    units = [-(-step.blocks.size(tile) // 2) for tile in range(step.blocks.tiles)]
    program.fire(INPUT_UNIT * -(-step.blocks.words // 2), TAG_OUTPUT)
    for tile, count in enumerate(units):
        lowering.add(Outfeed(buffer=Nest(0, ((count, 0),)), signal=1, limit=TO_HOST))
        lowering.add(
            RingProduce(
                tiles=1 << tile,
                wide=one_line(step.fifo_line, 1),
                signal_read=1,
                signal_sent=2,
                waits=(turn(lowering), Wait(Flag.NARROW_TO_WIDE, 1, 1)),
                to_host=1,
            )
        )
