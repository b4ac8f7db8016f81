"""Every function of the compiler is annotated, and the annotations hold."""

import pytest


def test_mypy_strict(tmp_path):
    mypy_api = pytest.importorskip("mypy.api", reason="mypy is not installed")
    report, problems, status = mypy_api.run(
        ["--strict", "--config-file=pyproject.toml", f"--cache-dir={tmp_path}", "-p", "compiler"],
    )
    if status:
        pytest.fail(report + problems, pytrace=False)
    assert "no issues found" in report
