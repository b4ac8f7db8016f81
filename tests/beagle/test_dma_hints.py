"""Descriptors, field offsets, hints and narrow-memory use, recomputed from instructions."""

from __future__ import annotations

from pathlib import Path

import pytest

from compiler.beagle.disassembler import disassemble
from compiler.beagle.dma_hints import dma_hints
from compiler.beagle.executable import (
    BaseAddress,
    DescriptorHint,
    DmaDirection,
    Executable,
    ExecutableType,
    FenceHint,
    FieldOffset,
    Half,
    InstructionHint,
    InterruptHint,
)
from compiler.beagle.host_descriptors import Tag, descriptors
from compiler.beagle.link_fields import link_fields
from compiler.beagle.narrow_usage import last_address, used_narrow_bytes
from compiler.beagle.reader import read_executable
from compiler.errors import InternalError
from compiler.lowering.builder import TAG_INPUT, TAG_OUTPUT, TAG_PARAMETERS, ProgramBuilder
from compiler.lowering.program import (
    Jump,
    MeshMove,
    NarrowToWide,
    Nest,
    Program,
    ScalarOp,
    TensorOp,
    WideToNarrow,
)
from compiler.release import RELEASE_15, RELEASE_16, Release
from tests.corpus_paths import programs
from tests.vendor_models import activation_names, corpus_parameters, vendor_operators

from .test_executable import UNUSED_TOP


def recomputed(executable: Executable, *, scratch: bool) -> tuple[tuple, object]:
    program = disassemble([chunk.bitstream for chunk in executable.chunks])
    fired = descriptors(program)
    fields = link_fields(program, fired, scratch=scratch, names=activation_names(executable))
    return fields, dma_hints(fired, fields)


@pytest.mark.parametrize("vendor", corpus_parameters(vendor_operators()))
def test_vendor_hints_and_field_offsets(vendor: object) -> None:
    """Every generation, also the program whose loop ends its hints."""
    for executable in vendor.package.executables:
        caching = executable.type is ExecutableType.PARAMETER_CACHING
        oldest = vendor.package.min_runtime_version == 10  # links scratch everywhere
        fields, hints = recomputed(executable, scratch=oldest or not caching)
        assert fields == tuple(chunk.field_offsets for chunk in executable.chunks)
        assert hints == executable.hints


@pytest.mark.parametrize("vendor", corpus_parameters(vendor_operators()))
def test_vendor_narrow_memory(vendor: object) -> None:
    execution = vendor.package.executables[0]
    program = disassemble([chunk.bitstream for chunk in execution.chunks])
    unused = 16 if vendor.pair.name in UNUSED_TOP else 0
    assert used_narrow_bytes(program) == execution.used_narrow_bytes - unused


@pytest.mark.parametrize("path", corpus_parameters(programs()))
def test_single_programs(path: Path) -> None:
    executable = read_executable(path.read_bytes())
    fields, hints = recomputed(executable, scratch=True)
    assert fields == tuple(chunk.field_offsets for chunk in executable.chunks)
    assert hints == executable.hints


def small_program(release: Release) -> Program:
    """Reads two adjoining input pieces, streams parameters, writes an output."""
    builder = ProgramBuilder(release)
    builder.begin()
    for tag, pieces in ((TAG_INPUT, 2), (TAG_OUTPUT, 1)):
        builder.load_base()
        builder.address_from_base()
        for piece in range(pieces):
            builder.address_to_descriptor()
            if piece:
                builder.add(ScalarOp(operation=0x21, target=6, operand=6, immediate=64))
            builder.fire(64, tag)
    builder.end()
    return builder.program()


@pytest.mark.parametrize("release", [RELEASE_16, RELEASE_15])
def test_small_program(release: Release) -> None:
    program = small_program(release)
    fired = descriptors(program)
    assert [d.tag for d in fired] == [Tag.INPUT, Tag.INPUT, Tag.OUTPUT, Tag.INTERRUPT]
    (fields,) = link_fields(program, fired, default_names=("in", "out"))
    assert fields[0] == FieldOffset(BaseAddress.PARAMETERS, Half.LOWER, 128 * 4 + 70)
    assert [(f.base, f.half, f.name) for f in fields[4:]] == [
        (BaseAddress.INPUT, Half.UPPER, "in"),
        (BaseAddress.INPUT, Half.LOWER, "in"),
        (BaseAddress.OUTPUT, Half.UPPER, "out"),
        (BaseAddress.OUTPUT, Half.LOWER, "out"),
    ]
    assert dma_hints(fired, [fields]).hints == (
        InstructionHint(0),
        DescriptorHint(DmaDirection.INFEED, BaseAddress.INPUT, "in", 0, 128),
        DescriptorHint(DmaDirection.OUTFEED, BaseAddress.OUTPUT, "out", 0, 64),
        InterruptHint(0),
    )


def test_names_must_match_the_loads() -> None:
    program = small_program(RELEASE_16)
    fired = descriptors(program)
    with pytest.raises(InternalError, match="for no tensor"):
        link_fields(program, fired, names=("in",))
    with pytest.raises(InternalError, match="without a base"):
        link_fields(program, fired, names=("in", "out", "more"))


def test_scratch_is_fenced_before_it_is_read_back() -> None:
    builder = ProgramBuilder(RELEASE_16)
    builder.begin()
    for target, source in ((6, 3), (7, 2)):  # the scratch base, low and high
        builder.add(ScalarOp(operation=0xF, target=target, immediate=source))
    builder.fire(32, TAG_OUTPUT)
    builder.fire(32, TAG_INPUT)
    program = builder.program()
    fired = descriptors(program)
    fields = link_fields(program, fired)
    assert len(fields[0]) == 4
    scratch = BaseAddress.SCRATCH
    assert dma_hints(fired, fields).hints[1:] == (
        DescriptorHint(DmaDirection.OUTFEED, scratch, "", 0, 32),
        FenceHint(),
        DescriptorHint(DmaDirection.INFEED, scratch, "", 0, 32),
    )


def test_hints_end_before_a_loop() -> None:
    builder = ProgramBuilder(RELEASE_16)
    builder.begin()
    for target, source in ((6, 1), (7, 0)):
        builder.add(ScalarOp(operation=0xF, target=target, immediate=source))
    builder.fire(64, TAG_PARAMETERS)
    builder.fire(64, TAG_PARAMETERS)
    builder.add(Jump(offset=-3))
    program = builder.program()
    fired = descriptors(program)
    hints = dma_hints(fired, link_fields(program, fired))
    assert not hints.fully_deterministic
    assert len(hints.hints) == 2 and hints.hints[1].size == 64


def test_narrow_use_counts_every_kind_of_nest() -> None:
    nest = Nest(10, ((4, 3), (2, -5)))
    assert last_address(nest) == 19
    assert used_narrow_bytes(Program((TensorOp(narrow_out=nest),))) == 20
    assert used_narrow_bytes(Program((NarrowToWide(narrow=nest),))) == 80
    assert used_narrow_bytes(Program((MeshMove(destination=nest),))) == 80
    assert used_narrow_bytes(Program((WideToNarrow(narrow=nest, to_scaling=1),))) == 0
