"""The worker compiles what the command compiles, to the byte, and again and again."""

import io
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from compiler.cli.compiler_main import main
from compiler.worker.action import Result, run_action
from compiler.worker.server import serve
from tests.model_builder import ModelBuilder
from tests.worker.test_protocol import encoded

ROOT = Path(__file__).parents[2]
LAUNCHER = ROOT / "rules/private/compiler_launcher.py"
RUNS = 200
PAGE_KIB = resource.getpagesize() // 1024


@pytest.fixture
def models(tmp_path, monkeypatch):
    """Paths of three models in a folder of their own; the current folder is another one."""
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    paths = []
    for seed, layers in ((1, 1), (2, 2), (3, 3)):
        builder = ModelBuilder("int8", seed=seed).input("input", (1, 128))
        for _ in range(layers):
            builder = builder.fully_connected(64)
        paths.append(tmp_path / "in" / f"model{seed}.tflite")
        paths[-1].write_bytes(builder.build())
    monkeypatch.chdir(tmp_path)
    return [str(path.relative_to(tmp_path)) for path in paths]


def command(argv):
    """Files that the plain command makes where the models lie."""
    os.chdir("in")
    try:
        before = set(Path.cwd().iterdir())
        assert main([str(Path(a).name) if a.endswith(".tflite") else a for a in argv]) == 0
        made = set(Path.cwd().iterdir()) - before
        files = {path.name: path.read_bytes() for path in made}
        for path in made:
            path.unlink()
    finally:
        os.chdir("..")
    return files


def outputs(folder="out"):
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


@pytest.mark.parametrize(
    "options",
    [["-m", "12"], ["--emulate_release", "15.0", "--report", "json"], ["-n", "2"]],
)
def test_action_makes_what_the_command_makes(models, options):
    argv = [*options, models[2]]
    assert run_action([*argv, "--out_dir", "out"]) == Result(0)
    assert outputs() == command(argv)


def test_action_compiles_together(models):
    assert run_action(["--out_dir", "out", *models]) == Result(0)
    assert len(outputs()) == 6
    assert outputs() == command(models)


def test_console_is_shown_where_it_is_asked_for(models):
    result = run_action(["--show_operations", "--out_dir", "out", models[0]])
    assert result.status == 0
    assert "FULLY_CONNECTED" in result.console


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--out_dir", "out", "in/none.tflite"], "ERROR: none.tflite: the file do"),
        (["--fast"], "option --fast not recognized"),
        (["--out_dir", "out"], "no model given"),
        (["--out_dir", "nowhere", "in/model1.tflite"], "No such file or directory"),
        (["--out_dir", "out", "in/model1.tflite", "out/model1.tflite"], "the same file name"),
        (["--out_dir", "out", "-n", "2", "in/model1.tflite"], "cannot be cut into so many"),
    ],
)
def test_failures_leave_nothing_behind(models, argv, message):
    folder = Path.cwd()
    result = run_action(argv)
    assert result.status == 1
    assert message in result.console
    assert "Traceback" not in result.console
    assert not outputs()
    assert Path.cwd() == folder


def test_server_answers_in_order_and_ignores_cancelled():
    requests = encoded([b"a"], 1) + encoded([], 2, cancel=True) + encoded([b"b"], 3)
    seen = []

    def run(argv):
        seen.append(argv)
        return Result(len(seen), "text")

    answers = io.BytesIO()
    assert serve(io.BytesIO(requests), answers, run) == 0
    assert seen == [("a",), ("b",)]
    assert answers.getvalue() == (
        b"\x0a\x08\x01\x12\x04text\x18\x01" + b"\x0a\x08\x02\x12\x04text\x18\x03"
    )


def test_broken_stream_ends_the_server(capsys):
    assert serve(io.BytesIO(b"\x05a"), io.BytesIO()) == 1
    assert capsys.readouterr().err == "worker: message of 5 bytes ends after 1\n"


class Worker:
    """The launcher as Bazel starts it."""

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, str(LAUNCHER), "--build_action", "--persistent_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
        )

    def run(self, *argv):
        self.process.stdin.write(encoded([a.encode() for a in argv], request_id=9))
        self.process.stdin.flush()
        size = self.process.stdout.read(1)[0]
        assert size < 128, "a long message is a failure"
        return self.process.stdout.read(size)

    def resident_kib(self):
        return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * PAGE_KIB

    def close(self):
        self.process.stdin.close()
        return self.process.wait(timeout=20)


def test_one_worker_many_compilations(models):
    """Same bytes each time, in bounded memory."""
    expected = {model: command([model]) for model in models}
    worker = Worker()
    early = 0
    for run in range(RUNS):
        model = models[run % len(models)]
        assert worker.run("--out_dir", "out", model) == b"\x18\x09", "success, no text"
        assert outputs() == expected[model]
        for path in Path("out").iterdir():
            path.unlink()
        early = worker.resident_kib() if run == 20 else early
    grown = worker.resident_kib() - early
    assert worker.close() == 0
    assert grown < 8 * 1024, f"{grown} KiB more after {RUNS} compilations than after 20"


def test_a_failure_does_not_end_the_worker(models):
    Path("in/bad.tflite").write_bytes(b"nonsense" * 9)
    worker = Worker()
    worker.process.stdin.write(encoded([b"--out_dir", b"out", b"in/bad.tflite"]))
    worker.process.stdin.flush()
    first = worker.process.stdout.read(3)
    size = (first[0] & 0x7F) | first[1] << 7
    text = (first[2:] + worker.process.stdout.read(size - 1)).decode(errors="replace")
    assert "Compilation failed!" in text
    assert not outputs()
    assert worker.run("--out_dir", "out", models[0]) == b"\x18\x09"
    assert worker.close() == 0
