"""A vector from the host to blocks on the tiles, and blocks on the tiles to the host.

Facts: docs/format/fully_connected.md, "Vectors". Reads VectorInputStep and VectorOutputStep;
writes the Program level.
"""

from __future__ import annotations

from ..planning.vectors import (
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
from .streams import fifo, one_line, words

FEED_UNITS = 16384
"""8-byte items of half the on-chip feed buffer."""
FEED_CREDIT = 0x7FFC
"""Items the host may be ahead of the pops."""
TO_HOST = 0x7F
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
    units = -(-step.size // INPUT_UNIT)
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
    program.fire(INPUT_UNIT * units, TAG_INPUT)
    _keep_own(lowering, step)
    for row in range(-(-step.blocks.tiles // _TILES_PER_ROW)):
        _send_row(lowering, step, row, units)
    program.idle()
    lowering.reset()


def _feed_buffer(first: int, units: int, *outer: tuple[int, int]) -> Nest:
    """`units` items from item `first` on, through the feed buffer's two halves."""
    tail = None if units == FEED_UNITS else Tail(units, 1, FEED_UNITS - units)
    return Nest(first, ((FEED_UNITS, 1), *outer), 1, 1, FEED_UNITS, tail)


def _keep_own(lowering: Lowering, step: VectorInputStep) -> None:
    """Every tile writes its block of a row; the words before it are dropped. Tiles that write
    to the same place share an instruction, by column; others go one by one."""
    start = lowering.address(step.output)
    if step.pitch:
        for tile in range(step.blocks.tiles):
            own = start + step.pitch * tile
            lowering.add(_keep_block(step, 1 << tile, step.blocks.size(tile), own, start))
        return
    for column in range(_TILES_PER_ROW):
        for tiles, count in step.blocks.groups():
            chosen = tiles & _COLUMN << column
            if chosen:
                lowering.add(_keep_block(step, chosen, count, start, start))


def _keep_block(
    step: VectorInputStep, tiles: int, count: int, own: int, start: int
) -> WideToNarrow:
    """`count` words of a row to word `own`; the tiles are of one column."""
    block = step.blocks.block
    column = (tiles & -tiles).bit_length() - 1
    line, before = divmod(block * (column % _TILES_PER_ROW), LINE_WORDS)
    lines = -(-(before + count) // LINE_WORDS)
    return WideToNarrow(
        tiles=tiles,
        wide=Nest(step.fifo_line + line, ((lines, 1),), int(lines > 1)),
        narrow=Nest(own, ((count, 1),), 1, 1, max(SLOT_WORDS, block)),
        skip=3 if before else 0,
        skip_first=start if before else 0,
        skip_last=before - 1 if before else 0,
        skip_end=start + before - 1 if before else 0,
        signal=0,
        waits=(
            Wait(Flag.RING_READ_A, 1, 1),
            Wait(Flag.AVDATA, 1, -1, 1, True),
        ),
        fill_level=2 if before else 1,
    )


def _send_row(lowering: Lowering, step: VectorInputStep, row: int, units: int) -> None:
    """The bytes of a tile row's blocks to the tiles of it that keep part of them."""
    tiles = step.blocks.mask & _ROW << (_TILES_PER_ROW * row)
    slot = step.slot_lines
    capacity = LINE_WORDS * slot
    row_units = _TILES_PER_ROW * step.blocks.block // 2
    first = row_units * row
    count = min(row_units, units - first)
    lines = -(-count * INPUT_UNIT // ROW_BYTES)
    tail = Tail(lines, 1, slot - lines) if 1 < lines < slot else None
    lowering.add(
        RingConsume(
            tiles=tiles,
            ring=Ring.A,
            wide=Nest(
                step.fifo_line,
                ((1 if lines == 1 else slot, 1),),
                int(slot > 1),
                1,
                slot,
                tail,
            ),
            signal=1,
            wait=Wait(Flag.WIDE_TO_NARROW, 1, -capacity, capacity, True),
        )
    )
    lowering.add(
        Pop(
            source=1,
            buffer=_feed_buffer(first, count),
            signal_space=0,
            waits=(Wait(ScalarFlag.AVDATA_POP, 0, first + 1),),
            on=1,
            destinations=tiles,
            lanes=63,
        )
    )


def lower_vector_output(lowering: Lowering, step: VectorOutputStep) -> None:
    """Every tile stores its block as lines; they leave in tile order."""
    program = lowering.program
    program.barrier()
    lowering.load_base(step)
    program.address_from_base()
    source = lowering.address(step.input) + step.offset
    for tiles, count in _stores(step):
        first = (tiles & -tiles).bit_length() - 1
        lowering.add(_store_block(step, tiles, source + step.pitch * first, count))
    program.address_to_descriptor()
    program.fire(INPUT_UNIT * -(-step.blocks.words // 2), TAG_OUTPUT)
    for tile in range(step.blocks.tiles):
        count = step.blocks.size(tile)
        items = -(-count // 2)
        buffer = Nest(0, ((items, int(items == 1)),))
        lowering.add(Outfeed(buffer=buffer, signal=1, limit=TO_HOST))
        lowering.sync.outfed += 1
        lines = -(-count // LINE_WORDS)
        lowering.add(
            RingProduce(
                tiles=1 << tile,
                wide=_lines_out(step.fifo_line, lines),
                signal_read=1,
                signal_sent=2,
                waits=(turn(lowering), Wait(Flag.NARROW_TO_WIDE, 1, 1)),
                to_host=1,
            )
        )


def _stores(step: VectorOutputStep) -> tuple[tuple[int, int], ...]:
    """(tiles, words) that one instruction stores."""
    if not step.pitch:
        return step.blocks.groups()
    return tuple((1 << tile, step.blocks.size(tile)) for tile in range(step.blocks.tiles))


def _store_block(step: VectorOutputStep, tiles: int, source: int, count: int) -> NarrowToWide:
    lines = -(-count // LINE_WORDS)
    level = 0 if lines > 1 else 1
    return NarrowToWide(
        tiles=tiles,
        narrow=words(source, count),
        wide=fifo(step.fifo_line, lines) if lines > 1 else one_line(step.fifo_line),
        signal=level,
        waits=(Wait(Flag.RING_WRITE, level, -1, 1, True),),
        fill_level=1,
    )


def _lines_out(line: int, lines: int) -> Nest:
    if lines == 1:
        return one_line(line, 1)
    return Nest(line, ((1, 1), (lines, 0)), 1, 1, 1)
