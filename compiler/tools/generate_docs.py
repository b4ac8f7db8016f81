"""Writes the documentation pages that are generated from the code.

    python -m compiler.tools.generate_docs [--check] [--root DIRECTORY]

`--check` writes nothing and exits with 1 when a page is not up to date.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from ..config.json_schema import schema_text
from . import config_page, instructions_page, rules_pages

PAGES: dict[str, Callable[[], str]] = {
    "docs/edgetpu.schema.json": schema_text,
    "docs/edgetpu_yaml.md": config_page.page,
    "docs/format/instructions.md": instructions_page.page,
    **rules_pages.pages(),
}
"""Path of a page below the repository's root -> what it says."""


def outdated(root: Path) -> list[str]:
    """The pages below `root` that are missing or not up to date."""
    return [name for name, page in PAGES.items() if _read(root / name) != page()]


def write(root: Path) -> list[str]:
    """Writes the pages that are not up to date and returns their names."""
    names = outdated(root)
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(PAGES[name](), encoding="utf-8", newline="\n")
    return names


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


def main(argv: list[str] | None = None) -> int:
    """Runs the command; see the module's docstring."""
    parser = argparse.ArgumentParser(prog="generate_docs", description="Generated pages.")
    parser.add_argument("--check", action="store_true", help="only say what is not up to date")
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[2])
    options = parser.parse_args(argv)
    names = outdated(options.root) if options.check else write(options.root)
    for name in names:
        print(f"{name}: {'not up to date' if options.check else 'written'}")
    return 1 if options.check and names else 0


if __name__ == "__main__":
    sys.exit(main())
