"""Programs of several instruction chunks."""

from __future__ import annotations

import itertools

import pytest

from compiler.beagle.assembler import assemble
from compiler.beagle.bitstream import MAX_BODY_WORDS, WORD_BYTES
from compiler.beagle.chunks import cut_into_chunks
from compiler.beagle.disassembler import disassemble
from compiler.beagle.reader import read_custom_options, read_package
from compiler.errors import ResourceError
from compiler.frontend.tflite_reader import COMPILED_OPERATOR, read_model
from compiler.lowering.program import (
    Halt,
    Instruction,
    Loop,
    Program,
    ScalarOp,
    TensorOp,
    TileFence,
    Unit,
)
from tests.corpus_paths import require_corpus

FENCE = TileFence(units=Unit.ALL)
OP = TensorOp()
MORE = Halt(argument=4)


def program(*instructions: Instruction) -> Program:
    return Program((*instructions, Halt(), *[ScalarOp()] * 4))


def test_a_short_program_stays_whole() -> None:
    short = program(FENCE, OP, FENCE, OP)
    assert cut_into_chunks(short) is short


def test_cuts_are_in_front_of_fences() -> None:
    cut = cut_into_chunks(program(*[FENCE, OP, OP] * 4), limit=100)
    assert len(cut.chunk_starts) > 0
    assert all(cut.instructions[start] == FENCE for start in cut.chunk_starts)
    assert [i for i in cut.instructions if i not in (MORE, ScalarOp())] == [
        *[FENCE, OP, OP] * 4,
        Halt(),
    ]


def test_every_chunk_ends_with_a_halt_and_fits() -> None:
    cut = cut_into_chunks(program(*[FENCE, OP] * 2000))
    chunks = assemble(cut)
    assert len(chunks) == 1 + len(cut.chunk_starts) == 3
    assert all(len(chunk) // WORD_BYTES <= MAX_BODY_WORDS + 2 for chunk in chunks)
    for start in cut.chunk_starts:
        assert cut.instructions[start - 4 : start] == (MORE, *[ScalarOp()] * 3)  # full


def test_no_cut_inside_a_loop() -> None:
    loop = [Loop(count=3, body=19), FENCE, OP, FENCE]
    cut = cut_into_chunks(program(FENCE, OP, *loop, FENCE, OP, OP), limit=80)
    for start in cut.chunk_starts:
        assert not isinstance(cut.instructions[start - 1], Loop)


def test_what_cannot_be_cut_is_refused() -> None:
    with pytest.raises(ResourceError, match="cannot be cut"):
        cut_into_chunks(program(FENCE, *[OP] * 20), limit=100)


@pytest.mark.parametrize(
    "name",
    [
        "posenet/posenet_mobilenet_v1_075_721_1281_16_quant_decoder",
        "deeplab_mobilenet_edgetpu_slim_cityscapes_quant",
    ],
)
def test_the_vendor_cuts_at_the_same_places(name: str) -> None:
    path = require_corpus() / "google-coral+test_data" / f"{name}_edgetpu.tflite"
    graph = read_model(str(path), compiled=True)
    (op,) = (op for op in graph.operators if op.custom_code == COMPILED_OPERATOR)
    executable = read_package(read_custom_options(op.custom_options).package).executables[0]
    vendor = disassemble(chunk.bitstream for chunk in executable.chunks)
    assert cut_into_chunks(_joined(vendor)) == vendor


def _joined(cut: Program) -> Program:
    """Without what ends the chunks but the last."""
    edges = [0, *cut.chunk_starts, len(cut.instructions)]
    joined: list[Instruction] = []
    for start, end in itertools.pairwise(edges):
        part = list(cut.instructions[start:end])
        if end != edges[-1]:
            while part.pop() != MORE:
                pass
        joined += part
    return Program(tuple(joined))
