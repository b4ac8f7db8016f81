"""A compilation that is stopped, by time or by force, leaves no half-written output."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from compiler.time_limit import CompilationTimeoutError, time_limit
from tests.model_builder import ModelBuilder

COMMAND = [sys.executable, "-m", "compiler.cli.compiler_main"]
ROOT = Path(__file__).parents[2]


def _model(seed: int) -> bytes:
    builder = ModelBuilder(seed=seed).input("x", (1, 16, 16, 8))
    return builder.conv2d(64, 3).conv2d(64, 3).build()


# Time limit


def test_a_busy_loop_is_stopped():
    start = time.monotonic()
    with pytest.raises(CompilationTimeoutError), time_limit(1):
        while True:
            pass
    assert time.monotonic() - start < 10


def test_a_wait_is_stopped():
    with pytest.raises(CompilationTimeoutError), time_limit(1):
        time.sleep(60)


def test_no_handler_for_errors_holds_it_back():
    def stubborn():
        while True:
            try:
                time.sleep(60)
            except Exception:
                continue

    with pytest.raises(CompilationTimeoutError), time_limit(1):
        stubborn()


def test_in_time_nothing_happens():
    before = signal.getsignal(signal.SIGALRM)
    with time_limit(1):
        pass
    time.sleep(1.2)
    assert signal.getsignal(signal.SIGALRM) is before


def test_worker_threads_have_a_limit_too():
    stopped = []

    def work():
        try:
            with time_limit(1):
                while True:
                    time.sleep(0.01)
        except CompilationTimeoutError:
            stopped.append(True)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(20)
    assert stopped == [True]


# kill -9


def _start(folder: Path, *argv: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*COMMAND, "-o", "out", *argv],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _outputs(folder: Path) -> dict[str, bytes]:
    """What lies under final names; temporary files are hidden."""
    out = folder / "out"
    if not out.is_dir():
        return {}
    return {p.name: p.read_bytes() for p in sorted(out.iterdir()) if not p.name.startswith(".")}


def _kill_at_random(folder: Path, runs: int, seed: int) -> None:
    """Two models take turns, so that old outputs must survive too."""
    complete: list[dict[str, bytes]] = []
    for number in range(2):
        (folder / f"{number}.in").write_bytes(_model(number))
        (folder / "m.tflite").write_bytes(_model(number))
        start = time.monotonic()
        assert _start(folder, "m.tflite").wait() == 0
        duration = time.monotonic() - start
        complete.append(_outputs(folder))
    models = {item["m_edgetpu.tflite"] for item in complete}
    logs = {item["m_edgetpu.log"] for item in complete}
    chance = random.Random(seed)
    for number in range(runs):
        (folder / "m.tflite").write_bytes((folder / f"{number % 2}.in").read_bytes())
        process = _start(folder, "m.tflite")
        time.sleep(chance.uniform(0.4, 1.1) * duration)
        process.kill()
        process.wait()
        found = _outputs(folder)
        assert set(found) == {"m_edgetpu.tflite", "m_edgetpu.log"}
        assert found["m_edgetpu.tflite"] in models
        assert found["m_edgetpu.log"] in logs


def test_killed_compilations_leave_no_partial_output(tmp_path):
    _kill_at_random(tmp_path, 20, seed=1)


@pytest.mark.full
def test_two_hundred_killed_compilations_leave_no_partial_output(tmp_path):
    _kill_at_random(tmp_path, 200, seed=2)


def test_killed_while_writing(tmp_path):
    """The moment between the files: there is no model without its log."""
    (tmp_path / "m.tflite").write_bytes(_model(0))
    script = (
        "import os, sys, pathlib\n"
        "from compiler.cli.compiler_main import main\n"
        "real = pathlib.Path.replace\n"
        "calls = []\n"
        "def replace(self, target):\n"
        "    if len(calls) == int(sys.argv[1]):\n"
        "        os.kill(os.getpid(), 9)\n"
        "    calls.append(target)\n"
        "    return real(self, target)\n"
        "pathlib.Path.replace = replace\n"
        "main(['-o', 'out', '-n', '2', 'm.tflite'])\n"
    )
    for renames in range(7):
        out = tmp_path / "out"
        if out.exists():
            for path in out.iterdir():
                path.unlink()
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
        subprocess.run(
            [sys.executable, "-c", script, str(renames)],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.DEVNULL,
            check=False,
        )
        names = set(_outputs(tmp_path))
        assert len(names) == min(renames, 6)
        for stem in ("m_segment_0_of_2", "m_segment_1_of_2"):
            if f"{stem}_edgetpu.tflite" in names:
                assert {f"{stem}.tflite", f"{stem}_edgetpu.log"} <= names


def test_a_full_disk_is_an_error(tmp_path, monkeypatch, capsys):
    from compiler.cli.compiler_main import main
    from compiler.emit import files

    def full(_path, _data):
        raise OSError(28, "No space left on device")

    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.tflite").write_bytes(_model(0))
    monkeypatch.setattr(files.Path, "write_bytes", full)
    assert main(["-o", "out", "m.tflite"]) == 1
    out, err = capsys.readouterr()
    assert "No space left on device" in out + err
    assert out.endswith("Compilation failed! \n") and "succeeded" not in out
    assert not list((tmp_path / "out").iterdir())
