"""Lowering of the image input.

Reads `ImageInputStep`s. Facts: docs/format/convolution.md, "Image input". The stream of a tile
row goes through a wide FIFO of two rows into two slots of narrow memory, each for a group of
rows, and from there, times an identity matrix, into the interior of the first map; the last
group waits for a fence.
"""

from __future__ import annotations

from dataclasses import replace

from ..fast_dataclass import dataclass
from ..planning.image import ImageInputStep, Interior, Scatter
from .builder import RING_AND_FEED, TAG_INPUT
from .constant_lines import fence_identity
from .lower import Lowering
from .program import (
    ALL_TILES,
    Direction,
    Flag,
    Infeed,
    MeshMove,
    NarrowToWide,
    Nest,
    Pop,
    Ring,
    RingConsume,
    ScalarFence,
    ScalarFlag,
    Tail,
    TensorOp,
    TileFence,
    Unit,
    Wait,
    WideToNarrow,
)
from .requantise import copying
from .streams import stream, words

WORD_BYTES = 4
LINE_WORDS = 64
ROW_WORDS = 16
"""Words of a row of parameters."""
ITEM_BYTES = 8
FEED_ITEMS = 16384
"""Half of the activation feed buffer, in 8-byte items: one turn of its double buffer."""
FEED_CREDITS = 0x7FFC
IDENTITY_WORDS = 4
ACTIVATIONS = 1
"""Pop.source: the host's activations."""
BYTE_SLICES = 3
DROP_ONCE = 0b11
"""WideToNarrow.skip: drop words in front of the whole stream of two loops."""


def lower_image_input(lowering: Lowering, step: ImageInputStep) -> None:
    """Bring one picture in, or a part of it."""
    if step.stored:
        fence_identity(lowering, step.identity_buffer)
        if not (step.identity_buffer or lowering.sync.is_clear):
            lowering.reset()
        lowering.program.restart_feed()
    elif step.identity_buffer:
        if not lowering.sync.is_clear:
            lowering.reset()
        _write_identity(lowering, step)
    elif not step.follows:
        if not lowering.sync.is_clear:
            lowering.reset()
        lowering.program.restart_feed()
        if step.identity_line < 0:
            lowering.fence_unit(Unit.NARROW_TO_WIDE)
    _add_copies(lowering, step, last=False)
    _start_feed(lowering, step)
    turning = _turning_tiles(step)
    if turning:
        lowering.add(TileFence(tiles=turning, flags=1 << Flag.WIDE_TO_NARROW))
    _scatter(lowering, step, turning)
    lowering.program.idle()
    _add_copies(lowering, step, last=True)
    lowering.reset()


def _identity_line(lowering: Lowering, step: ImageInputStep) -> int:
    return lowering.plan.identity_line if step.identity_line < 0 else step.identity_line


def _write_identity(lowering: Lowering, step: ImageInputStep) -> None:
    """The 4x4 identity matrix (word i has its byte i set), behind it, for gathering by
    channel, a line of zeros. Pixels of several words have a line a word, and the matrix stands
    that word's lanes further on: it is read with ever more zeros in front of it."""
    extra = IDENTITY_WORDS * (step.pixel_words - 1) if step.by_channel else 0
    base = lowering.address(step.identity_buffer) + extra

    def fill(address: int, count: int, value: int, signal: int | None = None) -> None:
        lowering.add(
            MeshMove(
                direction=Direction.NORTH,
                destination=words(address, count),
                fill=value,
                signal_received=signal,
            )
        )

    for i in range(IDENTITY_WORDS):
        last = i == IDENTITY_WORDS - 1 and not step.by_channel
        fill(base + i, 1, 1 << 8 * i, 1 if last else None)
    if step.by_channel:
        fill(base + IDENTITY_WORDS, LINE_WORDS, 0)
        if extra:
            fill(base - extra, extra, 0)
        lowering.program.idle()
        _pack_lines(lowering, step, base)
    else:
        lowering.add(
            NarrowToWide(
                narrow=words(base, IDENTITY_WORDS),
                wide=Nest(_identity_line(lowering, step), ((1, 1),)),
                signal=1,
                waits=(Wait(Flag.SOUTH_IN, 1, 1, 0),),
                fill_level=1,
            )
        )
    lowering.fence_unit(Unit.NARROW_TO_WIDE)


def _pack_lines(lowering: Lowering, step: ImageInputStep, base: int) -> None:
    """The matrix at word `base` to the lines by which pixels are gathered: in line g it stands
    in lanes 4 g to 4 g + 3, so byte plane i of line g sends channel 4 g + i there."""
    if step.pixel_words == 1:
        lowering.add(
            NarrowToWide(
                narrow=words(base, IDENTITY_WORDS + LINE_WORDS),
                wide=stream(step.identity_line, (2, 1)),
                fill_level=1,
            )
        )
        return
    for line in range(step.pixel_words):
        lowering.add(
            NarrowToWide(
                narrow=words(base - IDENTITY_WORDS * line, LINE_WORDS),
                wide=words(step.identity_line + line, 1),
                fill_level=1,
            )
        )


