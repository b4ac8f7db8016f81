"""The chip's instruction set as data: every opcode's length, unit and bit table.

Every table tiles its instruction exactly. A record named like an attribute of the
instruction's class (`compiler/lowering/program.py`) holds that attribute; the others
(`bound` false) surface in `Instruction.extra` when they are not zero.
docs/format/instructions.md is generated from here.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from ..lowering import program as level
from .layout import END_KEY, SCALAR, START_KEY, Layout, free, layout, sequence, tile_head, tiles
from .records import Float, Floats, Kind, Loops, LoopTail, Number, Optional, Record, Signal
from .stream_records import Stream, WaitSlot, WaitSlots

# -- tile instructions ----------------------------------------------------------------------


def _tensor_op() -> tuple[Record[Any] | int, ...]:
    return (
        *tile_head(),
        Loops("loops", 8, 14, "trip counts"),
        LoopTail("loop_tail", 14, 3, "level whose last iteration is different"),
        Stream("narrow_in", 19, 8, "narrow operand, bytes"),
        Stream("narrow_out", 19, 8, "result, bytes of narrow memory"),
        Stream("wide", 15, 8, "wide operand, 64-byte units (four a line)"),
        Stream("partial", 15, 8, "partial sums, 64-byte units"),
        Signal("signal_output", 3, 1, "adds to AVDATA; counted over `narrow_out`"),
        Signal("signal_operands", 3, 1, "adds to PARAMETERS; counted over `wide`"),
        Signal("signal_partial", 3, 1, "adds to PARTIAL_SUMS; never used"),
        WaitSlots(WaitSlot("waits", 3), 6),
        1843,
        Number("mode", 5, "data path: 1 weights, 2 on, 4 accumulate, 8 reduce, 16 wide_16"),
        1850,
        Number("raw", 1, "bytes pass through unchanged"),
        Number("byte_slices", 2, "3: one byte plane of the wide operand at a time"),
        Number("weight_zero_vector", 1, "weight zero points come from a vector in wide memory"),
        Number("weight_zero", 16, "zero point of the wide operand"),
        Number("input_zero", 16, "zero point of the narrow operand"),
        Number("zero_vector_last", 12, "last line of the zero-point vector"),
        Number("zero_vector_step", 12, "lines a channel group"),
        Number("zero_vector_start", 12, "first line of the zero-point vector"),
        1923,
        Number("group_level", 3, "loop that walks output-channel groups"),
        Number("reduced", 8, "mask of the loops that are summed over"),
        Number("last_lanes", 6, "lanes of the last block, minus one"),
        Number("lanes", 6, "lanes of a block, minus one"),
        Number("activation", 3, "1 lookup table, 2 range reduction, 4 16-bit result"),
        Float("multiplier", "requantisation factor"),
        Float("clamp_max", "upper limit before rounding"),
        Float("clamp_min", "lower limit before rounding"),
        Number("initial", 32, "start value of the accumulator", Kind.SIGNED),
        Number("output_zero", 16, "zero point of the result"),
        Number("bias", 1, "add the bias of the scaling unit"),
        Number("scales", 1, "multiply by the scaling unit's factor of the channel"),
        Number("odd_table", 2, "3 with the table of an odd function"),
    )


def _ring_produce() -> tuple[Record[Any] | int, ...]:
    return (
        *tile_head(),
        Stream("wide", 17, 4, "source, 256-byte lines of wide memory"),
        335,
        Signal("signal_read", 2, 1, "adds to RING_WRITE"),
        Signal("signal_sent", 2, 1, "adds to RING_PRODUCER_A or _B of all tiles"),
        WaitSlots(WaitSlot("waits", 2, space=True), 3),
        Number("channel_b", 1, "send on channel B, not A"),
        Number("destinations", 16, "mask of the tiles that receive it"),
        Number("to_host", 1, "send to the outfeed too"),
    )


def _ring_consume() -> tuple[Record[Any] | int, ...]:
    return (
        *tile_head(),
        Stream("wide", 17, 4, "destination, 256-byte lines of wide memory"),
        Number("header", 1, "keep leading header lines apart"),
        Number("header_level", 2, "a block of level header_level + 1 starts with a header"),
        Number("header_first", 16, "first line of the header ring"),
        Number("header_split", 16, "stream line at which part 0 of the header ends"),
        Number("header_last", 16, "last line of the header ring"),
        Number("header_lines", 16, "header lines of a block"),
        335,
        Signal("signal", 2, 1, "adds to RING_READ_A or _B; headers are not counted"),
        WaitSlot("wait", 2, space=True),
    )


def _narrow_to_wide() -> tuple[Record[Any] | int, ...]:
    return (
        *tile_head(),
        Stream("narrow", 17, 6, "source, 4-byte words of narrow memory"),
        Stream("wide", 17, 4, "destination, 256-byte lines of wide memory"),
        free("address_from_register", 1, "take the source address from a scalar register"),
        Signal("signal", 3, 0, "adds to NARROW_TO_WIDE; counted over `wide`"),
        WaitSlots(WaitSlot("waits", 3, space=True), 6),
        Number("transpose", 2, "1: 4x4 bytes, 3: 2x2 16-bit elements"),
        Number("fill_level", 3, "inner loops that fill one line"),
    )


def _wide_to_narrow() -> tuple[Record[Any] | int, ...]:
    return (
        *tile_head(),
        Stream("wide", 17, 4, "source, 256-byte lines of wide memory"),
        Stream("narrow", 17, 6, "destination, 4-byte words of narrow memory"),
        Number("skip", 4, "bit 0: drop leading words, at each block of level bits 1..3 + 1"),
        Number("skip_first", 16, "first word dropped"),
        Number("skip_last", 16, "dropped words, minus one"),
        Number("skip_end", 16, "last word dropped"),
        611,
        Signal("signal", 3, 0, "adds to WIDE_TO_NARROW or WIDE_TO_SCALING"),
        WaitSlots(WaitSlot("waits", 3, space=True), 6),
        Number("to_scaling", 1, "the destination is the scaling unit"),
        870,
        Number("fill_level", 3, "inner loops that come from one line"),
    )


def _mesh_move() -> tuple[Record[Any] | int, ...]:
    return (
        *tile_head(),
        Stream("source", 17, 4, "words sent, 4-byte words of narrow memory"),
        Stream("destination", 17, 4, "words received, 4-byte words of narrow memory"),
        473,
        Signal("signal_sent", 2, 1, "adds to the direction's OUT counter"),
        Signal("signal_received", 2, 1, "adds to the direction's IN counter"),
        WaitSlots(WaitSlot("waits", 2, space=True), 6),
        Optional("fill", 32, "constant written to `destination` in place of received words"),
    )


def _load_lookup() -> tuple[Record[Any] | int, ...]:
    coefficients = [f"segment{s}.c{d}" for s in range(8) for d in range(5)]
    return (
        *tile_head(),
        Floats("coefficients", coefficients, "coefficient of x to the power of its number"),
        Floats("breakpoints", [str(i) for i in range(7)], "first x of the next segment"),
        Number("last", 2, "unknown, 3 in every program"),
    )


def _tile_fence() -> tuple[Record[Any] | int, ...]:
    return (
        tiles(),
        sequence(),
        Number("flags", 19, "mask of the counters that are set"),
        Number("value", 16, "value they are set to", Kind.COUNTER),
        Number("units", 10, "mask of the units that must be idle"),
        Number("producers", 2, "wait for RING_PRODUCER_A (1), _B (2)"),
        Number("producer_threshold", 16, "value those counters must reach", Kind.COUNTER),
        Number("notify", 4, "bit 0: notify the scalar core"),
    )


# -- scalar core ------------------------------------------------------------------------------


def _scalar_wait(name: str) -> WaitSlot:
    return WaitSlot(name, 2, flag_width=4, flags=level.ScalarFlag)


def _scalar_op() -> tuple[Record[Any] | int, ...]:
    return (
        Number("load_kind", 2, "1 load from load_address; 2, 3 from the register it names"),
        Number("load_target", 5, "register loaded"),
        Number("load_address", 12, "word of the scalar memory, or register and post-increment"),
        Number("command", 5, "10 descriptor field, 12 fire; 2, 4, 6 store, 8 send to host"),
        Number("command_slot", 8, "which field; low bits of a store's address"),
        Number("command_flags", 5, "high bits of a store's address"),
        Number("command_source", 5, "register sent"),
        Number("operation", 6, "integer or float operation; bit 5: immediate operand"),
        Number("target", 5, "register (comparisons: predicate) written"),
        Number("operand", 5, "first operand register"),
        Number("immediate", 32, "second operand: a number, or a register in its low 5 bits"),
        Number("float_operation", 3, "2 reciprocal, 3 power of two"),
        Number("float_operand", 5, "operand register of it"),
        Number("float_target", 5, "register it writes"),
    )


def _jump() -> tuple[Record[Any] | int, ...]:
    return (
        Number("gate", 1, "jump only if the predicate matches"),
        Number("predicate", 3, "predicate register"),
        Number("sense", 1, "value the predicate must have"),
        Number("offset", 15, "words, from the jump's own word", Kind.SIGNED),
        Number("kind", 2, "2 in every program"),
    )


def _loop() -> tuple[Record[Any] | int, ...]:
    return (
        Number("count", 16, "how often the body runs"),
        Number("body", 16, "words of the body, which follows the instruction"),
    )


def _scalar_fence() -> tuple[Record[Any] | int, ...]:
    return (
        Number("tiles", 16, "all tiles, or none"),
        32,
        Number("flags", 9, "mask of the scalar counters that are set"),
        Number("value", 16, "value they are set to", Kind.COUNTER),
        Number("notify_count", 16, "notifications needed of every tile"),
        Number("notify_tiles", 16, "mask of the tiles that must notify"),
        173,
        Number("producer_a", 16, "value PRODUCER_A must reach", Kind.COUNTER),
        Number("producer_b", 16, "value PRODUCER_B must reach", Kind.COUNTER),
        242,
        Number("producers", 4, "wait for PRODUCER_A (1), PRODUCER_B (2)"),
        Number("units", 5, "units that must be idle: 1, 2 infeeds, 4 pop, 8 outfeed"),
    )


def _infeed() -> tuple[Record[Any] | int, ...]:
    return (
        Number("activations", 1, "1 activations (8-byte items), 0 parameters (64-byte lines)"),
        Stream("buffer", 16, 3, "place in the feed buffer"),
        Signal("signal", 2, 0, "adds to AVDATA_POP or PARAMETER_POP"),
        _scalar_wait("wait"),
    )


def _pop() -> tuple[Record[Any] | int, ...]:
    return (
        Number("source", 2, "0 parameters, 1 activations, 2 lines that came over the ring"),
        Stream("buffer", 21, 3, "place in the feed buffer"),
        308,
        Signal("signal_ring", 2, 0, "source 2: adds to the ring producer counters"),
        Signal("signal_space", 2, 0, "adds to the buffer's INFEED counter"),
        WaitSlots(_scalar_wait("waits"), 2),
        Number("on", 1, "1 in every program"),
        409,
        Number("destinations", 16, "mask of the tiles that receive it"),
        434,
        Number("lanes", 6, "4-byte lanes of a line, minus one"),
    )


def _outfeed() -> tuple[Record[Any] | int, ...]:
    return (
        Stream("buffer", 16, 3, "items taken: 8 bytes to the host, 4 to the scalar memory"),
        Signal("signal", 2, 0, "adds to RING_OUTFEED"),
        _scalar_wait("wait"),
        222,
        Number("limit", 7, "0x7f to the host, 0x3f to the scalar core's memory"),
    )


def _frame() -> tuple[Record[Any] | int, ...]:
    return (19, free("bits", 32, "start: length of the body in bits; end: 128"))


@cache
def layouts() -> dict[int, Layout]:
    """All opcodes by key, tile instructions first."""
    rows = [*_tile_layouts(), *_scalar_layouts()]
    return {row.key: row for row in rows}


def _tile_layouts() -> Iterator[Layout]:
    for kind in level.TensorKind:
        name = f"tensor_{kind.name.lower()}"
        chosen = ("kind", kind)
        yield layout(
            kind, 17, name, _tensor_op(), level.TensorOp, unit="tensor unit", selector=chosen
        )
    yield layout(0x10, 4, "ring_produce", _ring_produce(), level.RingProduce, unit="ring producer")
    for ring in level.Ring:
        name, unit = f"ring_consume_{ring.name.lower()}", f"ring consumer {ring.name}"
        yield layout(
            ring, 4, name, _ring_consume(), level.RingConsume, unit=unit, selector=("ring", ring)
        )
    yield layout(
        0x13, 7, "narrow_to_wide", _narrow_to_wide(), level.NarrowToWide, unit="narrow to wide"
    )
    yield layout(
        0x14, 7, "wide_to_narrow", _wide_to_narrow(), level.WideToNarrow, unit="wide to narrow"
    )
    for way in level.Direction:
        name, unit = f"mesh_{way.name.lower()}", f"mesh {way.name.lower()}"
        yield layout(
            way, 6, name, _mesh_move(), level.MeshMove, unit=unit, selector=("direction", way)
        )
    yield layout(0x19, 13, "load_lookup", _load_lookup(), level.LoadLookup, unit="tensor unit")
    yield layout(0x1A, 1, "tile_fence", _tile_fence(), level.TileFence, unit="tile issue")


def _scalar_layouts() -> Iterator[Layout]:
    halt = (Number("argument", 32, "0x10 at the end of a program"),)
    yield layout(SCALAR | 0, 1, "scalar_op", _scalar_op(), level.ScalarOp)
    yield layout(SCALAR | 1, 1, "halt", halt, level.Halt)
    yield layout(SCALAR | 2, 1, "jump", _jump(), level.Jump)
    yield layout(SCALAR | 3, 1, "loop", _loop(), level.Loop)
    yield layout(SCALAR | 4, 2, "scalar_fence", _scalar_fence(), level.ScalarFence)
    yield layout(
        SCALAR | 5, 2, "infeed", _infeed(), level.Infeed, unit="activation, parameter infeed"
    )
    yield layout(SCALAR | 6, 4, "pop", _pop(), level.Pop, unit="pop")
    yield layout(SCALAR | 7, 2, "outfeed", _outfeed(), level.Outfeed, unit="outfeed")
    yield layout(START_KEY, 1, "start", _frame())
    yield layout(END_KEY, 1, "end", _frame())
