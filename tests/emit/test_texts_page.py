"""docs/format/texts.md has every text that the compiler prints."""

import inspect
import re
from pathlib import Path

import pytest

from compiler.emit import texts
from compiler.emit.report import MemoryReport, ModelReport, OperatorRow

PAGE = Path(__file__).parents[2] / "docs" / "format" / "texts.md"


@pytest.fixture(scope="module")
def page():
    if not PAGE.is_file():
        pytest.skip("docs/ is not among the files of this test")
    return PAGE.read_text()


def test_every_constant_is_there(page):
    constants = [
        value
        for name, value in vars(texts).items()
        if name.isupper() and isinstance(value, str) and "VERSION" not in name
    ]
    assert len(constants) >= 8
    for text in constants:
        assert text in page


def test_every_line_of_a_run_is_there(page):
    rows = (OperatorRow("CONV_2D", "Mapped to Edge TPU", True), OperatorRow("CUSTOM", "x", False))
    report = ModelReport("a", "b", "c", 1, 1, MemoryReport(), 1, rows)
    text = texts.success_text([report], 1, False) + texts.log_text(report)
    text += texts.timer_line(180) + "\n" + texts.search_line(1) + "\n" + texts.try_line(64)
    for line in filter(None, text.splitlines()):
        label = re.split(r": |\d+ ms| {5,}", line)[0]
        if not label.startswith(("Edge TPU Compiler version", "CUSTOM", "CONV_2D")):
            assert label in page, line


def test_every_failure_is_there(page):
    source = inspect.getsource(texts.failure_text)
    for phrase in re.findall(r"Invalid model|Model [a-z ]+", source):
        assert phrase in page