def _add_copies(lowering: Lowering, step: ImageInputStep, *, last: bool) -> None:
    """Slots -> interior of the map: all groups but the last, or the last one."""
    for interior in step.interiors:
        groups = step.groups(interior.rows)
        if last or groups > 1:
            lowering.add(_copy(lowering, step, interior, groups, last=last))


@dataclass(frozen=True, slots=True)
class _Rows:
    """What one copy takes: `groups` groups of `rows` rows, from slot address `slot` (words) to
    map address `target` (words)."""

    groups: int
    rows: int
    slot: int
    target: int

    def again(self, stride: int = 0) -> tuple[tuple[int, int], ...]:
        """The loop over the groups, left out for a single one."""
        return ((self.groups, stride),) if self.groups > 1 else ()


def _copy(
    lowering: Lowering, step: ImageInputStep, interior: Interior, groups: int, *, last: bool
) -> TensorOp:
    first = groups - 1 if last else 0
    before = first * step.group_words
    op = TensorOp(
        tiles=interior.tiles,
        waits=(
            Wait(
                Flag.WIDE_TO_NARROW,
                3,
                before + (interior.own_words if last else step.group_words),
                step.group_words,
            ),
        ),
    )
    done = first * step.group_rows
    rows = _Rows(
        groups=1 if last else groups - 1,
        rows=interior.rows - done if last else step.group_rows,
        slot=lowering.address(step.staging_buffer) + first % 2 * step.slot_words,
        target=lowering.address(step.output_buffer) + interior.offset + done * interior.row_words,
    )
    line = _identity_line(lowering, step)
    place = _gather if step.by_channel else _copy_words
    return place(copying(op), step, interior, rows, line)


def _copy_words(
    op: TensorOp, step: ImageInputStep, interior: Interior, rows: _Rows, line: int
) -> TensorOp:
    """Pixels of whole words: word by word, pixel by pixel, row by row."""
    pixel, columns = step.channels // WORD_BYTES, interior.columns
    again = rows.again()
    idle = ((pixel, 0), (1, 0), (columns, 0), *again)
    return replace(
        op,
        loops=(1, pixel, columns, *(loop for loop, _ in again)),
        narrow_in=Nest(
            rows.slot, ((pixel, 1), (columns, pixel), *again), 0b11, 2, step.slot_words
        ).scaled(WORD_BYTES),
        narrow_out=stream(
            rows.target,
            (pixel, 1),
            (columns, pixel),
            (rows.groups, interior.row_words),
            (1, interior.map_words),
        ).scaled(WORD_BYTES),
        wide=Nest(line * 4, idle),
        partial=Nest(0, idle, 0, 0, 4),
        signal_output=2,
        group_level=4,
    )


def _gather(
    op: TensorOp, step: ImageInputStep, interior: Interior, rows: _Rows, line: int
) -> TensorOp:
    """Pixels of no whole words: byte c times row c of the identity, summed into the words of a
    pixel."""
    channels, columns, pixel = step.channels, interior.columns, step.pixel_words
    count = rows.rows * rows.groups
    again = ((count, 0),) if count > 1 else ()
    return replace(
        op,
        loops=(channels, columns, *_loops(rows)),
        narrow_in=Nest(
            rows.slot * WORD_BYTES + interior.byte,
            (
                (channels, 1),
                (columns, channels),
                (rows.rows, step.row_bytes),
                *rows.again(),
            ),
            0b111,
            3,
            step.slot_words * WORD_BYTES,
        ),
        narrow_out=stream(
            rows.target,
            (pixel, 1),
            (columns, pixel),
            (rows.rows, interior.row_words),
            *rows.again(rows.rows * interior.row_words),
            (1, interior.map_words),
        ).scaled(WORD_BYTES),
        wide=Nest(line * 4, ((channels, 1), (columns, 0), *again), 1),
        partial=Nest(0, ((channels, int(channels == 1)), (columns, 0), *again), 0, 1, 4),
        signal_output=3,
        group_level=3,
        reduced=1,
        raw=1,
        byte_slices=BYTE_SLICES,
        lanes=WORD_BYTES * pixel - 1,
        last_lanes=WORD_BYTES * pixel - 1,
    )


def _loops(rows: _Rows) -> tuple[int, ...]:
    """Rows of a group and groups: both if there are several groups, none for a single row."""
    if rows.groups > 1:
        return rows.rows, rows.groups
    return (rows.rows,) if rows.rows > 1 else ()


