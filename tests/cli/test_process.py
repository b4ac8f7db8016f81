"""The process of a command: everything printed arrives, and the status."""

import os
import subprocess
import sys

import pytest

from tests.model_builder import ModelBuilder

PRINT = "import sys; from compiler.cli.process import run_and_exit\n"


def _python(code, *argv, **more):
    search = os.pathsep.join(sys.path)
    return subprocess.run(
        [sys.executable, "-c", code, *argv],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": search, "PYTHONUNBUFFERED": ""},
        **more,
    )


@pytest.mark.parametrize("status", [0, 1, 130])
def test_text_and_status(status):
    code = PRINT + (
        "def main():\n"
        " sys.stdout.write('x' * 100_000)\n sys.stderr.write('error')\n"
        f" return {status}\n"
        "run_and_exit(main)"
    )
    result = _python(code)
    assert (result.returncode, len(result.stdout), result.stderr) == (status, 100_000, "error")


def test_an_exception_is_not_swallowed():
    result = _python(PRINT + "run_and_exit(lambda: 1 // 0)")
    assert result.returncode == 1
    assert "ZeroDivisionError" in result.stderr


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")
def test_text_that_cannot_be_written():
    with open("/dev/full", "w") as full:
        result = subprocess.run(
            [sys.executable, "-c", PRINT + "run_and_exit(lambda: print('text') or 0)"],
            stdout=full,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONUNBUFFERED": ""},
            check=False,
        )
    assert result.returncode == 1
    assert b"Traceback" not in result.stderr


def test_the_command(tmp_path):
    (tmp_path / "m.tflite").write_bytes(
        ModelBuilder().input("x", (1, 8, 8, 8)).conv2d(8, 3).build()
    )
    code = "from compiler.cli.compiler_main import command; command()"
    result = _python(code, "m.tflite", cwd=tmp_path)
    assert result.returncode == 0
    assert result.stdout.endswith("Compilation succeeded! \n")
    assert (tmp_path / "m_edgetpu.tflite").is_file()
    assert _python(code, "none.tflite", cwd=tmp_path).returncode == 1
