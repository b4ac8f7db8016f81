"""However a command ends: one line on standard error, and an exit status."""

import pytest

from compiler.cli import objdump_main, partition_with_num_ops_main, run_main
from compiler.cli.guard import error_line, guarded
from compiler.errors import OptionError


def _raise(error):
    raise error


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (OptionError("wrong"), 1, "invalid-option: wrong"),
        (KeyError("x"), 1, "internal-error: KeyError: 'x'"),
        (BrokenPipeError(), 1, ""),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_every_end(capsys, error, status, line):
    assert guarded(lambda: _raise(error)) == status
    assert capsys.readouterr().err.strip() == line


def test_status_and_prefix_of_the_command(capsys):
    wrong = OptionError("wrong")
    assert guarded(lambda: _raise(wrong), failed=2, prefix=lambda _: "m.tflite: ") == 2
    assert capsys.readouterr().err == "invalid-option: m.tflite: wrong\n"
    assert guarded(lambda: 3) == 3
    assert error_line(wrong) == "invalid-option: wrong"


@pytest.mark.parametrize(
    ("command", "argv"),
    [
        (objdump_main, ["m"]),
        (run_main, ["m"]),
        (
            partition_with_num_ops_main,
            ["--model_path", "m", "--num_ops", "1,1", "--output_dir", "o"],
        ),
    ],
)
def test_no_command_shows_a_traceback(monkeypatch, capsys, command, argv):
    monkeypatch.setattr(command, "_run", lambda _: _raise(IndexError("out of range")))
    assert command.main(argv) == 1
    assert capsys.readouterr().err == "internal-error: IndexError: out of range\n"
