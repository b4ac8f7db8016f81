"""docs/format/tflite_input.md lists every error text of the frontend."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ("file_kind", "flatbuffer", "tflite_reader", "validate", "compilable")
ERRORS = {
    "InvalidModelError": 0,
    "UnsupportedModelError": 0,
    "NotQuantisedError": 0,
    "error": 1,
}


def _texts(name: str) -> Iterator[tuple[int, list[str]]]:
    """(line, constant parts) of the message of every error raised in a module."""
    tree = ast.parse((ROOT / "compiler" / "frontend" / f"{name}.py").read_text())
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        function = node.func
        called = function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")
        if called not in ERRORS or len(node.args) <= ERRORS[called]:
            continue
        message = node.args[ERRORS[called]]
        values = message.values if isinstance(message, ast.JoinedStr) else [message]
        parts = [str(v.value) for v in values if isinstance(v, ast.Constant)]
        yield node.lineno, [part.strip(" ([,])") for part in parts if part.strip(" ([,])")]


@pytest.mark.parametrize("name", SOURCES)
def test_every_error_text_is_documented(name):
    page = ROOT / "docs" / "format" / "tflite_input.md"
    if not page.is_file():
        pytest.skip("the documentation is not here")
    lines = page.read_text().splitlines()
    found = 0
    for line, parts in _texts(name):
        pattern = ".*".join(re.escape(part) for part in parts)
        known = any(re.search(pattern, text) for text in lines)
        assert known, f"{name}.py:{line}: {' ... '.join(parts)}"
        found += 1
    assert found
