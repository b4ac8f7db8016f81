"""`edgetpu_objdump`: output, selection, and errors without traceback."""

import pytest

from compiler.beagle.assembler import assemble
from compiler.beagle.executable import (
    BaseAddress,
    Chunk,
    DescriptorHint,
    DmaDirection,
    DmaHints,
    Executable,
    ExecutableType,
    FenceHint,
    FieldOffset,
    Half,
    InstructionHint,
    InterruptHint,
    write_executable,
)
from compiler.beagle.package import Package, write_package
from compiler.cli.objdump_main import main
from compiler.lowering.program import Halt, MeshMove, Program, ScalarOp
from tests.corpus_paths import pairs, programs, require_corpus

PROGRAM = Program((MeshMove(fill=3), ScalarOp(target=1), Halt()), chunk_starts=(1,))


def executable():
    chunks = assemble(PROGRAM)
    offset = FieldOffset(BaseAddress.PARAMETERS, Half.LOWER, 128 + 70)
    hints = (
        InstructionHint(0),
        DescriptorHint(DmaDirection.INFEED, BaseAddress.INPUT, "in", 0, 64),
        FenceHint(),
        InterruptHint(),
    )
    return Executable(
        ExecutableType.EXECUTION_ONLY,
        "small",
        (Chunk(chunks[0]), Chunk(chunks[1], (offset,))),
        DmaHints(hints),
        parameters=bytes(64),
    )


@pytest.fixture
def package(tmp_path):
    path = tmp_path / "small.package"
    path.write_bytes(write_package(Package(14, (executable(),))))
    return str(path)


def run(capsys, *arguments):
    status = main(list(arguments))
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    return status, captured.out, captured.err


def test_summary(package, capsys):
    status, out, err = run(capsys, package)
    assert (status, err) == (0, "")
    assert out.splitlines()[:3] == [
        "package, runtime 14, executable 0:",
        "EXECUTION_ONLY 'small'",
        "  parameters: 64 bytes",
    ]
    assert "  stream 0: 8 words" in out
    assert "    base address PARAMETERS batch 0 LOWER: word 0x1 bit 70" in out
    assert "MeshMove" not in out


def test_hints(package, capsys):
    _, out, _ = run(capsys, "--hints", package)
    for line in ("INFEED stream 0", "INFEED INPUT 'in': offset 0, 64 bytes", "OUTFEED interrupt 0"):
        assert line in out


def test_instructions(package, capsys):
    _, out, _ = run(capsys, "-d", package)
    assert "    1:     0 MeshMove fill=3\n" in out
    assert "; chunk 1\n    1:     - ScalarOp target=1\n    2:     - Halt\n" in out


def test_one_stream(package, capsys):
    _, out, _ = run(capsys, "--stream", "1", package)
    assert "MeshMove" not in out
    assert out.endswith("    1:     - ScalarOp target=1\n    2:     - Halt\n")


def test_single_executable_file(tmp_path, capsys):
    path = tmp_path / "one.bin"
    path.write_bytes(write_executable(executable()))
    status, out, _ = run(capsys, str(path))
    assert status == 0
    assert "EXECUTION_ONLY 'small'" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--stream", "2"], "no such stream (found 2, allowed 0..1)"),
        (["--executable", "1"], "no such executable (found 1, allowed 0..0)"),
        (["--executable", "-1"], "no such executable (found -1, allowed 0..0)"),
    ],
)
def test_wrong_numbers(package, capsys, arguments, message):
    status, _, err = run(capsys, *arguments, package)
    assert (status, err.strip()) == (1, f"invalid-option: {package}: {message}")


@pytest.mark.parametrize("data", [b"", b"TFL3", b"\0" * 64, b"\x1c\0\0\0TFL3" + b"\xff" * 60])
def test_garbage(tmp_path, capsys, data):
    path = tmp_path / "garbage.tflite"
    path.write_bytes(data)
    status, _, err = run(capsys, str(path))
    assert status == 1
    assert err.startswith("invalid-model: ")
    assert "garbage.tflite" in err


def test_missing_file(capsys, tmp_path):
    status, _, err = run(capsys, str(tmp_path / "none.tflite"))
    assert status == 1
    assert "none.tflite" in err


def test_damaged_instructions(tmp_path, capsys):
    broken = Executable(ExecutableType.STAND_ALONE, "broken", (Chunk(b"\xff" * 48),), DmaHints(()))
    path = tmp_path / "broken.bin"
    path.write_bytes(write_executable(broken))
    status, _, err = run(capsys, "-d", str(path))
    assert status == 1
    assert "no valid start word" in err


def test_vendor_files(capsys):
    require_corpus()
    smallest = min((pair.compiled for pair in pairs()), key=lambda path: path.stat().st_size)
    for path in (smallest, programs()[0]):
        status, out, _ = run(capsys, "-d", "-t", str(path))
        assert status == 0
        assert "Halt" in out
