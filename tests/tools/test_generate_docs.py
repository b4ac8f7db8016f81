"""Generated pages are up to date, and the tool says when they are not."""

from pathlib import Path

import pytest

import compiler
from compiler.tools import generate_docs
from compiler.tools.generate_docs import PAGES, main

ROOT = Path(compiler.__file__).resolve().parents[1]


@pytest.mark.parametrize("name", sorted(PAGES))
def test_page_is_up_to_date(name):
    if not (ROOT / "docs").is_dir():
        pytest.skip("docs/ is not among the files of this test")
    assert name not in generate_docs.outdated(ROOT), "run python -m compiler.tools.generate_docs"


def test_check_and_write(tmp_path, capsys):
    assert main(["--check", "--root", str(tmp_path)]) == 1
    assert "docs/format/instructions.md: not up to date" in capsys.readouterr().out
    assert not (tmp_path / "docs").exists()
    assert main(["--root", str(tmp_path)]) == 0
    assert main(["--check", "--root", str(tmp_path)]) == 0
    (tmp_path / "docs/format/instructions.md").write_text("old")
    assert main(["--check", "--root", str(tmp_path)]) == 1


def test_page_lists_every_opcode_and_field():
    page = PAGES["docs/format/instructions.md"]()
    for text in (
        "tensor_interpolate (0x05)",
        "| [1843:1848) | mode |",
        "| t 0x1a | tile_fence | 1 |",
    ):
        assert text in page
    assert all(line.isascii() for line in page.splitlines())
