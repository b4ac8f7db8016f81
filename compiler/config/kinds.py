"""Kinds of values in edgetpu.yaml: how each is read, described, and written as JSON Schema."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Protocol

from .document import Node

NAME = r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$"
"""Names become Bazel targets and file names."""


class Kind(Protocol):
    """How a value is read."""

    def read(self, node: Node) -> Any:  # noqa: ANN401 - a value's type is its kind's
        """The value. Raises ConfigError."""
        ...

    def schema(self) -> dict[str, Any]:
        """As JSON Schema."""
        ...

    def describe(self) -> str:
        """In a few words, for the reference page."""
        ...


@dataclass(frozen=True, slots=True)
class Text:
    """Any text that is not empty."""

    what: str = "text"

    def read(self, node: Node) -> str:
        if node.kind != "str":
            hint = "Put it in quotes." if node.kind in ("int", "float", "bool") else ""
            node.fail(f"expected {self.what}", actual=node.shown(), hint=hint)
        if not node.text.strip() or not node.text.isprintable():
            node.fail(f"expected {self.what}", actual=repr(node.text))
        return node.text

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "minLength": 1}

    def describe(self) -> str:
        return self.what


@dataclass(frozen=True, slots=True)
class FilePath:
    """A file below the folder of edgetpu.yaml, with one of these suffixes; or a label."""

    suffix: str
    label: bool = False

    def read(self, node: Node) -> str:
        path = Text("a path").read(node)
        if path.startswith(("//", "@", ":")):
            if not self.label:
                node.fail("a Bazel label is not allowed here", actual=path)
            return path
        parts = PurePosixPath(path).parts
        if path.startswith("/") or "\\" in path or ".." in parts:
            node.fail(
                "the path must lead into the folder of this file",
                actual=path,
                hint="It is relative, with '/', and without '..'.",
            )
        if not path.endswith(self.suffix) or PurePosixPath(path).name == self.suffix:
            node.fail(f"expected a {self.suffix} file", actual=path)
        return str(PurePosixPath(path))

    def schema(self) -> dict[str, Any]:
        pattern = re.escape(self.suffix).replace(r"\.", "[.]") + "$"
        return {"type": "string", "pattern": f"({pattern})|^(//|@|:)" if self.label else pattern}

    def describe(self) -> str:
        return f"`{self.suffix}` file" + (" or label" if self.label else "")


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number from `low` to `high` (None: no limit)."""

    low: int
    high: int | None = None

    def read(self, node: Node) -> int:
        limits = f"{self.low} to {self.high}" if self.high is not None else f"{self.low} or more"
        if node.kind != "int" or not re.fullmatch(r"[+-]?(0|[1-9][0-9]{0,17})", node.text):
            node.fail("expected a whole number", actual=node.shown(), allowed=limits)
        value = int(node.text)
        if value < self.low or (self.high is not None and value > self.high):
            node.fail("out of range", actual=value, allowed=limits)
        return value

    def schema(self) -> dict[str, Any]:
        limits = {"minimum": self.low, "maximum": self.high}
        numbers = {name: value for name, value in limits.items() if value is not None}
        return {"type": "integer", **numbers}

    def describe(self) -> str:
        return f"{self.low} to {self.high}" if self.high is not None else f"number >= {self.low}"


@dataclass(frozen=True, slots=True)
class Switch:
    """true or false."""

    def read(self, node: Node) -> bool:
        if node.kind != "bool":
            node.fail("expected true or false", actual=node.shown())
        return node.text.lower() in ("true", "yes", "on")

    def schema(self) -> dict[str, Any]:
        return {"type": "boolean"}

    def describe(self) -> str:
        return "true or false"


@dataclass(frozen=True, slots=True)
class Choice:
    """One of some texts; numbers may be written without quotes."""

    allowed: Sequence[str]

    def read(self, node: Node) -> str:
        if node.kind in ("map", "seq", "null") or node.text not in self.allowed:
            node.fail("unknown value", actual=node.shown(), allowed=" or ".join(self.allowed))
        return node.text

    def schema(self) -> dict[str, Any]:
        numbers = [float(text) for text in self.allowed if re.fullmatch(r"[0-9]+\.[0-9]+", text)]
        return {"enum": [*self.allowed, *numbers]}

    def describe(self) -> str:
        return " or ".join(f"`{text}`" for text in self.allowed)


@dataclass(frozen=True, slots=True)
class Reference:
    """The name of an entry of another section."""

    section: str

    def read(self, node: Node) -> str:
        return Text(f"the name of one of the {self.section}").read(node)

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": NAME}

    def describe(self) -> str:
        return f"one of `{self.section}`"


@dataclass(frozen=True, slots=True)
class Several:
    """A list of at least `least` values, none of them twice."""

    of: Kind
    least: int = 1

    def read(self, node: Node) -> tuple[Any, ...]:
        if node.kind != "seq":
            node.fail("expected a list", actual=node.shown())
        if len(node.items) < self.least:
            node.fail("the list is too short", actual=len(node.items), allowed=f">= {self.least}")
        values = tuple(self.of.read(item) for item in node.items)
        for index, item in enumerate(node.items):
            if values[index] in values[:index]:
                item.fail("is in the list twice", actual=values[index])
        return values

    def schema(self) -> dict[str, Any]:
        return {
            "type": "array",
            "items": self.of.schema(),
            "minItems": self.least,
            "uniqueItems": True,
        }

    def describe(self) -> str:
        return f"list: {self.of.describe()}"
