"""Map outputs whose tiles have odd numbers of words: collected word by word in the scalar
core's memory, and pushed to the host from there.

Reads `MapOutputStep`s. Facts: docs/format/execution_order.md, "Map output".
"""

from __future__ import annotations

from ..planning.host_maps import HostStoreStep
from ..planning.map_output import (
    ITEM_WORDS,
    LINE_WORDS,
    Batch,
    MapOutputStep,
    OutputRectangle,
    Portion,
)
from ..planning.tiling import tiles_of
from .builder import TAG_OUTPUT
from .lower import Lowering
from .program import Flag, Loop, Nest, Outfeed, RingProduce, ScalarFence, ScalarOp, Wait
from .streams import stream

WORD_BYTES = 4
COLLECT_LIMIT = 0x3F
"""Outfeed.limit: into the scalar core's memory."""
_OUTFEED_UNIT = 0x08
_MESSAGE_UNIT = 0x10
"""Scalar units: the outfeed; the one a tile's message is fenced with."""
_FROM_REGISTER = 3
"""ScalarOp.load_kind: address in a register."""
_STORE, _PUSH = 6, 8
"""ScalarOp.command: store a word to memory; push one to the host."""
_READER, _FIRST, _SECOND = 6, 7, 8
"""Registers of the push loop: read address, two words in flight."""
_POST_INCREMENT = 32


def lower_batches(lowering: Lowering, step: MapOutputStep) -> None:
    """Collect and push, round by round."""
    rectangles = rectangle_of_tile(step)
    for batch in step.batches:
        for portion in batch.portions:
            if portion.first:
                _message(lowering, step, portion.tile, rectangles[portion.tile])
            lowering.add(_into_memory(portion))
        _push(lowering, batch)
        if batch is not step.batches[-1]:
            lowering.program.copy_address(5, 4, 5, 4, 6, offset=batch.words * WORD_BYTES)
            _move_rest(lowering, batch)


def _message(
    lowering: Lowering, step: MapOutputStep, tile: int, rectangle: OutputRectangle
) -> None:
    """The tile's lines onto the ring, each of them a turn."""
    program = lowering.program
    lines = lines_of(step, rectangle)
    filled = lowering.sync.on_tile(Flag.NARROW_TO_WIDE, tile)
    lowering.add(
        RingProduce(
            tiles=1 << tile,
            wide=fifo_lines(step, lines),
            signal_read=1,
            signal_sent=1,
            waits=(
                Wait(Flag.RING_PRODUCER_A, 1, program.producer_a),
                Wait(Flag.NARROW_TO_WIDE, 1, filled + 1),
            ),
            to_host=1,
        )
    )
    program.producer_a += lines
    lowering.add(ScalarFence(units=_MESSAGE_UNIT))


def _into_memory(portion: Portion) -> Outfeed:
    return Outfeed(buffer=stream(portion.position, (portion.words, 1)), limit=COLLECT_LIMIT)


def _push(lowering: Lowering, batch: Batch) -> None:
    """One descriptor, then the words; two are in flight, as a load takes two steps."""
    program, add = lowering.program, lowering.add
    padded = -(-batch.words // ITEM_WORDS) * ITEM_WORDS
    add(ScalarFence(units=_OUTFEED_UNIT))
    program.address_to_descriptor()
    program.fire(padded * WORD_BYTES, TAG_OUTPUT)
    program.move_immediate(_READER)
    pairs, odd = divmod(batch.words, ITEM_WORDS)
    both = (_FIRST, _SECOND)
    if pairs:
        for register in both:
            add(_load(register))
        if pairs > 1:
            add(Loop(count=pairs - 1, body=ITEM_WORDS))
            for register in both:
                add(_load(register, push=True))
        for register in both:
            add(ScalarOp(command=_PUSH, command_source=register))
    if odd:
        add(_load(_FIRST))
        add(ScalarOp())
        add(ScalarOp(command=_PUSH, command_source=_FIRST))
        program.move_immediate(_READER)
        add(Loop(count=1, body=1))
        add(ScalarOp(command=_PUSH, command_source=_READER))


def _load(register: int, *, push: bool = False, reader: int = _READER) -> ScalarOp:
    """register = memory[reader++]; with `push` its old value goes to the host."""
    return ScalarOp(
        load_kind=_FROM_REGISTER,
        load_address=reader | _POST_INCREMENT,
        load_target=register,
        command=_PUSH if push else 0,
        command_source=register if push else 0,
    )


def _move_rest(lowering: Lowering, batch: Batch) -> None:
    """The words behind those sent go to the start of the memory."""
    if not batch.left:
        return
    program, add = lowering.program, lowering.add
    program.move_immediate(_FIRST, batch.words)
    program.move_immediate(_SECOND)
    add(Loop(count=batch.left, body=3))
    add(_load(_READER, reader=_FIRST))
    add(ScalarOp())
    add(ScalarOp(command=_STORE, command_slot=_SECOND | _POST_INCREMENT, command_source=_READER))


def rectangle_of_tile(step: MapOutputStep | HostStoreStep) -> dict[int, OutputRectangle]:
    """Tiles that send, ascending."""
    found = {tile: r for r in step.rectangles for tile in tiles_of(r.tiles)}
    return dict(sorted(found.items()))


def words_of(step: MapOutputStep | HostStoreStep, rectangle: OutputRectangle) -> int:
    """Words one tile sends."""
    return rectangle.rows * rectangle.columns * step.input.channel_words


def lines_of(step: MapOutputStep | HostStoreStep, rectangle: OutputRectangle) -> int:
    """Lines they take."""
    return -(-words_of(step, rectangle) // LINE_WORDS)


def fifo_lines(step: MapOutputStep | HostStoreStep, lines: int) -> Nest:
    """The lines of a tile, out of the two-line FIFO."""
    levels = ((1, 1), (lines, 0)) if lines > 1 else ((1, 1),)
    return Nest(step.line, levels, 1, 1, 1)
