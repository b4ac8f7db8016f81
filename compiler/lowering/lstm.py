"""UNIDIRECTIONAL_SEQUENCE_LSTM: the loop over the time steps, and the way of its results.

A narrow address can come from a register only where words are read, so each hidden state
leaves for the host's scratch memory, and all of them come back behind the loop.

Reads LstmStep; writes the Program level. Facts: docs/format/lstm.md.
"""

from __future__ import annotations

from dataclasses import replace

from ..errors import ResourceError, Where
from ..planning.lstm import LstmStep
from ..planning.plan import Piece
from ..planning.vectors import INPUT_UNIT
from .builder import RING_AND_FEED, TAG_INPUT, TAG_OUTPUT
from .constant_lines import fence_identity
from .lower import Lowering
from .lstm_cell import lower_cell, write_sum_weights
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
    ScalarOp,
    Tail,
    Wait,
    WideToNarrow,
)
from .ring_transfer import RingLines, ring_message, turn
from .streams import fifo, one_line, stream, words
from .vector_io import FEED_CREDIT, FEED_UNITS, TO_HOST

_SCRATCH_LOW, _SCRATCH_HIGH = 3, 2
"""Registers of the scratch memory's base, loaded by the program's frame."""
_ADDRESS, _TILE, _OFFSET = 10, 11, 12
"""Registers of the loop: word address of the step's input, mask of tile 0, byte offset of its
result."""
_LOW, _HIGH, _TEMPORARY = 6, 7, 8
_ADD, _ADD_IMMEDIATE = 0x01, 0x21
_LESS_IMMEDIATE, _NOT_LESS_IMMEDIATE = 0x2C, 0x2D
_OUTFEED = 0x10
"""Scalar unit: everything sent to the host is there."""
_FIRST_TILE = 1


def lower_lstm(lowering: Lowering, step: LstmStep) -> None:
    """Constants; the loop; its results back from the host; reset."""
    pieces = _pieces(lowering, step)
    program = lowering.program
    program.barrier()
    lowering.restart_rings()
    fence_identity(lowering, step.identity)
    lowering.reset()
    write_sum_weights(lowering, step)
    program.barrier()
    program.move_immediate(_ADDRESS, lowering.address(step.sequence) + step.offset)
    program.move_immediate(_TILE, _FIRST_TILE)
    program.move_immediate(_OFFSET, step.scratch_offset)
    start = program.mark()
    _distribute(lowering, step)
    lower_cell(lowering, step, pieces)
    _send_result(lowering, step)
    lowering.restart()
    _advance(lowering, step)
    program.jump_unless_done(start)
    _fetch_results(lowering, step)


def _pieces(lowering: Lowering, step: LstmStep) -> tuple[tuple[tuple[Piece, ...], ...], ...]:
    """Where the matrices lie, by gate; the loop cannot stream them."""
    for index in step.segments:
        if not lowering.segment(index).is_pinned_at(lowering.placement(index)):
            raise ResourceError(
                "an LSTM's weights must stay on the chip, and there is no room for them",
                where=Where(op=f"operator {step.ops[0]}"),
                hint="Compile this model alone.",
            )
    return tuple(
        tuple(lowering.placement(matrix.segments[0]) for matrix in gate) for gate in step.matrices
    )


def _distribute(lowering: Lowering, step: LstmStep) -> None:
    """The step's input from tile 0, then the whole hidden state from the tiles that hold it, to
    all of these."""
    lines = RingLines(step.consumer_line, step.producer_line)
    ring_message(
        lowering,
        0,
        step.blocks.mask,
        source=lowering.address(step.sequence) + step.offset,
        destination=lowering.address(step.current),
        count=step.input_words,
        lines=lines,
    )
    _read_from_register(lowering)
    for tile in range(step.blocks.tiles):
        ring_message(
            lowering,
            tile,
            step.blocks.mask,
            source=lowering.address(step.hidden),
            destination=lowering.address(step.vector) + step.blocks.block * tile,
            count=step.blocks.size(tile),
            lines=lines,
        )
    lowering.program.barrier()
    lowering.reset()


def _read_from_register(lowering: Lowering) -> None:
    """The read just added takes its tile and its address from registers."""
    read = lowering.program.instructions[-1]
    assert isinstance(read, NarrowToWide)
    registers = {
        "head.address_register": _ADDRESS,
        "head.tiles_register": _TILE,
        "head.tiles_from_register": 1,
        "address_from_register": 1,
    }
    lowering.program.instructions[-1] = replace(read, tiles=0, extra=tuple(registers.items()))


