"""The command from outside: exit status, console text, where the files go and what is in them."""

from __future__ import annotations

import os
import re

import pytest

from compiler import VERSION
from compiler.beagle.reader import compiled_ops, read_custom_options, read_package
from compiler.cli.compiler_main import main
from tests.model_builder import ModelBuilder

VERSION_LINE = f"Edge TPU Compiler version {VERSION}"
MAPPED = "Mapped to Edge TPU"


def _conv(seed=0):
    return ModelBuilder(seed=seed).input("x", (1, 16, 16, 8)).conv2d(16, 3)


CONV = _conv().build()
WITH_CPU = _conv().op("HARD_SWISH", [_conv().last], (1, 16, 16, 16), output=(0.1, 0)).build()
ON_CPU = ModelBuilder().input("x", (1, 4, 4, 4))
ON_CPU = ON_CPU.op("HARD_SWISH", [ON_CPU.last], (1, 4, 4, 4), output=(0.1, 0)).build()


class Run:
    """Calls the command in a folder of its own."""

    def __init__(self, folder, capsys):
        self.folder, self._capsys = folder, capsys

    def __call__(self, *argv):
        """(exit status, stdout, stderr)"""
        status = main([str(argument) for argument in argv])
        out, err = self._capsys.readouterr()
        assert "Traceback" not in out + err
        return status, out, err

    def files(self):
        return sorted(
            str(path.relative_to(self.folder))
            for path in self.folder.rglob("*")
            if path.is_file() and not path.name.endswith(".in")
        )

    def add(self, name, data):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return Run(folder, capsys)


# What needs no model


@pytest.mark.parametrize("flag", ["-v", "--version", "--vers"])
def test_version(run, flag):
    assert run(flag) == (0, VERSION_LINE + "\n", "")


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help(run, flag):
    status, out, err = run(flag)
    assert (status, err) == (0, "")
    assert out.startswith(f"{VERSION_LINE}\n\nUsage:\nedgetpu_compiler [options] model...\n")
    assert "--min_runtime_version" in out


@pytest.mark.parametrize(
    ("argv", "named"),
    [
        ([], "no model given"),
        (["--nonsense", "m.tflite"], "nonsense"),
        (["-q", "m.tflite"], "q"),
        (["-o"], "o"),
        (["-m", "9", "m.tflite"], "min_runtime_version"),
        (["-m", "15", "m.tflite"], "min_runtime_version"),
        (["-m", "x", "m.tflite"], "min_runtime_version"),
        (["-m", "", "m.tflite"], "min_runtime_version"),
        (["--emulate_release", "17.0", "m.tflite"], "emulate_release"),
        (["--dump-ir", "bits", "m.tflite"], "dump-ir"),
    ],
)
def test_wrong_arguments(run, argv, named):
    run.add("m.tflite", CONV)
    status, out, err = run(*argv)
    assert status == 1
    assert named in out + err
    assert run.files() == ["m.tflite"]


# Where the output goes


def test_default_is_the_current_directory(run):
    run.add("models/m.tflite", CONV)
    assert run("models/m.tflite")[0] == 0
    assert run.files() == ["m_edgetpu.log", "m_edgetpu.tflite", "models/m.tflite"]


@pytest.mark.parametrize(
    "argv",
    [
        ["m.tflite", "-o", "out"],
        ["-o", "out", "m.tflite"],
        ["-oout", "m.tflite"],
        ["-so", "out", "m.tflite"],
        ["--out_dir=out", "m.tflite"],
        ["--out_dir", "out", "m.tflite", "-s"],
        ["--out", "out", "--", "m.tflite"],
    ],
)
def test_every_way_to_name_the_folder(run, argv):
    run.add("m.tflite", CONV)
    assert run(*argv)[0] == 0
    assert run.files() == ["m.tflite", "out/m_edgetpu.log", "out/m_edgetpu.tflite"]


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("m.tflite", "m"),
        ("a.b.tflite", "a.b"),
        ("m.bin", "m.bin"),
        ("two words.tflite", "two words"),
        ("m_edgetpu.tflite", "m_edgetpu"),
        ("-m.tflite", "-m"),
    ],
)
def test_names_of_the_output(run, name, stem):
    run.add(name, CONV)
    assert run("-o", "deep/er", "--", name)[0] == 0
    found = [f"deep/er/{stem}_edgetpu.log", f"deep/er/{stem}_edgetpu.tflite"]
    assert run.files() == sorted([name, *found])


