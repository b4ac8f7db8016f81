"""Nodes as entries: known keys, each read by its kind."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Any

from .document import Node
from .fields import SECTIONS, VERSION, Field, Section
from .kinds import NAME


class Entry:
    """The values of one mapping by key, with the node of each for messages."""

    def __init__(self, name: str, node: Node, fields: Iterable[Field]) -> None:
        """Raises ConfigError for an unknown, missing or malformed key."""
        self.name = name
        self.node = node
        known = {field.name: field for field in fields}
        self.nodes = dict(node.entries)
        for key, value in node.entries:
            _known(value, key, known)
            if value.kind == "null":
                value.fail("has no value")
        for field in known.values():
            if field.required and field.name not in self.nodes:
                node.fail(f"the key '{field.name}' is missing")
        self.values: dict[str, Any] = {
            key: known[key].kind.read(value) for key, value in node.entries
        }

    def get(self, key: str, default: Any = None) -> Any:  # noqa: ANN401 - kinds give any type
        return self.values.get(key, default)

    def at(self, key: str) -> Node:
        """Node of a key, of the entry itself if it is not there."""
        return self.nodes.get(key, self.node)


def _known(node: Node, key: str, known: Iterable[str]) -> None:
    names = list(known)
    if key in names:
        return
    close = difflib.get_close_matches(key, names, 1)
    hint = f"Did you mean '{close[0]}'?" if close else f"Known keys: {', '.join(names)}."
    node.fail("unknown key", hint=hint)


def _mapping(node: Node) -> Node:
    if node.kind != "map":
        node.fail("expected a mapping of keys to values", actual=node.shown())
    return node


def read_sections(root: Node) -> dict[str, dict[str, Entry]]:
    """Entries of every section by name; the one of an unnamed section has the section's name."""
    if root.kind != "map":
        root.fail("the file must be a mapping that begins with 'version: 1'", actual=root.shown())
    nodes = dict(root.entries)
    for key, node in root.entries:
        _known(node, key, [VERSION.name, *(section.name for section in SECTIONS)])
    if VERSION.name not in nodes:
        root.fail("the key 'version' is missing", hint="The file begins with 'version: 1'.")
    VERSION.kind.read(nodes[VERSION.name])
    return {
        section.name: _section(section, nodes[section.name]) if section.name in nodes else {}
        for section in SECTIONS
    }


def _section(section: Section, node: Node) -> dict[str, Entry]:
    _mapping(node)
    if not section.named:
        return {section.name: Entry(section.name, node, section.fields)}
    for name, value in node.entries:
        if not re.match(NAME, name):
            value.fail("a name consists of letters, digits, '_', '-' and '.'", actual=repr(name))
    return {name: Entry(name, _mapping(value), section.fields) for name, value in node.entries}
