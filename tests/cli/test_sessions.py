"""Whole runs of the command: the calls users have in their scripts, cuts, segments, search."""

from __future__ import annotations

import hashlib
import json
import re

import pytest

from compiler import VERSION
from compiler.beagle.executable import ExecutableType
from compiler.beagle.reader import compiled_ops, read_custom_options, read_package
from compiler.cli.compiler_main import main
from compiler.errors import ResourceError
from compiler.frontend.tflite_reader import read_model_bytes
from tests.model_builder import ModelBuilder

VERSION_LINE = f"Edge TPU Compiler version {VERSION}"
SUCCEEDED = "Compilation child process completed within timeout period.\nCompilation succeeded! \n"
MORE = "More than one subgraph is not supported"


def _chain(layers: int = 4, seed: int = 0) -> ModelBuilder:
    builder = ModelBuilder(seed=seed).input("x", (1, 16, 16, 8))
    for _ in range(layers):
        builder.conv2d(16, 3)
    return builder


def _two_parts() -> bytes:
    """An operator that stays on the CPU between two that do not."""
    builder = ModelBuilder(seed=3).input("x", (1, 16, 16, 8)).conv2d(16, 3)
    builder.op("HARD_SWISH", [builder.last], (1, 16, 16, 16), output=(0.1, 0))
    return builder.conv2d(16, 3).build()


CHAIN = _chain().build()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.tflite").write_bytes(CHAIN)
    return tmp_path


@pytest.fixture
def run(folder, capsys):
    def call(*argv: str, status: int = 0) -> str:
        assert main(list(argv)) == status
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return out + err

    return call


def _files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def _tokens(path) -> list[int]:
    """Token of the inference program of each custom op."""
    tokens = []
    for op in compiled_ops(path.read_bytes()):
        package = read_package(read_custom_options(op.custom_options).package)
        tokens += [e.token for e in package.executables if e.type == ExecutableType.EXECUTION_ONLY]
    return tokens


def _operators(path) -> list[str]:
    graph = read_model_bytes(path.read_bytes(), str(path), compiled=True)
    return [op.custom_code or op.name for op in graph.operators]


# Calls from users' scripts

ULTRALYTICS = "--out_dir out --show_operations --search_delegate --delegate_search_step 30"


@pytest.mark.parametrize(
    "call",
    [
        f"{ULTRALYTICS} --timeout_sec 180 m.tflite",
        "-sa m.tflite",
        "-s -n 1 m.tflite",
        "m.tflite -o out -s",
        "m.tflite -n 1",
        "--num_segments 1 m.tflite",
        "-sa m.tflite -d -t 600",
        "-da m.tflite",
        "-aaa m.tflite",
        "--search_delegate --out_dir=out --num_segments=1 m.tflite --delegate_search_step=3",
        "--min_runtime_version=13 m.tflite",
    ],
)
def test_calls_of_users(run, folder, call):
    text = run(*call.split())
    assert text.startswith(VERSION_LINE + "\n") and text.endswith(SUCCEEDED)
    out = "out/" if "out" in call else ""
    assert (folder / f"{out}m_edgetpu.tflite").is_file()
    assert (folder / f"{out}m_edgetpu.log").is_file()


def test_last_word_of_the_version_is_the_version(run):
    assert run("--version").split()[-1] == VERSION


LOG_PARSER = {
    r"Number of operations that will run on Edge TPU: (\d+)": "1",
    r"Number of operations that will run on CPU: (\d+)": "2",
    r"Model compiled successfully in (\d+) ms\.": None,
    r"On-chip memory used for caching model parameters: ([\d.]+)(B|KiB|MiB)": None,
    r"On-chip memory remaining for caching model parameters: ([\d.]+)(B|KiB|MiB)": None,
    r"Off-chip memory used for streaming uncached model parameters: ([\d.]+)(B|KiB|MiB)": "0.00",
    r"Number of Edge TPU subgraphs: (\d+)": "1",
    r"Total number of operations: (\d+)": "3",
    r"Input size: ([\d.]+)(B|KiB|MiB)": None,
    r"Output size: ([\d.]+)(B|KiB|MiB)": None,
}
"""What log parsers search for -> what they must find (None: anything)."""