def _send_result(lowering: Lowering, step: LstmStep) -> None:
    """The hidden state to its slot of the scratch memory, block after block."""
    program, blocks = lowering.program, step.blocks
    program.barrier()
    for tiles, count in blocks.groups():
        lowering.add(
            NarrowToWide(
                tiles=tiles,
                narrow=words(lowering.address(step.hidden), count),
                wide=one_line(step.producer_line),
                signal=1,
                waits=(Wait(Flag.RING_WRITE, 1, -1, space=True),),
                fill_level=1,
            )
        )
    _add_to_scratch(lowering, _OFFSET)
    program.fire(step.slot_bytes, TAG_OUTPUT)
    for tile in range(blocks.tiles):
        items = -(-blocks.size(tile) * 4 // INPUT_UNIT)
        lowering.add(Outfeed(buffer=_items(items), signal=1, limit=TO_HOST))
        lowering.add(
            RingProduce(
                tiles=1 << tile,
                wide=one_line(step.producer_line, 1),
                signal_read=1,
                signal_sent=2,
                waits=(turn(lowering), Wait(Flag.NARROW_TO_WIDE, 1, 1)),
                to_host=1,
            )
        )


def _items(count: int) -> Nest:
    return Nest(0, ((count, int(count == 1)),))


def _add_to_scratch(lowering: Lowering, offset: int) -> None:
    """(r7:r6) = scratch base + register `offset`: where the low half's top bit goes from one to
    zero, there is a carry."""
    program = lowering.program
    program.copy_address(_SCRATCH_LOW, _SCRATCH_HIGH, _LOW, _HIGH, _TEMPORARY)
    carried = ScalarOp(gate=1, sense=1)
    lowering.add(ScalarOp(operation=_LESS_IMMEDIATE, operand=_LOW))
    lowering.add(ScalarOp(operation=_ADD, target=_LOW, operand=_LOW, immediate=offset))
    lowering.add(replace(carried, operation=_NOT_LESS_IMMEDIATE, operand=_LOW))
    lowering.add(
        replace(carried, operation=_ADD_IMMEDIATE, target=_HIGH, operand=_HIGH, immediate=1)
    )


def _advance(lowering: Lowering, step: LstmStep) -> None:
    """To the next step's input and slot; predicate 0: there is none."""
    for register, amount in ((_ADDRESS, step.input_words), (_OFFSET, step.slot_bytes)):
        lowering.add(
            ScalarOp(operation=_ADD_IMMEDIATE, target=register, operand=register, immediate=amount)
        )
    end = step.scratch_offset + step.scratch_bytes
    lowering.add(ScalarOp(operation=_NOT_LESS_IMMEDIATE, operand=_OFFSET, immediate=end))


def _fetch_results(lowering: Lowering, step: LstmStep) -> None:
    """All slots to tile 0, without what fills them up: the next one's first word overwrites
    it."""
    program = lowering.program
    units = step.scratch_bytes // INPUT_UNIT
    program.idle()
    lowering.add(ScalarFence(units=_OUTFEED))
    lowering.add(ScalarFence(flags=4, value=FEED_CREDIT, units=RING_AND_FEED))
    lowering.add(ScalarFence(flags=1, units=RING_AND_FEED))
    tail = None if units == FEED_UNITS else Tail(units, 1, FEED_UNITS - units)
    buffer = Nest(0, ((FEED_UNITS, 1), (1, 0)), 1, 1, FEED_UNITS, tail)
    lowering.add(
        Infeed(
            activations=1,
            buffer=buffer,
            signal=0,
            wait=Wait(ScalarFlag.AVDATA_INFEED, 0, 0),
        )
    )
    program.copy_address(
        _SCRATCH_LOW, _SCRATCH_HIGH, _LOW, _HIGH, _TEMPORARY, offset=step.scratch_offset
    )
    program.fire(step.scratch_bytes, TAG_INPUT)
    _keep_results(lowering, step)
    lowering.add(
        Pop(
            source=1,
            buffer=replace(buffer, levels=((FEED_UNITS, 1),)),
            signal_space=0,
            waits=(Wait(ScalarFlag.AVDATA_POP, 0, 1),),
            on=1,
            destinations=_FIRST_TILE,
            lanes=63,
        )
    )
    program.idle()
    program.barrier()
    lowering.reset()


def _keep_results(lowering: Lowering, step: LstmStep) -> None:
    slot = step.slot_bytes // 4
    count = step.blocks.words
    lines = fifo(step.consumer_line, -(-step.steps * slot // LINE_WORDS))
    lowering.add(
        WideToNarrow(
            tiles=_FIRST_TILE,
            wide=lines,
            narrow=stream(lowering.address(step.output), (slot, 1), (step.steps, count)),
            signal=0,
            waits=(Wait(Flag.RING_READ_A, 0, 1),),
            fill_level=2,
        )
    )
    lowering.add(
        RingConsume(
            tiles=_FIRST_TILE,
            ring=Ring.A,
            wide=lines,
            signal=0,
            wait=Wait(Flag.WIDE_TO_NARROW, 0, -LINE_WORDS, LINE_WORDS, True),
        )
    )