def test_outputs_are_replaced(run):
    run.add("m.tflite", CONV)
    run.add("m_edgetpu.tflite", b"old")
    assert run("m.tflite")[0] == 0
    assert len(compiled_ops((run.folder / "m_edgetpu.tflite").read_bytes())) == 1


def test_several_models(run):
    run.add("a.tflite", CONV)
    run.add("b.tflite", _conv(1).build())
    assert run("-o", "out", "a.tflite", "b.tflite")[0] == 0
    names = [f"out/{stem}_edgetpu.{suffix}" for stem in "ab" for suffix in ("log", "tflite")]
    assert run.files() == ["a.tflite", "b.tflite", *names]


# Text


def _console(text):
    return re.sub(r"successfully in \d+ ms", "successfully in N ms", text)


def _size(path):
    return f"{path.stat().st_size / 1024:.2f}KiB"


def test_console_text_of_a_mapped_model(run):
    source = run.add("m.tflite", CONV)
    status, out, err = run("m.tflite", "-o", "out")
    assert (status, err) == (0, "")
    lines = _console(out).split("\n")
    assert lines == [
        VERSION_LINE,
        "Started a compilation timeout timer of 180 seconds.",
        "",
        "Model compiled successfully in N ms.",
        "",
        "Input model: m.tflite",
        f"Input size: {_size(source)}",
        "Output model: out/m_edgetpu.tflite",
        f"Output size: {_size(run.folder / 'out/m_edgetpu.tflite')}",
        *_memory_lines(lines),
        "Number of Edge TPU subgraphs: 1",
        "Total number of operations: 1",
        "Operation log: out/m_edgetpu.log",
        "See the operation log file for individual operation details.",
        "Compilation child process completed within timeout period.",
        "Compilation succeeded! ",
        "",
    ]


def _memory_lines(lines):
    """The three memory lines, after a check of their form."""
    texts = [
        "On-chip memory used for caching model parameters",
        "On-chip memory remaining for caching model parameters",
        "Off-chip memory used for streaming uncached model parameters",
    ]
    for text, line in zip(texts, lines[9:12], strict=True):
        assert re.fullmatch(rf"{text}: \d+\.\d\d(B|KiB|MiB)", line)
    assert lines[9].endswith("KiB") and lines[10].endswith("MiB") and lines[11].endswith(" 0.00B")
    return lines[9:12]


def test_console_text_with_operators_on_the_cpu(run):
    run.add("m.tflite", WITH_CPU)
    status, out, _ = run("m.tflite", "-s")
    assert status == 0
    assert "Total number of operations: 2\n" in out
    assert (
        "\n\nModel successfully compiled but not all operations are supported by the Edge TPU. "
        in out
    )
    assert "Number of operations that will run on Edge TPU: 1\n" in out
    assert "Number of operations that will run on CPU: 1\n" in out
    table = (
        "Operator                       Count      Status\n\n"
        f"CONV_2D                        1          {MAPPED}\n"
        "HARD_SWISH                     1          Operation not supported\n"
    )
    assert "\n\n" + table in out
    assert (run.folder / "m_edgetpu.log").read_text() == (
        f"{VERSION_LINE}\nInput: m.tflite\nOutput: m_edgetpu.tflite\n\n{table}"
    )


def test_a_model_of_which_nothing_is_mapped(run):
    run.add("m.tflite", ON_CPU)
    status, out, _ = run("m.tflite")
    assert status == 0
    assert "On-chip memory used for caching model parameters: 0.00B\n" in out
    assert "On-chip memory remaining for caching model parameters: 0.00B\n" in out
    assert "Number of Edge TPU subgraphs: 0\n" in out
    assert compiled_ops((run.folder / "m_edgetpu.tflite").read_bytes()) == []


def test_show_operations_of_a_mapped_model(run):
    run.add("m.tflite", CONV)
    _, out, _ = run("m.tflite", "-s")
    assert "Operation log: m_edgetpu.log\n\nOperator      " in out
    assert "See the operation log" not in out
    assert "CPU" not in out


# Options that change the output


def _package(run):
    (op,) = compiled_ops((run.folder / "m_edgetpu.tflite").read_bytes())
    return read_package(read_custom_options(op.custom_options).package)


@pytest.mark.parametrize(
    ("argv", "version"),
    [
        ([], 14),
        (["-m", "10"], 10),
        (["--min_runtime_version=13"], 13),
        (["--emulate_release", "15.0"], 13),
        (["--emulate_release=15.0", "-m", "12"], 12),
    ],
)
def test_runtime_version(run, argv, version):
    run.add("m.tflite", CONV)
    assert run(*argv, "m.tflite")[0] == 0
    assert _package(run).min_runtime_version == version


