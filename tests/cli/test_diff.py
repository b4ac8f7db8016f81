"""`edgetpu_diff`: what is found, what is shown, exit status."""

from __future__ import annotations

from dataclasses import replace

import pytest

from compiler.beagle.assembler import assemble
from compiler.beagle.contents import read_contents
from compiler.beagle.disassembler import disassemble
from compiler.beagle.executable import write_executable
from compiler.beagle.package import Package, write_package
from compiler.cli.diff_main import main
from compiler.compilation import Run, Source, compile_together
from compiler.frontend.tflite_reader import read_model_bytes
from compiler.lowering.program import TensorOp
from compiler.options import CompileOptions
from tests.model_builder import ModelBuilder


def _network(layers: int = 2, seed: int = 1) -> bytes:
    builder = ModelBuilder(seed=seed).input("x", (1, 8, 8, 4))
    for _ in range(layers):
        builder.conv2d(8, 3)
    return builder.build()


def _compiled(data: bytes, name: str = "m", **options) -> bytes:
    chosen = CompileOptions(**options)
    run = Run(chosen, (data,), chosen.fingerprint())
    source = Source(name, data, read_model_bytes(data, name), name)
    return compile_together([source], run)[0].data


@pytest.fixture
def diff(tmp_path, capsys):
    """(exit status, lines) for the contents of two files and options."""

    def call(old: bytes, new: bytes, *options: str) -> tuple[int, list[str]]:
        for name, data in (("old", old), ("new", new)):
            (tmp_path / name).write_bytes(data)
        status = main([*options, str(tmp_path / "old"), str(tmp_path / "new")])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return status, (captured.out + captured.err).splitlines()

    return call


def test_equal_files(diff):
    data = _compiled(_network())
    assert diff(data, data) == (0, ["same bytes"])
    assert diff(data, data, "-q") == (0, [])


def test_content_counts_and_not_its_place(diff):
    data = _compiled(_network())
    assert diff(data, data + bytes(16)) == (0, ["same content, in other bytes"])


def test_runtime_version_and_token(diff):
    data = _network()
    old, new = _compiled(data), _compiled(data, min_runtime=13)
    status, lines = diff(old, new)
    assert status == 1
    assert lines[0] == "package 0.min_runtime_version: 14 -> 13"
    assert lines[1].startswith("package 0.EXECUTION_ONLY.token: 0x")
    assert lines[-1] == "3 differences"
    assert diff(old, new, "--ignore_token")[1] == [lines[0], "1 difference"]


def test_weights(diff):
    """Another seed, other constants: parameters differ, programs hardly do."""
    status, lines = diff(_compiled(_network(seed=1)), _compiled(_network(seed=2)), "--summary")
    assert status == 1
    sections = [line.split(":")[0] for line in lines]
    assert "package 0.PARAMETER_CACHING.parameters" in sections
    assert "package 0.PARAMETER_CACHING.instruction" not in sections


def test_one_more_layer(diff):
    old, new = _compiled(_network(2)), _compiled(_network(3))
    text = "\n".join(diff(old, new)[1])
    assert "package 0.EXECUTION_ONLY.instruction: " in text and "--all shows them" in text
    everything = diff(old, new, "--all")[1]
    assert not any("--all shows them" in line for line in everything)
    assert everything[-1] == f"{len(everything) - 1} differences" == text.splitlines()[-1]


def test_operators_on_the_cpu(diff):
    whole = _network(3)
    builder = ModelBuilder(seed=1).input("x", (1, 8, 8, 4)).conv2d(8, 3)
    builder.op("HARD_SWISH", [builder.last], (1, 8, 8, 8), output=(0.1, 0))
    status, lines = diff(_compiled(whole), _compiled(builder.build()))
    assert status == 1
    assert "model.operators: 1 -> 2" in lines


# Every kind of value in a package


@pytest.fixture(scope="module")
def package(tmp_path_factory) -> Package:
    path = tmp_path_factory.mktemp("package") / "m.tflite"
    path.write_bytes(_compiled(_network()))
    (part,) = read_contents(path).parts
    assert part.package is not None
    return part.package


def _changed(package: Package, **fields) -> bytes:
    execution, caching = package.executables
    return write_package(replace(package, executables=(replace(execution, **fields), caching)))


