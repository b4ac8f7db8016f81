"""Chunks -> Program level and the text listing, on our own programs and the vendor's."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.beagle.assembler import assemble
from compiler.beagle.codec import Encoder
from compiler.beagle.disassembler import disassemble, instructions
from compiler.beagle.listing import listing, parse
from compiler.beagle.reader import compiled_ops, read_custom_options, read_executable, read_package
from compiler.errors import CompilerError, InvalidModelError
from compiler.lowering.builder import ProgramBuilder
from compiler.lowering.lookup_tables import load_lookup
from compiler.lowering.program import (
    Direction,
    Flag,
    Infeed,
    Jump,
    Loop,
    MeshMove,
    NarrowToWide,
    Nest,
    Outfeed,
    Pop,
    Program,
    Ring,
    RingConsume,
    RingProduce,
    ScalarFlag,
    Tail,
    TensorKind,
    TensorOp,
    Wait,
    WideToNarrow,
)
from compiler.release import RELEASE_16
from tests.beagle.instruction_strategies import instructions as random_instructions
from tests.beagle.instruction_strategies import opcodes
from tests.corpus_paths import pairs, programs, require_corpus

COMMON = settings(derandomize=True, deadline=None, max_examples=20)


def example():
    """One of everything."""
    builder = ProgramBuilder(RELEASE_16)
    builder.begin()
    builder.load_base()
    feed = Nest(0, ((16384, 1),), 1, 1, 16384, Tail(6144, 1, 10240))
    builder.add(Infeed(activations=1, buffer=feed, signal=0,
                       wait=Wait(ScalarFlag.AVDATA_INFEED, 0, -2047)))  # fmt: skip
    builder.add(
        WideToNarrow(
            tiles=0x2222,
            wide=Nest(2032, ((24, 1), (2, 0)), 1, 1, 24),
            narrow=Nest(1664, ((1536, 1),), 1, tail=Tail(1152, 1, 384)),
            skip=3,
            skip_first=1664,
            skip_last=383,
            skip_end=2047,
            signal=0,
            waits=(Wait(Flag.RING_READ_A, 1, 1), Wait(Flag.AVDATA, 1, -1, 1, True)),
            fill_level=2,
        )
    )
    builder.add(RingConsume(ring=Ring.B, wide=Nest(5, ((9, 1),), 1), header=1, header_lines=3,
                            wait=Wait(Flag.PARAMETERS, 0, 0, 1, True)))  # fmt: skip
    builder.add(Pop(source=1, buffer=feed, waits=(Wait(ScalarFlag.AVDATA_POP, 0, 1),), on=1,
                    signal_space=0, destinations=0xF, lanes=63))  # fmt: skip
    builder.add(MeshMove(direction=Direction.EAST, destination=Nest(7, ((1, 1),)), fill=0x7F7F7F7F))
    builder.add(NarrowToWide(narrow=Nest(7, ((4, 1),), 1), waits=(None, Wait(Flag.EAST_IN, 1, 1))))
    builder.add(load_lookup("exponential", 0x1))
    builder.add(
        TensorOp(
            kind=TensorKind.MAXIMUM,
            loops=(8, 3, 3, 28),
            loop_tail=(4, 1),
            narrow_in=Nest(64, ((8, 4), (3, 32), (3, -960)), 7),
            signal_operands=3,
            mode=7,
            multiplier=2.0**-9,
            clamp_max=float("inf"),
            clamp_min=-float("inf"),
            initial=-3,
        )
    )
    builder.add(RingProduce(wide=Nest(2032), signal_sent=2, destinations=0xFFFF, to_host=1))
    builder.add(Outfeed(buffer=Nest(0, ((64, 1),), 1), signal=1, limit=0x7F))
    builder.add(Loop(count=1001, body=2))
    builder.add(Jump(gate=1, sense=1, offset=-72))
    builder.add(MeshMove((("head.reserved39", 2), ("signal_sent.unknown", 1)), signal_sent=1))
    builder.end()
    return Program(builder.program().instructions, chunk_starts=(12, 20))


def test_example_round_trips():
    chunks = assemble(example())
    assert disassemble(chunks) == example()
    assert assemble(disassemble(chunks)) == chunks


def test_listing_is_golden(golden):
    golden("listing/every_instruction.txt", listing(example()))


def test_listing_reads_back():
    text = listing(example())
    assert parse(text) == example()
    assert assemble(parse(text)) == assemble(example())


def test_caching_listing_reads_back():
    program = Program((MeshMove(), MeshMove()), caching=True)
    text = listing(program)
    assert "32769 MeshMove" in text
    assert parse(text) == program


@pytest.mark.parametrize("layout", [pytest.param(row, id=row.name) for row in opcodes()])
@COMMON
@given(data=st.data())
def test_any_instruction_reads_back(layout, data):
    program = Program((data.draw(random_instructions(layout)),))
    assert parse(listing(program)) == program


@pytest.mark.parametrize(
    "line",
    [
        "no instruction",
        "    1:     0 Nothing",
        "    1:     0 MeshMove direction=UP",
        "    1:     0 MeshMove speed=3",
        "    1:     0 MeshMove fill=1 fill=1",
        "    1:     0 MeshMove source=[0",
        "    1:     0 MeshMove source=[0: 3x on=1]",
        "    1:     0 MeshMove waits=(AVDATA@1>1+1i)",
        "    1:     0 MeshMove waits=(NOTHING@1>=1+1i)",
        "    1:     0 MeshMove fill=word",
        "    1:     0 MeshMove extra=((a))",
        "    1:     0 MeshMove tiles",
    ],
)
def test_bad_listings_name_the_line(line):
    with pytest.raises(InvalidModelError, match=r"^line 2 of the listing"):
        parse(f"; chunk 0\n{line}\n")


def test_bad_frames():
    (chunk,) = assemble(Program((MeshMove(),)))
    for broken, what in (
        (b"", "odd length"),
        (chunk[:-1], "odd length"),
        (chunk[:16], "odd length"),
        (bytes(16) + chunk[16:], "start word"),
        (chunk[:-16] + bytes(16), "end word"),
        (chunk[:32] + chunk[-16:], "start word"),
    ):
        with pytest.raises(InvalidModelError, match=what):
            disassemble([broken])


def test_bad_opcodes():
    (chunk,) = assemble(Program((MeshMove(),)))
    with pytest.raises(InvalidModelError, match="unknown instruction at word 0"):
        disassemble([chunk[:16] + b"\xff" * 16 + chunk[32:]])
    mesh = Encoder().to_bytes(MeshMove())
    cut = assemble(Program((MeshMove(), MeshMove())))[0]
    short = (int.from_bytes(cut[:16], "little") - (128 << 19)).to_bytes(16, "little")
    with pytest.raises(InvalidModelError, match="'mesh_north' at word 6 is cut off"):
        disassemble([short + mesh + cut[16 + len(mesh) : -32] + cut[-16:]])


@COMMON
@given(st.binary(max_size=200))
def test_garbage_never_escapes(data):
    for candidate in (data, assemble(Program(()))[0][:16] + data):
        with contextlib.suppress(CompilerError):
            disassemble([candidate])


@COMMON
@given(st.integers(0, 1 << 16), st.binary(min_size=1, max_size=8))
def test_damaged_programs_never_escape(position, damage):
    chunk = assemble(example())[1]
    at = position % len(chunk)
    with contextlib.suppress(CompilerError):
        program = disassemble([(chunk[:at] + damage + chunk[at + len(damage) :])[: len(chunk)]])
        assemble(program)
        parse(listing(program))


def test_words_are_counted_from_the_start_word():
    (chunk,) = assemble(Program((MeshMove(), MeshMove(), Jump())))
    assert [(word, number) for word, number, _ in instructions(chunk)] == [(1, 0), (7, 1), (13, 0)]


def _check(chunks):
    program = disassemble(chunks)
    assert assemble(program) == tuple(chunks)
    return program


def _chunks(executable):
    return [bytes(chunk.bitstream) for chunk in executable.chunks if chunk.bitstream]


@pytest.mark.parametrize("pair", pairs() or [None], ids=str)
def test_vendor_models_round_trip(pair):
    require_corpus()
    for op in compiled_ops(pair.compiled.read_bytes()):
        for executable in read_package(read_custom_options(op.custom_options).package).executables:
            _check(_chunks(executable))


def test_vendor_programs_round_trip():
    require_corpus()
    kinds = {type(op) for path in programs() for op in _check(_chunks(_read(path))).instructions}
    assert len(programs()) > 100
    assert {TensorOp, MeshMove, RingConsume, RingProduce, Pop} <= kinds


def test_vendor_listing_reads_back():
    require_corpus()
    program = _check(_chunks(_read(programs()[0])))
    assert parse(listing(program)) == program
    assert all(not op.extra for op in program.instructions)


def _read(path):
    return read_executable(path.read_bytes())