def test_token_follows_content_and_options(run):
    tokens = set()
    for data, argv in ((CONV, []), (_conv(1).build(), []), (CONV, ["-m", "13"])):
        run.add("m.tflite", data)
        assert run("m.tflite", *argv)[0] == 0
        execution, caching = _package(run).executables
        assert execution.token == caching.token != 0
        tokens.add(execution.token)
    assert len(tokens) == 3


# Levels

LEVELS = {
    "graph": 'graph "',
    "partition": 'partition "',
    "plan": "capacity ",
    "program": "     0 TileFence ",
    "bitstream": "; chunk 0\n",
}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("form", ["--dump-ir={}", "--dump-ir {}"])
def test_levels(run, level, form):
    run.add("m.tflite", CONV)
    status, out, err = run(*form.format(level).split(), "m.tflite")
    assert (status, err) == (0, "")
    assert out.startswith(LEVELS[level]) and out.endswith("\n")
    assert run.files() == ["m.tflite"]


@pytest.mark.parametrize("level", ["plan", "program", "bitstream"])
def test_levels_that_are_not_there(run, level):
    run.add("m.tflite", ON_CPU)
    status, out, err = run("--dump-ir", level, "m.tflite")
    assert status == 1
    assert "no operator is mapped" in out + err


# Failures


def test_missing_model(run):
    status, out, err = run("m.tflite")
    assert status == 1
    assert "m.tflite" in out + err and "does not exist" in out + err
    assert out.startswith(VERSION_LINE + "\n") and out.endswith("Compilation failed! \n")
    assert run.files() == []


def test_one_of_two_models_is_missing(run):
    run.add("a.tflite", CONV)
    status, out, err = run("a.tflite", "b.tflite")
    assert status == 1
    assert "b.tflite" in out + err and "Compilation failed! \n" in out


@pytest.mark.parametrize("out_dir", ["file.in", "file.in/below", "m.tflite"])
def test_folder_that_cannot_be(run, out_dir):
    run.add("m.tflite", CONV)
    run.add("file.in", b"")
    status, out, err = run("m.tflite", "-o", out_dir)
    assert status == 1
    assert out_dir in out + err
    assert run.files() == ["m.tflite"]


def test_folder_that_cannot_be_written(run):
    run.add("m.tflite", CONV)
    folder = run.folder / "out"
    folder.mkdir(mode=0o500)
    if os.access(folder, os.W_OK):
        pytest.skip("this user may write everywhere")
    status, out, err = run("m.tflite", "-o", "out")
    assert status == 1
    assert "Permission denied" in out + err
    assert run.files() == ["m.tflite"]


@pytest.mark.parametrize("suffix", ["tflite", "log"])
def test_output_that_is_a_folder(run, suffix):
    """The other file is not left behind under its temporary name either."""
    run.add("m.tflite", CONV)
    (run.folder / f"m_edgetpu.{suffix}").mkdir()
    status, out, err = run("m.tflite")
    assert status == 1
    assert f"m_edgetpu.{suffix}" in out + err
    assert not [name for name in run.files() if "partial" in name]


def test_a_failure_keeps_the_older_output(run, monkeypatch):
    run.add("m.tflite", CONV)
    run.add("m_edgetpu.tflite", b"old")
    monkeypatch.setattr("compiler.driver.assemble", _fail)
    assert run("m.tflite")[0] == 1
    assert run.files() == ["m.tflite", "m_edgetpu.tflite"]
    assert (run.folder / "m_edgetpu.tflite").read_bytes() == b"old"


def _fail(*_):
    raise RuntimeError("boom")


def test_a_defect_is_one_line(run, monkeypatch):
    run.add("m.tflite", CONV)
    monkeypatch.setattr("compiler.driver.assemble", _fail)
    status, out, err = run("m.tflite")
    assert status == 1
    (line,) = [line for line in (out + err).splitlines() if "boom" in line]
    assert "RuntimeError" in line
    assert run.files() == ["m.tflite"]


def test_a_closed_pipe_is_no_traceback(run, monkeypatch):
    def closed(*_args, **_more):
        raise BrokenPipeError

    run.add("m.tflite", CONV)
    monkeypatch.setattr("compiler.emit.texts.success_text", closed)
    assert run("m.tflite")[0] == 1


def test_interrupt(run, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    run.add("m.tflite", CONV)
    monkeypatch.setattr("compiler.driver.assemble", stop)
    assert run("m.tflite")[0] == 130
    assert run.files() == ["m.tflite"]