def _new_layer(executable):
    (layer,) = executable.inputs
    return {"inputs": (replace(layer, zero_point=layer.zero_point + 1),)}


def _new_layout(executable):
    (layer,) = executable.outputs
    offsets = (*layer.layout.tile_offset[:-1], 1)
    return {"outputs": (replace(layer, layout=replace(layer.layout, tile_offset=offsets)),)}


def _new_hint(executable):
    first, second, *rest = executable.hints.hints
    hints = (first, replace(second, size=second.size + 64), *rest)
    return {"hints": replace(executable.hints, hints=hints)}


def _new_offset(executable):
    (chunk,) = executable.chunks
    first, *rest = chunk.field_offsets
    return {"chunks": (replace(chunk, field_offsets=(replace(first, bit=70), *rest)),)}


def _new_instruction(executable):
    program = disassemble(chunk.bitstream for chunk in executable.chunks)
    instructions = list(program.instructions)
    place = next(i for i, op in enumerate(instructions) if isinstance(op, TensorOp))
    instructions[place] = replace(instructions[place], output_zero=99)
    (bits,) = assemble(replace(program, instructions=tuple(instructions)))
    return {"chunks": (replace(executable.chunks[0], bitstream=bits),)}


def _without_instruction(executable):
    program = disassemble(chunk.bitstream for chunk in executable.chunks)
    (bits,) = assemble(replace(program, instructions=program.instructions[1:]))
    return {"chunks": (replace(executable.chunks[0], bitstream=bits),)}


CHANGES = [
    (lambda _: {"token": 5}, ".token: 0x"),
    (lambda _: {"scratch_bytes": 64}, ".scratch_bytes: 0 -> 64"),
    (lambda e: {"used_narrow_bytes": e.used_narrow_bytes + 4}, ".used_narrow_bytes: "),
    (lambda _: {"parameters": bytes(64)}, ".parameters size: 0 bytes -> 64 bytes"),
    (lambda _: {"name": "other"}, ".name: 'model' -> 'other'"),
    (_new_layer, ".inputs 0 'x'.zero_point: "),
    (_new_layout, ".layout.tile_offset 15 (1 of 16 differ): "),
    (_new_hint, ".hints.hints 1.size: "),
    (_new_offset, ".field_offsets of chunk 0 0.bit: "),
    (_new_instruction, ".TensorOp.output_zero: "),
    (_without_instruction, "-> nothing"),
]


@pytest.mark.parametrize(("change", "shown"), CHANGES, ids=[shown for _, shown in CHANGES])
def test_one_change_is_one_difference(diff, package, change, shown):
    changed = _changed(package, **change(package.executables[0]))
    status, lines = diff(write_package(package), changed)
    assert status == 1
    assert shown in lines[0] and lines[0].startswith("package 0.EXECUTION_ONLY")
    assert lines[1:] == ["1 difference"]


def test_another_kind_of_package(diff, package):
    execution, _ = package.executables
    alone = write_package(replace(package, executables=(execution,)))
    lines = diff(write_package(package), alone)[1]
    assert lines[0] == (
        "package 0.executables: EXECUTION_ONLY, PARAMETER_CACHING -> EXECUTION_ONLY"
    )


def test_single_executables(diff, package):
    execution, caching = package.executables
    old, new = write_executable(execution), write_executable(caching)
    assert diff(old, old)[0] == 0
    assert diff(old, new)[0] == 1


def test_a_long_program_is_compared_place_by_place(diff, package, monkeypatch):
    from compiler.beagle import difference

    monkeypatch.setattr(difference, "ALIGNED", 3)
    for change in (_new_instruction, _without_instruction):
        changed = _changed(package, **change(package.executables[0]))
        assert diff(write_package(package), changed)[0] == 1


def test_errors(diff, tmp_path, capsys):
    data = _compiled(_network())
    for other in (_network(), b"", b"nothing at all"):
        status, lines = diff(data, other)
        assert status == 2 and len(lines) == 1 and "new: " in lines[0]
    assert main([str(tmp_path / "old"), str(tmp_path / "none")]) == 2
    assert "does not exist" in capsys.readouterr().err