def _start_feed(lowering: Lowering, step: ImageInputStep) -> None:
    """Ask the host for the picture; the feed buffer is empty."""
    program = lowering.program
    if not step.stored:
        lowering.load_base(step)
    for flag, value in ((ScalarFlag.AVDATA_INFEED, FEED_CREDITS), (ScalarFlag.AVDATA_POP, 0)):
        lowering.add(ScalarFence(flags=1 << flag, value=value, units=RING_AND_FEED))
    if step.stored:
        lowering.host.begin(("map", step.ops), step.stored)
        return
    items = -(-step.size // ITEM_BYTES)
    lowering.add(
        Infeed(
            activations=1,
            buffer=feed_turns(0, items, always=True),
            signal=0,
            wait=Wait(ScalarFlag.AVDATA_INFEED, 0, 0),
        )
    )
    program.address_from_base(step.host_offset)
    program.address_to_descriptor()
    program.fire(items * ITEM_BYTES, TAG_INPUT)


def feed_turns(first: int, items: int, *, always: bool = False) -> Nest:
    """`items` items from number `first` on through the two halves of the feed buffer;
    `always`: write the loop of turns even for a single one."""
    turns, rest = -(-items // FEED_ITEMS), items % FEED_ITEMS
    levels = ((FEED_ITEMS, 1), (turns, 0)) if always or turns > 1 else ((FEED_ITEMS, 1),)
    tail = Tail(rest, 1, FEED_ITEMS - rest) if rest else None
    return Nest(first % (2 * FEED_ITEMS), levels, 1, 1, FEED_ITEMS, tail)


def _turning_tiles(step: ImageInputStep) -> int:
    """Tiles that use a slot again; all tiles if none makes do with its two slots."""
    turning = sum(i.tiles for i in step.interiors if step.groups(i.rows) > 2)
    rest = any(step.groups(interior.rows) <= 2 for interior in step.interiors)
    return turning if rest or not turning else ALL_TILES


def _scatter(lowering: Lowering, step: ImageInputStep, turning: int) -> None:
    """Column by column out of the FIFO, then row by row into it, consumers first; of these, those
    of tiles that use a slot again (`turning`) come last."""
    chunk, level = step.chunk_lines, _chunk_level(step)
    staging = lowering.address(step.staging_buffer)
    for scatter in sorted(step.scatters, key=lambda scatter: bool(scatter.tiles & turning)):
        lowering.add(_keep_columns(step, scatter, staging))
    for feed in step.feeds:
        room = LINE_WORDS * chunk
        lowering.add(
            RingConsume(
                tiles=feed.tiles,
                ring=Ring.A,
                wide=_chunks(step, feed.lines),
                signal=level,
                wait=Wait(Flag.WIDE_TO_NARROW, level, -room, room, space=True),
            )
        )
        if step.stored:
            lowering.host.send(feed.lines * LINE_WORDS // ROW_WORDS, LINE_WORDS, feed.tiles)
            continue
        lowering.add(
            Pop(
                source=ACTIVATIONS,
                buffer=feed_turns(feed.first_item, feed.items),
                signal_space=0,
                waits=(Wait(ScalarFlag.AVDATA_POP, 0, feed.first_item + 1),),
                on=1,
                destinations=feed.tiles,
                lanes=LINE_WORDS - 1,
            )
        )


def _chunk_level(step: ImageInputStep) -> int:
    """Loop level of a row's lines in the FIFO: a chunk of one line has no loop of its own."""
    return 1 if step.chunk_lines > 1 else 0


def _chunks(step: ImageInputStep, lines: int) -> Nest:
    """`lines` lines through the FIFO of two chunks."""
    chunk, level = step.chunk_lines, _chunk_level(step)
    levels = ((chunk, 1), (-(-lines // chunk), 0))[1 - level :]
    rest = lines % chunk
    tail = Tail(rest, level, chunk - rest) if rest else None
    return Nest(step.fifo_line, levels, (1 << level) - 1, level, chunk, tail)


def _keep_columns(step: ImageInputStep, scatter: Scatter, staging: int) -> WideToNarrow:
    """Whole groups of rows into the two slots, turned so that the tile's own columns come
    first: what lies in front of them in the first row is dropped, so every slot ends with the
    words in front of the next group's."""
    slot = step.group_words
    turns, rest = -(-scatter.words // slot), scatter.words % slot
    other = step.slot_words
    if turns == 1:
        slot, other, rest = scatter.words, scatter.words, 0
    op = WideToNarrow(
        tiles=scatter.tiles,
        wide=_chunks(step, scatter.lines),
        narrow=Nest(
            staging,
            ((slot, 1), (turns, 0)),
            1,
            1,
            other,
            Tail(rest, 1, slot - rest) if rest else None,
        ),
        signal=0,
        waits=(
            Wait(Flag.RING_READ_A, _chunk_level(step), 1),
            Wait(Flag.AVDATA, 1, -1, space=True),
        ),
        fill_level=1 if turns == 1 else 2,
    )
    if not scatter.skip_words:
        return op
    dropped = scatter.skip_words - 1
    return replace(
        op,
        skip=DROP_ONCE,
        skip_first=staging,
        skip_last=dropped,
        skip_end=staging + dropped,
        fill_level=2,
    )
