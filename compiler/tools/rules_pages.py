"""docs/rules/*.md: one page for each public symbol of rules/defs.bzl, from its doc string."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Callable
from pathlib import Path

from .starlark_docs import Attribute, Symbol, read_symbol

FOLDER = "docs/rules"
_ROOT = Path(__file__).resolve().parents[2]
_DEFS = "rules/defs.bzl"
_LOADED = (
    ("rules/repositories.bzl", "edgetpu_config"),
    ("rules/repositories.bzl", "rules_edgetpu_compat"),
    ("rules/repositories.bzl", "rules_edgetpu_dependencies"),
)
"""Public symbols beside those of defs.bzl."""
_TABLE_HEADS = {
    "macro": "| argument | |\n|---|---|\n",
    "provider": "| field | |\n|---|---|\n",
    "rule": "| attribute | kind | |\n|---|---|---|\n",
}
_PROVIDERS = "providers"


def pages() -> dict[str, Callable[[], str]]:
    """Path of each page -> what it says."""
    made: dict[str, Callable[[], str]] = {}
    providers = []
    for file, name in public_symbols():
        if name.endswith("Info"):
            providers.append((file, name))
        else:
            made[f"{FOLDER}/{name}.md"] = functools.partial(_page, file, name)
    made[f"{FOLDER}/{_PROVIDERS}.md"] = functools.partial(_providers_page, tuple(providers))
    made[f"{FOLDER}/README.md"] = _index
    return made


def public_symbols() -> list[tuple[str, str]]:
    """(file, name) of what users load, from the loads of defs.bzl; sorted by name."""
    source = _ROOT / _DEFS
    if not source.is_file():
        return []
    found = []
    for node in ast.parse(source.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            label = ast.literal_eval(node.value.args[0])
            file = label.removeprefix("//").replace(":", "/")
            found += [(file, ast.literal_eval(k.value)) for k in node.value.keywords]
    return sorted([*found, *_LOADED], key=lambda symbol: symbol[1])


def _page(file: str, name: str) -> str:
    symbol = read_symbol(_ROOT / file, name)
    where = "repositories" if "repositories" in file else "defs"
    return (
        f"# {name}\n\n<!-- Generated from {file} by compiler/tools/rules_pages.py. -->\n\n"
        f'```starlark\nload("@rules_edgetpu//rules:{where}.bzl", "{name}")\n```\n\n'
        f"{_body(symbol)}"
    )


def _providers_page(symbols: tuple[tuple[str, str], ...]) -> str:
    head = (
        "# Providers\n\n<!-- Generated from rules/providers.bzl by compiler/tools/rules_pages.py. "
        "-->\n\nWhat a rule of your own can ask of compiled models. Load them from "
        "`@rules_edgetpu//rules:defs.bzl`.\n"
    )
    parts = [f"\n## {name}\n\n{_body(read_symbol(_ROOT / file, name))}" for file, name in symbols]
    return head + "".join(parts)


def _index() -> str:
    rows = []
    for file, name in public_symbols():
        page = _PROVIDERS if name.endswith("Info") else name
        anchor = f"#{name.lower()}" if page == _PROVIDERS else ""
        first = _sentence(read_symbol(_ROOT / file, name).doc)
        rows.append(f"| [`{name}`]({page}.md{anchor}) | {first} |\n")
    return (
        "# Rules\n\n<!-- Generated from rules/ by compiler/tools/rules_pages.py. -->\n\n"
        "| symbol | |\n|---|---|\n" + "".join(rows)
    )


def _sentence(doc: str) -> str:
    """The first sentence."""
    return re.split(r"(?<=[.]) |\n\n", doc, maxsplit=1)[0].replace("\n", " ")


def _body(symbol: Symbol) -> str:
    text = _without_example_heading(symbol.doc) + "\n"
    if symbol.attributes:
        text += "\n" + _TABLE_HEADS[symbol.kind]
        text += "".join(_row(symbol, attribute) for attribute in symbol.attributes)
    return text


def _without_example_heading(doc: str) -> str:
    """`Example:` and its indented block as Markdown."""
    before, found, block = doc.partition("Example:\n")
    if not found:
        return doc
    lines = block.split("\n")
    indent = len(lines[0]) - len(lines[0].lstrip())
    return before + "\n".join(line[indent:] for line in lines).rstrip()


def _row(symbol: Symbol, attribute: Attribute) -> str:
    name = f"`{attribute.name}`" + (" (required)" if attribute.required else "")
    doc = attribute.doc.replace("|", "\\|")
    given = attribute.default not in ("", "None", '""', "[]", "{}", "False", "0")
    if given and "efault" not in doc:
        doc += f" Default: `{attribute.default}`."
    kind = f" {attribute.kind} |" if symbol.kind == "rule" else ""
    return f"| {name} |{kind} {doc} |\n"