@pytest.mark.parametrize("pattern", LOG_PARSER)
def test_log_parsers_find_their_lines(run, folder, pattern):
    (folder / "m.tflite").write_bytes(_two_parts())
    found = re.search(rf"^{pattern}$", run("m.tflite"), re.MULTILINE)
    assert found
    assert LOG_PARSER[pattern] in (None, found[1])


# Refusals


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("-n 2 m.tflite b.tflite", "--num_segments cannot be used with several models"),
        ("-n auto m.tflite b.tflite", "--num_segments cannot be used with several models"),
        ("-n 2 -i x m.tflite", "--num_segments cannot be combined with --intermediate_tensors"),
        ("-d m.tflite b.tflite", "--search_delegate cannot be used with several models"),
        ("-n 0 m.tflite", "--num_segments"),
        ("-n two m.tflite", "--num_segments"),
        ("-k 0 -d m.tflite", "--delegate_search_step"),
        ("-t 0 m.tflite", "--timeout_sec"),
        ("-t -5 m.tflite", "--timeout_sec"),
        ("-t 1e3 m.tflite", "--timeout_sec"),
        ("--report xml m.tflite", "--report"),
        ("-n 5 m.tflite", "cannot be cut into so many segments (found 5, allowed 1 to 4)"),
        ("-i nothing m.tflite", "no such tensor"),
        ("m.tflite sub/m.tflite", "the output file of the model is that of another"),
        ("m.tflite m.tflite", "the output file of the model is that of another"),
        ("--explain 9 m.tflite", "no such operator"),
    ],
)
def test_refused(run, folder, call, message):
    (folder / "b.tflite").write_bytes(CHAIN)
    (folder / "sub").mkdir()
    (folder / "sub/m.tflite").write_bytes(CHAIN)
    before = _files(folder)
    assert message in run(*call.split(), status=1)
    assert _files(folder) == before


def test_an_output_that_is_an_input_is_refused(run, folder):
    (folder / "m_edgetpu.tflite").write_bytes(CHAIN)
    assert "one of the inputs" in run("m.tflite", "m_edgetpu.tflite", status=1)
    assert (folder / "m_edgetpu.tflite").read_bytes() == CHAIN


# -i


def _result(layer: int) -> str:
    graph = read_model_bytes(CHAIN, "m")
    return graph.tensors[graph.operators[layer].outputs[0]].name


def test_what_follows_an_intermediate_tensor_runs_on_the_cpu(run, folder):
    text = run("-s", "-i", _result(1), "m.tflite")
    assert f"CONV_2D                        2          {MORE}\n" in text
    assert _operators(folder / "m_edgetpu.tflite") == ["edgetpu-custom-op", "CONV_2D", "CONV_2D"]


def test_intermediate_tensors_change_the_token(run, folder):
    run("-o", "a", "m.tflite")
    run("-o", "b", "-i", _result(1), "m.tflite")
    assert _tokens(folder / "a/m_edgetpu.tflite") != _tokens(folder / "b/m_edgetpu.tflite")


def test_intermediate_tensors_of_several_models(run, folder):
    (folder / "b.tflite").write_bytes(CHAIN)
    run("-i", f"{_result(2)}:{_result(0)}", "m.tflite", "b.tflite")
    assert len(_operators(folder / "m_edgetpu.tflite")) == 2
    assert len(_operators(folder / "b_edgetpu.tflite")) == 4


# -a


def test_every_subgraph_is_an_operator_of_its_own(run, folder):
    (folder / "m.tflite").write_bytes(_two_parts())
    run("-o", "one", "m.tflite")
    text = run("-o", "all", "-a", "m.tflite")
    assert "Number of Edge TPU subgraphs: 2\n" in text
    assert "Number of operations that will run on Edge TPU: 2\n" in text
    custom = "edgetpu-custom-op"
    assert _operators(folder / "one/m_edgetpu.tflite") == [custom, "HARD_SWISH", "CONV_2D"]
    assert _operators(folder / "all/m_edgetpu.tflite") == [custom, "HARD_SWISH", custom]
    first, second = _tokens(folder / "all/m_edgetpu.tflite")
    assert first == second


# Several models


