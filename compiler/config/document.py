"""YAML text as a tree of nodes that know their line and their key.

Only what a configuration needs: no anchors, tags, merges or several documents, and no key
twice. Everything else is a ConfigError.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

from .errors import ConfigError

MAX_BYTES = 1 << 20
MAX_DEPTH = 20
_TAG = "tag:yaml.org,2002:"


@dataclass(frozen=True, slots=True)
class Node:
    """One value. key: path from the root (`models.detector.src`); kind: `map`, `seq`, `str`,
    `int`, `float`, `bool` or `null`; text: a scalar as written."""

    file: str
    line: int
    key: str
    kind: str
    text: str = ""
    entries: tuple[tuple[str, Node], ...] = ()
    items: tuple[Node, ...] = ()

    def fail(
        self, message: str, *, actual: object = None, allowed: object = None, hint: str = ""
    ) -> NoReturn:
        """Raise a ConfigError about this value."""
        raise ConfigError(
            message,
            file=self.file,
            line=self.line,
            key=self.key,
            actual=actual,
            allowed=allowed,
            hint=hint,
        )

    def shown(self) -> str:
        """The value for a message."""
        return {"map": "a mapping", "seq": "a list", "null": "nothing"}.get(self.kind, self.text)


def read_document(text: bytes, file: str) -> Node:
    """The tree of a YAML text; `file` is what messages call it. Raises ConfigError."""
    import yaml  # noqa: PLC0415 - only configurations need it

    if len(text) > MAX_BYTES:
        raise ConfigError("the file is too large", file=file, actual=len(text), allowed=MAX_BYTES)
    try:
        decoded = text.decode("utf-8")
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        raise ConfigError("the file is not UTF-8 text", file=file, line=line) from None
    loader = yaml.SafeLoader
    try:
        _check_events(yaml.parse(decoded, Loader=loader), file)
        root = yaml.compose(decoded, Loader=loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 0
        raise ConfigError(f"not YAML: {error.problem}", file=file, line=line) from None
    except yaml.reader.ReaderError as error:
        line = decoded.count("\n", 0, error.position) + 1
        raise ConfigError(f"not YAML: {error.reason}", file=file, line=line) from None
    if root is None:
        raise ConfigError("the file is empty", file=file, hint="It begins with 'version: 1'.")
    return _node(root, file, "")


def _check_events(events: Iterator[Any], file: str) -> None:
    """Refuse what is not plain data before any tree is built from it."""
    depth = documents = 0
    for event in events:
        kind = type(event).__name__
        line = event.start_mark.line + 1
        depth += kind.endswith("StartEvent") - kind.endswith("EndEvent")
        documents += kind == "DocumentStartEvent"
        if documents > 1:
            raise ConfigError("only one document is allowed in the file", file=file, line=line)
        if depth > MAX_DEPTH:
            raise ConfigError("nested too deeply", file=file, line=line)
        if getattr(event, "anchor", None):
            raise ConfigError(
                f"anchors and aliases are not supported ({event.anchor})",
                file=file,
                line=line,
                hint="Common values belong in 'defaults'.",
            )
        if getattr(event, "tag", None):
            raise ConfigError(f"tags are not supported ({event.tag})", file=file, line=line)


def _node(raw: Any, file: str, key: str) -> Node:  # noqa: ANN401 - PyYAML's nodes have no types
    line = raw.start_mark.line + 1
    kind = raw.tag.removeprefix(_TAG)
    if raw.id == "mapping":
        return Node(file, line, key, "map", entries=tuple(_entries(raw, file, key)))
    if raw.id == "sequence":
        items = (_node(item, file, f"{key}[{i}]") for i, item in enumerate(raw.value))
        return Node(file, line, key, "seq", items=tuple(items))
    if kind not in ("str", "int", "float", "bool", "null"):
        kind = "str"  # dates and the like
    return Node(file, line, key, kind, text=raw.value)


def _entries(raw: Any, file: str, key: str) -> Iterator[tuple[str, Node]]:  # noqa: ANN401
    first: dict[str, int] = {}
    for name_node, value_node in raw.value:
        name = _node(name_node, file, key)
        if name.kind != "str":
            name.fail("a key has to be text", actual=name.shown(), hint="Put it in quotes.")
        path = f"{key}.{name.text}" if key else name.text
        if name.text in first:
            where = f"first in line {first[name.text]}"
            raise ConfigError(f"given twice, {where}", file=file, line=name.line, key=path)
        first[name.text] = name.line
        value = _node(value_node, file, path)
        # A value that is missing has no place of its own.
        yield name.text, value if value.kind != "null" else Node(file, name.line, path, "null")
