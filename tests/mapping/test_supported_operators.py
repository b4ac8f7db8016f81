"""The generated page of supported operators."""

from __future__ import annotations

import pytest

from compiler.mapping.constraints import OPERATORS
from compiler.tools import supported_operators


def test_the_page_is_up_to_date() -> None:
    assert supported_operators.main(["--check"]) == 0


def test_every_operator_has_a_row() -> None:
    text = supported_operators.render()
    rows = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| ")]
    assert rows[1:] == sorted(OPERATORS)


def test_a_stale_page_is_an_error(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from pathlib import Path

    page = Path(str(tmp_path)) / "page.md"
    monkeypatch.setattr(supported_operators, "PAGE", page)
    assert supported_operators.main(["--check"]) == 1
    assert "out of date" in capsys.readouterr().err
    assert supported_operators.main([]) == 0
    assert supported_operators.main(["--check"]) == 0
    assert supported_operators.main(["--what"]) == 2