def test_models_of_one_run_share_token_and_memory(run, folder):
    (folder / "b.tflite").write_bytes(_chain(2, seed=5).build())
    text = run("m.tflite", "b.tflite")
    assert re.search(r"^Models compiled successfully in \d+ ms\.$", text, re.MULTILINE)
    assert text.count(SUCCEEDED) == text.count("Started a compilation timeout timer") == 1
    remaining = re.findall(r"On-chip memory remaining .*: (.*)", text)
    assert len(remaining) == 2 and len(set(remaining)) == 1
    assert _tokens(folder / "m_edgetpu.tflite") == _tokens(folder / "b_edgetpu.tflite")


# -n


def test_segments(run, folder):
    text = run("-n", "2", "-o", "out", "-s", "m.tflite")
    assert text.count(VERSION_LINE) == 1
    assert text.count("Started a compilation timeout timer") == text.count(SUCCEEDED) == 2
    stems = [f"out/m_segment_{number}_of_2" for number in range(2)]
    suffixes = (".tflite", "_edgetpu.log", "_edgetpu.tflite")
    names = sorted(stem + suffix for stem in stems for suffix in suffixes)
    assert _files(folder) == sorted(["m.tflite", *names])
    for stem in stems:
        assert f"\nInput model: {stem}.tflite\n" in text
        assert f"\nOutput model: {stem}_edgetpu.tflite\n" in text
    tokens = [_tokens(folder / f"{stem}_edgetpu.tflite") for stem in stems]
    assert tokens[0] == tokens[1] and tokens[0][0]


def test_a_failing_segment_leaves_nothing(run, folder, monkeypatch):
    _fail_for(monkeypatch, lambda graph, _cut: len(graph.operators) == 1)
    text = run("-n", "3", "m.tflite", status=1)
    assert "Compilation failed due to large activation tensors in model.\n" in text
    assert text.endswith("Compilation failed! \n")
    assert _files(folder) == ["m.tflite"]


def test_auto_is_one_segment_where_the_model_fits(run, folder):
    run("-n", "auto", "m.tflite")
    assert _files(folder) == ["m.tflite", "m_edgetpu.log", "m_edgetpu.tflite"]


def test_auto_takes_the_fewest_segments_that_stream_nothing(run, folder, monkeypatch):
    """As if only two operators' parameters fitted the chip."""
    from compiler.emit.report import MemoryReport
    from compiler.pipeline import segments

    def reports(models):
        return [MemoryReport(streamed=max(0, len(m.graph.operators) - 2)) for m in models]

    monkeypatch.setattr(segments, "memory_reports", reports)
    run("-n", "auto", "m.tflite")
    assert "m_segment_1_of_2_edgetpu.tflite" in _files(folder)


# -d


def _fail_for(monkeypatch, fails):
    """Planning fails where `fails(graph, cut)`."""
    from compiler import compilation

    real = compilation.plan_model

    def planned(graph, options, cut):
        if fails(graph, cut):
            raise ResourceError("too large")
        return real(graph, options, cut)

    monkeypatch.setattr(compilation, "plan_model", planned)


def test_search_steps_back_until_it_compiles(run, folder, monkeypatch):
    _fail_for(monkeypatch, lambda _, cut: cut.operators is None or cut.operators > 2)
    text = run("-sd", "m.tflite")
    failed = (
        "Started a compilation timeout timer of 180 seconds.\n"
        "ERROR: too large\n"
        "ERROR: Restored original execution plan after delegate application failure.\n"
        "Compilation failed: Compilation failed due to large activation tensors in model.\n"
        "Compilation child process completed within timeout period.\n"
        "Compilation failed! \n"
    )
    assert text.startswith(
        f"{VERSION_LINE}\nSearching for valid delegate with step 1\n"
        f"Try to compile segment with 4 ops\n{failed}"
        f"Try to compile segment with 3 ops\nIntermediate tensors: {_result(2)}\n{failed}"
        f"Try to compile segment with 2 ops\nIntermediate tensors: {_result(1)}\n"
        "Started a compilation timeout timer of 180 seconds.\n\nModel compiled"
    )
    assert f"CONV_2D                        2          {MORE}\n" in text
    assert text.endswith(SUCCEEDED)
    assert _operators(folder / "m_edgetpu.tflite") == ["edgetpu-custom-op", "CONV_2D", "CONV_2D"]


def test_search_in_larger_steps_to_the_end(run, folder, monkeypatch):
    _fail_for(monkeypatch, lambda *_: True)
    text = run("-d", "-k", "3", "m.tflite", status=1)
    assert re.findall(r"with (\d+) ops", text) == ["4", "1"]
    assert text.endswith("Compilation failed! \n")
    assert _files(folder) == ["m.tflite"]


