"""What documentation says about symbols of .bzl files: read from the source, nothing is run.

Starlark is a subset of Python's syntax, so Python's parser reads it.
"""

from __future__ import annotations

import ast
import inspect
import re
from dataclasses import dataclass
from pathlib import Path

_RULE_MAKERS = ("rule", "provider", "repository_rule")


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute of a rule, a parameter of a macro, or a field of a provider."""

    name: str
    doc: str
    kind: str = ""
    default: str = ""
    required: bool = False


@dataclass(frozen=True, slots=True)
class Symbol:
    """A documented symbol. kind: `macro`, `rule`, `repository_rule` or `provider`."""

    name: str
    kind: str
    doc: str
    attributes: tuple[Attribute, ...]


def read_symbol(file: Path, name: str) -> Symbol:
    """The symbol `name` of a .bzl file. Raises KeyError if it does not define it."""
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return _macro(node)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            target, maker = node.targets[0], node.value.func
            if isinstance(target, ast.Name) and target.id == name and isinstance(maker, ast.Name):
                return _made(name, maker.id, node.value)
    raise KeyError(f"{file.name} does not define {name}")


def _macro(node: ast.FunctionDef) -> Symbol:
    text = ast.get_docstring(node) or ""
    doc, _, arguments = text.partition("\nArgs:\n")
    docs = _entries(arguments)
    defaults = _defaults(node.args)
    names = [argument.arg for argument in node.args.args]
    if node.args.kwarg:
        names.append(f"**{node.args.kwarg.arg}")
    missing = [name for name in names if name not in docs]
    if missing:
        raise KeyError(f"{node.name}: the docstring does not describe {', '.join(missing)}")
    return Symbol(
        node.name,
        "macro",
        doc.strip(),
        tuple(
            Attribute(
                name,
                docs[name],
                default=defaults.get(name, ""),
                required=name not in defaults and not name.startswith("*"),
            )
            for name in names
        ),
    )


def _defaults(arguments: ast.arguments) -> dict[str, str]:
    names = [argument.arg for argument in arguments.args]
    values = [ast.unparse(value).replace("'", '"') for value in arguments.defaults]
    return dict(zip(names[len(names) - len(values) :], values, strict=True))


def _entries(text: str) -> dict[str, str]:
    """`name: description` by name; lines that are indented deeper belong to the one before."""
    found: dict[str, str] = {}
    name = ""
    for line in inspect.cleandoc(text).splitlines():
        start = re.match(r"(\*{0,2}\w+): (.*)", line)
        if start:
            name = start[1]
            found[name] = start[2]
        elif name and line.strip():
            found[name] += " " + line.strip()
    return found


def _made(name: str, kind: str, call: ast.Call) -> Symbol:
    if kind not in _RULE_MAKERS:
        raise KeyError(f"{name} is made by {kind}, of which nothing is known")
    parts = {keyword.arg: keyword.value for keyword in call.keywords}
    attributes: list[Attribute] = []
    if kind == "provider":
        fields = parts["fields"]
        assert isinstance(fields, ast.Dict)
        pairs = zip(fields.keys, fields.values, strict=True)
        attributes = [Attribute(_text(key), _text(value)) for key, value in pairs]
    elif isinstance(parts.get("attrs"), ast.Dict):
        table = parts["attrs"]
        assert isinstance(table, ast.Dict)
        attributes = [
            _attribute(_text(key), value)
            for key, value in zip(table.keys, table.values, strict=True)
            if not _text(key).startswith("_")
        ]
    return Symbol(name, kind, inspect.cleandoc(_text(parts["doc"])), tuple(attributes))


def _attribute(name: str, value: ast.expr) -> Attribute:
    assert isinstance(value, ast.Call)
    assert isinstance(value.func, ast.Attribute)
    parts = {keyword.arg: keyword.value for keyword in value.keywords}
    default = ast.unparse(parts["default"]).replace("'", '"') if "default" in parts else ""
    return Attribute(
        name,
        _text(parts["doc"]),
        value.func.attr.replace("_", " "),
        default,
        "mandatory" in parts,
    )


def _text(node: ast.expr | None) -> str:
    value = ast.literal_eval(node) if node is not None else ""
    return str(value)
