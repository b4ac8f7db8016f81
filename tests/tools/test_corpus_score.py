"""The score command, on a corpus that this compiler made itself."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from compiler.beagle.assembler import assemble
from compiler.beagle.disassembler import disassemble
from compiler.driver import PlannedModel, compile_graph, plan_model
from compiler.frontend.tflite_reader import read_model_bytes
from compiler.lowering.lower import lower
from compiler.lowering.program import MeshMove, Program, TensorOp, WideToNarrow
from compiler.options import CompileOptions
from compiler.tools.corpus_score.__main__ import main
from compiler.tools.corpus_score.compare import compare, compare_programs, read_compiled
from compiler.tools.corpus_score.given_addresses import given_addresses, lower_with_addresses
from compiler.tools.corpus_score.renaming import same_but_for_narrow_addresses
from tests.model_builder import ModelBuilder

OPTIONS = CompileOptions()
FOLDER = "ricardodeazambuja+LibrEdgeTPU"


def _model(channels: int = 16) -> bytes:
    builder = ModelBuilder("int8").input("x", (1, 16, 16, 8)).conv2d(channels, 3)
    return builder.depthwise_conv2d(3).conv2d(8, 1).build()


def _planned(source: bytes) -> PlannedModel:
    return plan_model(read_model_bytes(source, "m.tflite"), OPTIONS)


@pytest.fixture(scope="module")
def planned() -> PlannedModel:
    return _planned(_model())


def _moved(planned: PlannedModel, shift: int) -> Program:
    """The program with every narrow buffer moved by `shift` words."""
    plan = planned.plan
    assert plan is not None
    return lower(replace(plan, narrow={k: v + shift for k, v in plan.narrow.items()}))


def test_equal_files(planned: PlannedModel) -> None:
    data = compile_graph(planned, 5, OPTIONS)
    score = compare(read_compiled(data, "a"), read_compiled(data, "b"))
    assert score.mapping and score.parameters and score.container and score.file
    assert score.execution.identical and score.execution.same_words == score.execution.words > 100
    assert read_compiled(data, "a").token == 5


def test_addresses_are_read_off_a_program_with_other_ones() -> None:
    builder = ModelBuilder("uint8").input("x", (1, 24, 24, 8)).conv2d(16, 3)
    skip = builder.last
    last = builder.conv2d(32, 3).conv2d(16, 1).last
    planned = _planned(builder.add(last, skip).conv2d(8, 1).build())
    assert planned.plan is not None
    names = sorted(planned.plan.narrow)
    elsewhere = {name: 4000 * number for number, name in enumerate(reversed(names))}
    bitstreams = assemble(lower(replace(planned.plan, narrow=elsewhere)))
    vendor = disassemble(bitstreams)
    found = given_addresses(planned.plan, vendor)
    assert found == elsewhere
    assert assemble(lower_with_addresses(planned.plan, vendor)) == bitstreams
    ours = read_compiled(compile_graph(planned, 5, OPTIONS), "a")
    assert ours.execution is not None
    chunk = replace(ours.execution.chunks[0], bitstream=bitstreams[0])
    changed = replace(ours.execution, chunks=(chunk,))
    score = compare(ours, replace(ours, execution=changed), planned.plan)
    assert not score.execution.identical
    assert score.placed is not None and score.placed.identical


def test_another_model_differs_level_by_level(planned: PlannedModel) -> None:
    ours = read_compiled(compile_graph(planned, 5, OPTIONS), "a")
    vendor = read_compiled(compile_graph(_planned(_model(24)), 5, OPTIONS), "b")
    score = compare(ours, vendor)
    assert score.mapping
    assert not (score.parameters or score.container or score.file or score.execution.identical)
    assert 0 < score.execution.same_words < score.execution.words
    difference = score.execution.difference
    assert difference is not None and difference.ours != difference.vendor
    assert difference.ours.split()[0] == difference.vendor.split()[0]


def test_a_model_on_the_cpu_has_no_words_in_common(planned: PlannedModel) -> None:
    data = compile_graph(planned, 5, OPTIONS)
    score = compare(read_compiled(_model(), "a"), read_compiled(data, "b"))
    assert not score.mapping
    assert score.execution.same_words == 0 < score.execution.words
    assert score.execution.difference is not None and score.execution.difference.ours == ""


def test_a_missing_instruction_costs_its_own_words_only(planned: PlannedModel) -> None:
    program = _moved(planned, 0)
    place = next(i for i, op in enumerate(program.instructions) if isinstance(op, TensorOp))
    shorter = replace(program, instructions=_without(program, place))
    score = compare_programs(assemble(shorter), assemble(program))
    assert score.words - score.same_words == 17
    assert score.difference is not None and score.difference.index == place
    assert not score.renamed


def _without(program: Program, place: int) -> tuple:
    return program.instructions[:place] + program.instructions[place + 1 :]


def test_moved_buffers_are_recognised(planned: PlannedModel) -> None:
    ours, moved = _moved(planned, 0), _moved(planned, 1000)
    score = compare_programs(assemble(moved), assemble(ours))
    assert score.renamed and not score.identical


@pytest.mark.parametrize("kind", [TensorOp, MeshMove, WideToNarrow])
def test_one_address_alone_is_no_renaming(planned: PlannedModel, kind: type) -> None:
    """The last access of each sort reads or writes the words of another buffer."""
    ours = _moved(planned, 0)
    name, shift = {TensorOp: ("narrow_in", 64)}.get(
        kind, ("narrow" if kind is WideToNarrow else "source", 16)
    )
    instructions = list(ours.instructions)
    places = [
        i
        for i, op in enumerate(instructions)
        if isinstance(op, kind) and getattr(op, name).levels and not getattr(op, "to_scaling", 0)
    ]
    if not places:
        pytest.skip("the model has no such instruction")
    nest = getattr(instructions[places[-1]], name)
    moved = replace(instructions[places[-1]], **{name: replace(nest, base=nest.base + shift)})
    instructions[places[-1]] = moved
    changed = replace(ours, instructions=tuple(instructions))
    assert not same_but_for_narrow_addresses(changed, ours)


def test_other_attributes_must_be_equal(planned: PlannedModel) -> None:
    ours = _moved(planned, 0)
    place = next(i for i, op in enumerate(ours.instructions) if isinstance(op, TensorOp))
    instructions = list(ours.instructions)
    instructions[place] = replace(
        instructions[place], output_zero=instructions[place].input_zero + 1
    )
    assert not same_but_for_narrow_addresses(replace(ours, instructions=tuple(instructions)), ours)
    assert not same_but_for_narrow_addresses(
        replace(ours, instructions=_without(ours, place)), ours
    )


def _corpus(folder: Path, *, changed: bool) -> None:
    source = _model()
    vendor = compile_graph(_planned(_model(24) if changed else source), 9, OPTIONS)
    (folder / FOLDER).mkdir()
    (folder / FOLDER / "m.tflite").write_bytes(source)
    (folder / FOLDER / "m_edgetpu.tflite").write_bytes(vendor)
    row = {"compiled": f"{FOLDER}/m_edgetpu.tflite", "source": f"{FOLDER}/m.tflite"}
    rows = [{**row, "family": "op"}, {"compiled": "x", "source": None, "family": "segment"}]
    (folder / "manifest.json").write_text(json.dumps(rows))


@pytest.mark.parametrize("changed", [False, True])
def test_the_command(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    changed: bool,
) -> None:
    _corpus(tmp_path, changed=changed)
    monkeypatch.setenv("EDGETPU_CORPUS", str(tmp_path))
    assert main(["--json", str(tmp_path / "score.json")]) == 0
    text = capsys.readouterr().out
    assert ("total: 1 models: 1 files identical" in text) is not changed
    assert ("execution: first difference at instruction" in text) is changed
    result = json.loads((tmp_path / "score.json").read_text())
    assert result["models"][0]["verdict"] == ("-" if changed else "file")
    assert main(["--brief", "--expect", "1"]) == int(changed)
    assert main(["--only", "nothing", "--expect", "1"]) == 1


def test_without_a_corpus(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("EDGETPU_CORPUS", str(tmp_path))
    assert main([]) == 1
    assert "no vendor corpus" in capsys.readouterr().out
    (tmp_path / "manifest.json").write_text("{")
    assert main([]) == 1
    assert "cannot be read" in capsys.readouterr().err


def test_docs_are_written_for_the_whole_corpus_only(capsys):
    assert main(["--corpus", "x", "--only", "m", "--write-docs"]) == 1
    assert "whole corpus" in capsys.readouterr().out