def test_search_finds_another_token(run, folder, monkeypatch):
    """A program that stops earlier loads other parameters."""
    run("-o", "whole", "-d", "m.tflite")
    _fail_for(monkeypatch, lambda _, cut: cut.operators != 3)
    run("-o", "cut", "-d", "m.tflite")
    whole, cut = (_tokens(folder / f"{name}/m_edgetpu.tflite") for name in ("whole", "cut"))
    assert whole != cut


def test_search_in_segments_ends_with_one_token(run, folder, monkeypatch):
    _fail_for(monkeypatch, lambda graph, cut: len(graph.operators) == 3 and not cut.operators)
    (folder / "m.tflite").write_bytes(_chain(6).build())
    text = run("-d", "-n", "2", "m.tflite")
    assert re.findall(r"with (\d+) ops", text) == ["3", "2", "3", "2"]
    tokens = {_tokens(folder / f"m_segment_{number}_of_2_edgetpu.tflite")[0] for number in range(2)}
    assert len(tokens) == 1


def test_search_of_an_unreadable_model_tries_once(run, folder):
    (folder / "m.tflite").write_bytes(b"nothing")
    text = run("-d", "m.tflite", status=1)
    assert text.count("Started a compilation timeout timer") == 1
    assert "Invalid model: m.tflite\nModel could not be parsed\n" in text


# -t


def test_timeout(run, folder, monkeypatch):
    from compiler import compilation

    def endless(*_):
        count = 0
        while True:
            count += 1

    monkeypatch.setattr(compilation, "plan_model", endless)
    text = run("-t", "1", "-o", "out", "m.tflite", status=1)
    assert text == (
        f"{VERSION_LINE}\nStarted a compilation timeout timer of 1 seconds.\n"
        "Compilation timeout. This is usually caused by large activations.\n"
        "Compilation failed! \n"
    )
    assert _files(folder) == ["m.tflite"]


# Ours


def test_report_names_everything(run, folder):
    (folder / "m.tflite").write_bytes(_two_parts())
    run("-o", "out", "--report", "json", "m.tflite")
    found = json.loads((folder / "out/m_edgetpu.json").read_text())
    assert found["compiler"]["version"] == VERSION
    assert found["inputs"][0]["sha256"] == _digest(folder / "m.tflite")
    digests = {item["name"]: item["sha256"] for item in found["outputs"]}
    for name in ("m_edgetpu.log", "m_edgetpu.tflite"):
        assert digests[name] == _digest(folder / "out" / name)
    assert int(found["caching_token"], 16) == _tokens(folder / "out/m_edgetpu.tflite")[0]
    targets = [op["target"] for op in found["operators"]]
    assert targets == ["edge_tpu", "cpu", "cpu"]
    assert found["operators"][2]["constraint"] == "first_subgraph"
    layer = found["subgraphs"][0]["parameters"][0]
    assert layer["cached"] and layer["lines"] * 256 == found["memory"]["used"]
    assert str(folder) not in (folder / "out/m_edgetpu.json").read_text()


def _digest(path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_reports_of_segments(run, folder):
    run("-n", "2", "--report=json", "m.tflite")
    found = json.loads((folder / "m_segment_1_of_2_edgetpu.json").read_text())
    assert found["inputs"][0]["name"] == "m.tflite"
    assert found["model"]["name"] == "m_segment_1_of_2.tflite"
    assert "m_segment_1_of_2.tflite" in {item["name"] for item in found["outputs"]}


@pytest.mark.parametrize("op", ["1", "HARD_SWISH", "hard_swish_4"])
def test_explain_one_operator(run, folder, op):
    (folder / "m.tflite").write_bytes(_two_parts())
    text = run("--explain", op, "m.tflite")
    assert text.startswith("#1 HARD_SWISH -> hard_swish_4\n  Operation not supported\n  why: ")
    assert text.count("#") == 1
    assert _files(folder) == ["m.tflite"]


def test_explain_all(run, folder):
    (folder / "m.tflite").write_bytes(_two_parts())
    text = run("--explain=all", "m.tflite")
    assert re.findall(r"^#(\d)", text, re.MULTILINE) == ["0", "1", "2"]
    assert "#0 CONV_2D -> conv_2d_3\n  Mapped to Edge TPU\n#1" in text
