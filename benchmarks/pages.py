"""Tables in the pages of docs/ that a measurement writes.

A table stands between two comments, `<!-- NAME: ... -->` and `<!-- end of NAME -->`; what is
around them is written by hand.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

DOCS = Path(__file__).resolve().parents[1] / "docs"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(map(str, line)) + " |\n" for line in lines)


def replace_part(page: Path, name: str, text: str) -> None:
    """Put `text` between the comments of a page. Raises ValueError if they are not there."""
    whole = page.read_text(encoding="utf-8")
    _, begin, behind = whole.partition(f"<!-- {name}:")
    comment, close, old = behind.partition("-->\n")
    _, end, _ = old.partition(f"<!-- end of {name} -->")
    if not (begin and close and end):
        raise ValueError(f"{page.name} has no part {name!r}")
    front = whole[: len(whole) - len(behind)] + comment + close
    back = whole[whole.index(end) :]
    page.write_text(f"{front}\n{text.strip()}\n\n{back}", encoding="utf-8", newline="\n")
