"""Program level -> chunks: numbering, frames, cuts, and errors."""

import time

import pytest

from compiler.beagle.assembler import assemble, positions
from compiler.beagle.bitstream import MAX_BODY_WORDS
from compiler.beagle.codec import Encoder, layout_of
from compiler.beagle.disassembler import disassemble, instructions
from compiler.errors import InternalError, ResourceError
from compiler.lowering.builder import ProgramBuilder
from compiler.lowering.program import (
    Flag,
    Halt,
    MeshMove,
    Nest,
    Program,
    RingConsume,
    ScalarOp,
    TensorOp,
    TileFence,
    Wait,
    WideToNarrow,
)
from compiler.release import RELEASE_15, RELEASE_16

START, END = 0x1E << 6 | 0x800, 0x1F << 6 | 0x800 | 128 << 19


def word(chunk, index):
    return int.from_bytes(chunk[16 * index : 16 * index + 16], "little")


def sequences(chunks):
    return [s for chunk in chunks for _, s, i in instructions(chunk) if hasattr(i, "direction")]


def test_frame():
    (chunk,) = assemble(Program((TileFence(), ScalarOp(), Halt())))
    assert len(chunk) == 5 * 16
    assert word(chunk, 0) == START | 3 * 128 << 19
    assert word(chunk, 2) == 0x800
    assert word(chunk, 3) == 0x10840
    assert word(chunk, 4) == END == 0x4000FC0


def test_empty_program():
    (chunk,) = assemble(Program(()))
    assert len(chunk) == 32
    assert disassemble([chunk]) == Program(())


def test_tile_instructions_are_numbered_through_all_chunks():
    moves = tuple(op for _ in range(5) for op in (MeshMove(), ScalarOp()))
    chunks = assemble(Program(moves, chunk_starts=(3, 7)))
    assert len(chunks) == 3
    assert sequences(chunks) == [0, 1, 2, 3, 4]
    assert disassemble(chunks).chunk_starts == (3, 7)


def test_caching_programs_have_numbers_of_their_own():
    program = Program((TileFence(), MeshMove(), MeshMove()), caching=True)
    chunks = assemble(program)
    assert sequences(chunks) == [0x8001, 0x8002]
    assert disassemble(chunks) == program


def test_numbers_wrap():
    program = Program((MeshMove(),) * 65538, chunk_starts=tuple(range(2000, 65538, 2000)))
    assert sequences(assemble(program))[-3:] == [65535, 0, 1]


def test_given_number():
    moved = MeshMove((("sequence", 40),))
    chunks = assemble(Program((MeshMove(), moved, MeshMove())))
    assert sequences(chunks) == [0, 40, 41]
    assert disassemble(chunks).instructions == (MeshMove(), moved, MeshMove())


def test_positions_count_the_start_word():
    program = Program((TileFence(), TensorOp(), ScalarOp(), MeshMove()), chunk_starts=(2,))
    assert positions(program) == ((0, 1), (0, 2), (1, 1), (1, 2))
    chunks = assemble(program)
    found = [(c, w) for c, chunk in enumerate(chunks) for w, _, _ in instructions(chunk)]
    assert tuple(found) == positions(program)


def test_longest_chunk():
    assert len(assemble(Program((ScalarOp(),) * MAX_BODY_WORDS))[0]) == 16 * (MAX_BODY_WORDS + 2)
    with pytest.raises(ResourceError, match="16385 words, allowed 16384"):
        assemble(Program((ScalarOp(),) * (MAX_BODY_WORDS + 1)))
    with pytest.raises(ResourceError, match="instructions 5 to"):
        assemble(Program((ScalarOp(),) * (MAX_BODY_WORDS + 6), chunk_starts=(5,)))


@pytest.mark.parametrize("starts", [(3, 1), (5,), (-1,)])
def test_cuts_must_be_in_order(starts):
    with pytest.raises(InternalError, match="chunk starts"):
        assemble(Program((ScalarOp(),) * 4, chunk_starts=starts))


def test_errors_name_the_instruction():
    broken = WideToNarrow(narrow=Nest(1 << 16))
    with pytest.raises(InternalError, match=r"^instruction 2 \(WideToNarrow\): .*'narrow\.base'"):
        assemble(Program((TileFence(), ScalarOp(), broken)))


@pytest.mark.parametrize("release", [RELEASE_15, RELEASE_16], ids=lambda r: r.name)
def test_the_builders_frame_round_trips(release):
    builder = ProgramBuilder(release)
    builder.begin()
    builder.load_base()
    builder.address_from_base()
    builder.producer_a = 3
    builder.end()
    program = builder.program()
    assert disassemble(assemble(program)) == program


def test_first_words_of_every_program():
    """The frame's opening fence, bit by bit."""
    builder = ProgramBuilder(RELEASE_16)
    builder.begin()
    (chunk,) = assemble(builder.program())
    assert word(chunk, 1) == 0x80001FF80007FFFF0000FFFF680


def _mixed_program():
    """5000 instructions like those of a large network: 1500 tensor ops, streams repeated
    by the tile classes of a layer but never the same object."""
    result = []
    for layer in range(125):
        for tiles in (0x0001, 0x000E, 0x1110, 0xEEE0):
            for part in range(3):
                base = 1000 * (layer % 40) + 4 * part
                result.append(
                    TensorOp(
                        tiles=tiles,
                        loops=(8, 3, 3, 28, 28, 1 + layer % 8),
                        narrow_in=Nest(
                            base, ((8, 4), (3, 32), (3, 960), (28, 32), (28, 960)), 0x1F
                        ),
                        narrow_out=Nest(base, ((4, 4), (28, 16), (28, 448)), 7),
                        wide=Nest(layer, ((72, 4), (1, 0), (4, 288)), 1, 1, 288),
                        partial=Nest(0, ((72, 0), (28, 0)), 0, 2, 4),
                        signal_output=4,
                        signal_operands=3,
                        waits=(Wait(Flag.RING_READ_A, 3, 1 + layer, 2),),
                        mode=7,
                        weight_zero=120 + layer % 7,
                        reduced=7,
                        lanes=63,
                        last_lanes=63,
                        multiplier=(layer + 1) / 1024,
                        clamp_max=255.0,
                    )
                )
            for part in range(4):
                source = Nest(64 * part, ((16, 1), (7, 256), (14, 3584)), 7)
                result.append(MeshMove(tiles=tiles, source=source, signal_sent=2))
            consume = Nest(2000, ((9, 1), (8, 0)), 1, 1, 9)
            result.append(RingConsume(tiles=tiles, wide=consume, signal=1))
            result += [TileFence(tiles=tiles, flags=7, units=1), ScalarOp(target=layer % 32)]
    return Program(tuple(result), chunk_starts=tuple(range(500, 5000, 500)))


def test_speed():
    """Assembling is on the path of every compilation: well under 60 ms for 5000
    instructions (about 25 ms on an idle machine; the limit leaves room for a busy one)."""
    program = _mixed_program()
    assert len(program.instructions) == 5000
    assert sum(isinstance(op, TensorOp) for op in program.instructions) == 1500
    best = 1.0
    for _ in range(5):
        start = time.perf_counter()
        assemble(program)
        best = min(best, time.perf_counter() - start)
    assert best < 0.15


def test_encoder_shares_nothing_between_values():
    encoder = Encoder()
    one, other = TensorOp(wide=Nest(1)), TensorOp(wide=Nest(2))
    assert encoder.to_bytes(one) != encoder.to_bytes(other)
    assert encoder.to_bytes(one) == Encoder().to_bytes(one)
    assert len(encoder.to_bytes(one)) == 16 * layout_of(one).words
