"""docs/format/execution.md names tests: they exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/format/execution.md"


def test_named_tests_exist():
    text = PAGE.read_text()
    files = set(re.findall(r"`(tests/[\w/]+\.py)`", text))
    assert len(files) >= 6
    code = {name: (ROOT / name).read_text() for name in sorted(files)}
    functions = set(re.findall(r"`(test_\w+)`", text)) - {Path(name).stem for name in files}
    for function in sorted(functions):
        assert any(f"def {function}(" in source for source in code.values()), function
