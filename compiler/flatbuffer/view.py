"""Reads the tables of a FlatBuffer by field name, through a `TableType`.

Every access is checked by `frontend.flatbuffer`; damage is an InvalidModelError.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

from ..frontend.flatbuffer import FlatBuffer, Table
from .schema import TableType


class View:
    """One table of a buffer. Absent references read as None, absent scalars as defaults."""

    __slots__ = ("_kind", "_table")

    def __init__(self, table: Table, kind: TableType) -> None:
        self._table = table
        self._kind = kind

    def integer(self, name: str) -> int:
        """A scalar field (enums and bool included)."""
        return int(self._scalar(name))

    def real(self, name: str) -> float:
        return float(self._scalar(name))

    def blob(self, name: str) -> bytes | None:
        """The bytes of a byte vector or string."""
        span = self._table.span(self._slot(name), name)
        if span is None:
            return None
        self._table.buffer.charge(span.length, self._path(name), span.start)
        return self._table.buffer.bytes(span)

    def text(self, name: str) -> str | None:
        """A string; bytes that are no UTF-8 survive as surrogates."""
        data = self.blob(name)
        return None if data is None else data.decode("utf-8", "surrogateescape")

    def vector(self, name: str, kind: str = "int32") -> tuple[Any, ...] | None:
        """A vector of scalars."""
        return self._table.vector(self._slot(name), name, kind)

    def pairs(self, name: str) -> tuple[tuple[int, int], ...] | None:
        """A vector of structs of two int32."""
        span = self._table.span(self._slot(name), name, 8)
        if span is None:
            return None
        buffer = self._table.buffer
        buffer.charge(span.length, self._path(name), span.start)
        flat = struct.unpack(f"<{span.length // 4}i", buffer.bytes(span))
        return tuple(zip(flat[::2], flat[1::2], strict=True))

    def table(self, name: str, kind: TableType) -> View | None:
        """A table, or the value of a union whose member is `kind`."""
        table = self._table.table(self._slot(name), name)
        return None if table is None else View(table, kind)

    def tables(self, name: str, kind: TableType) -> list[View] | None:
        """A vector of tables."""
        slot = self._slot(name)
        if not self._table.has(slot):
            return None
        return [View(table, kind) for table in self._table.tables(slot, name)]

    def blobs(self, name: str) -> Iterator[bytes]:
        """A vector of strings; empty where absent."""
        buffer = self._table.buffer
        span = self._table.span(self._slot(name), name, 4)
        if span is None:
            return
        path = self._path(name)
        for position in range(span.start, span.start + span.length, 4):
            target = buffer.follow(position, path)
            count = buffer.count_at(target, 1, path)
            buffer.charge(count + 4, path, target)
            yield buffer.data[target + 4 : target + 4 + count]

    def _scalar(self, name: str) -> int | float:
        field = self._kind.fields[name]
        return self._table.scalar(field.slot, name, field.type, field.default)

    def _slot(self, name: str) -> int:
        return self._kind.fields[name].slot

    def _path(self, name: str) -> str:
        return f"{self._table.path}.{name}"


def root_view(data: bytes, kind: TableType, source: str, identifier: bytes = b"") -> View:
    """The root table of the buffer `data`, called `source` in messages; `identifier`: the file
    identifier it must have."""
    buffer = FlatBuffer(data, source)
    if identifier and buffer.identifier() != identifier:
        raise buffer.error("file identifier", f"is not {identifier.decode()}", 4)
    return View(buffer.root(kind.name), kind)
