"""Lowering of operators on one map, value by value.

Reads `PointwiseStep`s. Facts: docs/format/elementwise.md, "One operand".

    reset; constants, where they are not there yet; table; bias; one tensor op for each class of
    tiles; what the host sends of the bias.
"""

from __future__ import annotations

from dataclasses import replace

from ..planning.patches import Patch, PatchClass
from ..planning.pointwise import PointwiseStep, Table
from .activation_tables import load_table
from .constant_lines import diagonal, make_identity, write_weights
from .elementwise import LINE_UNITS, WORD_BYTES, end_elementwise
from .host_stream import PACKED_LANES, ROW_BYTES
from .layer_parameters import MESSAGE_WORDS, SCALING_BIAS, SCALING_SLOT
from .lower import Lowering
from .program import Flag, Mode, Nest, RingConsume, TensorOp, Wait, WideToNarrow
from .requantise import requantised
from .streams import one_line, stream

_TABLES = {Table.SIGMOID: "sigmoid_256"}


def lower_pointwise(lowering: Lowering, step: PointwiseStep) -> None:
    """One operator; it asks the next layer for a reset behind its halo exchange."""
    tiles = 0
    for tile_class in step.classes:
        tiles |= tile_class.tiles
    if not lowering.sync.is_uniform(tiles):
        lowering.reset()
    lowering.reset()
    zero = max(0, -step.weight)
    if step.weight == 1:
        make_identity(lowering, step.constants)
    else:
        image = diagonal(step.weight, zero)
        write_weights(lowering, lowering.address(step.constants), step.line, image)
    if step.table is not Table.NONE:
        load_table(lowering, _TABLES[step.table], tiles)
    if step.bias:
        _bring_bias(lowering, step, tiles)
    masks: dict[tuple[TensorOp, bool, bool], int] = {}
    for tile_class in step.classes:
        op = _operation(lowering, step, tile_class)
        op = _identity(lowering, op) if step.weight == 1 else _weighted(lowering, op, step, zero)
        op = _biased(op) if step.bias else op
        # Tiles with a single row or column do not share an instruction with others.
        key = op, tile_class.height == 1, tile_class.width == 1
        masks[key] = masks.get(key, 0) | tile_class.tiles
    for (op, _, _), mask in masks.items():
        lowering.add(requantised(replace(op, tiles=mask), step.requantization))
    if step.bias:
        data = b"".join(number.to_bytes(4, "little", signed=True) for number in step.bias)
        data = data.ljust(ROW_BYTES, b"\0")
        lowering.host.broadcast(("bias", step.ops), data, PACKED_LANES, tiles)
    _end(lowering, step, tiles)


def _end(lowering: Lowering, step: PointwiseStep, tiles: int) -> None:
    """The result's events; blocks of a vector are of different lengths."""
    if not any(tile_class.words for tile_class in step.classes):
        end_elementwise(lowering, step.output, step.channel_words, tiles)
        return
    for tile_class in step.classes:
        lowering.sync.advance(Flag.AVDATA, tile_class.words, tile_class.tiles)
    lowering.sync.reset_before_parameters = True


def _bring_bias(lowering: Lowering, step: PointwiseStep, tiles: int) -> None:
    """One line from ring A, and from there into the scaling unit."""
    lowering.add(
        RingConsume(
            tiles=tiles,
            wide=one_line(step.line),
            signal=1,
            wait=Wait(Flag.WIDE_TO_SCALING, 1, -1, space=True),
        )
    )
    lowering.add(
        WideToNarrow(
            tiles=tiles,
            wide=one_line(step.line, 1),
            narrow=Nest(SCALING_BIAS, ((2, 1), (1, MESSAGE_WORDS)), 3, 2, SCALING_SLOT),
            signal=2,
            waits=(Wait(Flag.RING_READ_A, 1, 1), Wait(Flag.AVDATA, 2, -1, space=True)),
            to_scaling=1,
            fill_level=1,
        )
    )


def _biased(op: TensorOp) -> TensorOp:
    """The bias is added to the accumulator; the first wait is for its arrival."""
    arrived = Wait(Flag.WIDE_TO_SCALING, 1, 1)
    return replace(op, bias=1, waits=(arrived, *op.waits))


def _operation(lowering: Lowering, step: PointwiseStep, tile_class: PatchClass) -> TensorOp:
    """Pixels, then the words of a pixel."""
    (source,) = tile_class.sources
    target = tile_class.target
    steps, words = tile_class.height * tile_class.width, tile_class.words or step.channel_words
    loops = (steps, words) if words > 1 else (steps,)
    written = _stream(lowering.address(step.output), target, tile_class, words)
    return TensorOp(
        loops=loops,
        narrow_in=_stream(lowering.address(step.input), source, tile_class, words),
        narrow_out=written,
        signal_output=len(written.levels) - 1,
        input_zero=step.input_zero,
        last_lanes=WORD_BYTES - 1,
        lanes=WORD_BYTES - 1,
        activation=int(step.table is not Table.NONE),
        initial=step.initial,
    )


def _identity(lowering: Lowering, op: TensorOp) -> TensorOp:
    """Every word times the identity line; one pixel of several words has no loop of its own."""
    single = op.loops[0] == 1 and len(op.loops) > 1
    level = 0 if single else 1
    loops = op.loops[1:] if single else op.loops
    idle = tuple((count, 0) for count in loops)
    ready = Wait(Flag.NARROW_TO_WIDE, 1 + level, lowering.sync.count(Flag.NARROW_TO_WIDE))
    return replace(
        op,
        loops=loops,
        wide=Nest(LINE_UNITS * lowering.plan.identity_line, idle),
        partial=Nest(0, idle, 0, 0, LINE_UNITS),
        signal_operands=level,
        waits=(ready,),
        mode=Mode.IDENTITY,
        group_level=level,
    )


def _weighted(lowering: Lowering, op: TensorOp, step: PointwiseStep, zero: int) -> TensorOp:
    """The two halves of every word times 16-bit weights."""
    pixels = op.loops[0]
    loops = (2, pixels, step.channel_words)
    steps = pixels * step.channel_words
    return replace(
        op,
        loops=loops,
        narrow_in=stream(op.narrow_in.base, (2, 2), *op.narrow_in.levels[1:]),
        wide=Nest(LINE_UNITS * step.line, ((2, LINE_UNITS), (steps, 0)), 1),
        partial=Nest(0, ((2, 0), (steps, 0)), 0, 1, LINE_UNITS),
        waits=(Wait(Flag.NARROW_TO_WIDE, len(loops), lowering.sync.count(Flag.NARROW_TO_WIDE)),),
        mode=Mode.ELEMENTWISE,
        weight_zero=zero,
        group_level=len(loops) - 1,
        reduced=0b1,
    )


def _stream(base: int, place: Patch, tile_class: PatchClass, words: int) -> Nest:
    """One word, pixels (one loop where rows follow each other), words of a pixel; bytes."""
    height, width = tile_class.height, tile_class.width
    pixels: tuple[tuple[int, int], ...]
    if height == 1 or place.row_words == width * place.pixel_words:
        pixels = ((width * height, WORD_BYTES * place.pixel_words),)
    else:
        pixels = (
            (width, WORD_BYTES * place.pixel_words),
            (height, WORD_BYTES * place.row_words),
        )
    return stream(WORD_BYTES * (base + place.offset), (1, WORD_BYTES), *pixels, (words, WORD_BYTES))
