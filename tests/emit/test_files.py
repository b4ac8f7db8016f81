"""Outputs appear whole or not at all."""

import pytest

from compiler.emit.files import make_directory, write_files
from compiler.errors import OutputError


def test_files_are_written_and_replaced(tmp_path):
    a, b = tmp_path / "a.bin", tmp_path / "b.log"
    a.write_bytes(b"old")
    write_files({a: b"new", b: b"text"})
    assert (a.read_bytes(), b.read_bytes()) == (b"new", b"text")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.bin", "b.log"]


def test_failure_leaves_nothing_behind(tmp_path):
    good = tmp_path / "a.bin"
    with pytest.raises(OutputError, match=r"b\.bin"):
        write_files({good: b"x", tmp_path / "missing" / "b.bin": b"y"})
    assert list(tmp_path.iterdir()) == []


def test_output_directory_that_is_a_file(tmp_path):
    blocker = tmp_path / "out"
    blocker.write_text("")
    with pytest.raises(OutputError, match="output directory"):
        make_directory(blocker)
