"""A bounds-checked view of a FlatBuffers file: reads hostile bytes, writes nothing.

Every offset, size and count is checked against the file before it is used, values need not be
aligned, and the total amount of decoded data is bounded by the size of the file, so that a
small file whose tables point at each other cannot cost more time than a well-formed one.
Every failure is an `InvalidModelError` with the file, the field and the byte offset.

Facts: the FlatBuffers binary format (https://flatbuffers.dev/internals/). A table begins with
a signed offset back to its vtable; a vtable holds its own size, the table's size and one
16-bit field offset a slot (0: the field has its default); references are unsigned 32-bit
offsets forward from where they stand; vectors and strings begin with a 32-bit count.
"""

from __future__ import annotations

import struct
from typing import Any, TypeAlias

from ..errors import InvalidModelError, Where
from ..fast_dataclass import dataclass

Scalar: TypeAlias = "bool | int | float"

SCALAR_TYPES = {
    "bool": ("?", 1),
    "int8": ("b", 1),
    "uint8": ("B", 1),
    "int16": ("h", 2),
    "uint16": ("H", 2),
    "int32": ("i", 4),
    "uint32": ("I", 4),
    "int64": ("q", 8),
    "uint64": ("Q", 8),
    "float32": ("f", 4),
    "float64": ("d", 8),
}
"""Schema scalar type -> (`struct` format, bytes)."""

_SLACK = 1 << 16
_OFFSET = struct.Struct("<I")
_BACK = struct.Struct("<i")
_VTABLE = struct.Struct("<HH")


@dataclass(frozen=True, slots=True)
class Span:
    """`length` bytes of the file from `start` on; already checked to lie inside it."""

    start: int
    length: int


class FlatBuffer:
    """The bytes of one file. `source` is the name that error messages show."""

    __slots__ = ("_budget", "data", "source")

    def __init__(self, data: bytes, source: str) -> None:
        self.data = data
        self.source = source
        self._budget = 4 * len(data) + _SLACK

    def root(self, path: str) -> Table:
        """The root table; `path` is what error messages call it."""
        return self.table_at(self.follow(0, path), path)

    def identifier(self) -> bytes:
        """The file identifier: bytes 4..7, shorter where the file ends before."""
        return self.data[4:8]

    def error(self, path: str, problem: str, position: int) -> InvalidModelError:
        """The error for `problem` of the field `path` at byte `position`."""
        return InvalidModelError(
            f"{path} {problem} at byte {position} of {len(self.data)}",
            where=Where(file=self.source),
            hint="The file is damaged or cut short",
        )

    def check(self, position: int, length: int, path: str) -> None:
        """Raise unless `length` bytes at `position` lie inside the file."""
        if position < 0 or position + length > len(self.data):
            raise self.error(path, f"needs {length} bytes outside the file", position)

    def charge(self, amount: int, path: str, position: int) -> None:
        """Count `amount` decoded bytes; raise once far more was decoded than the file holds."""
        self._budget -= amount
        if self._budget < 0:
            raise self.error(path, "refers to the same data too many times", position)

    def follow(self, position: int, path: str) -> int:
        """Where the forward reference at `position` points."""
        size = len(self.data)
        if position < 0 or position + 4 > size:
            self.check(position, 4, path)
        target = position + int(_OFFSET.unpack_from(self.data, position)[0])
        if target + 4 > size:
            self.check(target, 4, path)
        return target

    def table_at(self, position: int, path: str) -> Table:
        """The table at byte `position`, its vtable checked."""
        self.check(position, 4, path)
        vtable = position - int(_BACK.unpack_from(self.data, position)[0])
        if vtable < 0 or vtable + 4 > len(self.data):
            self.check(vtable, 4, f"{path} (vtable)")
        vtable_size, size = _VTABLE.unpack_from(self.data, vtable)
        if vtable_size < 4 or vtable_size % 2 or size < 4:
            raise self.error(path, f"has a damaged vtable ({vtable_size}, {size})", vtable)
        if max(vtable + vtable_size, position + size) > len(self.data):
            self.check(vtable, vtable_size, f"{path} (vtable)")
            self.check(position, size, path)
        self.charge(size + vtable_size, path, position)
        slots = struct.unpack_from(f"<{vtable_size // 2 - 2}H", self.data, vtable + 4)
        return Table(self, position, size, slots, path)

    def count_at(self, position: int, width: int, path: str) -> int:
        """The count of the vector at `position`, whose items of `width` bytes are inside."""
        self.check(position, 4, path)
        (count,) = struct.unpack_from("<I", self.data, position)
        if position + 4 + count * width > len(self.data):
            raise self.error(path, f"holds {count} items, more than the file has,", position)
        return int(count)

    def array(self, span: Span, dtype: str, shape: tuple[int, ...]) -> Any:  # noqa: ANN401
        """A read-only numpy view (no copy) of `span` as `shape` elements of `dtype`.

        dtype: a numpy type name with byte order, such as "<i4". The product of `shape` must
        fill the span exactly; the caller has checked that.
        """
        import numpy as np  # noqa: PLC0415

        if not span.length:
            return np.empty(shape, dtype)
        item = np.dtype(dtype)
        count = span.length // item.itemsize
        return np.frombuffer(self.data, item, count, span.start).reshape(shape)

    def bytes(self, span: Span) -> bytes:
        """A copy of `span`."""
        return self.data[span.start : span.start + span.length]


class Table:
    """One table. Fields are named by slot (the schema's field id) and, for messages, by name."""

    __slots__ = ("_slots", "buffer", "path", "position", "size")

    def __init__(
        self, buffer: FlatBuffer, position: int, size: int, slots: tuple[int, ...], path: str
    ) -> None:
        self.buffer = buffer
        self.position = position
        self.size = size
        self.path = path
        self._slots = slots

    def has(self, slot: int) -> bool:
        """Whether the field is stored; False means it has its default."""
        return slot < len(self._slots) and self._slots[slot] != 0

    def _field(self, slot: int, name: str, width: int) -> int:
        """Byte position of a stored field of `width` bytes, 0 where it has its default."""
        offset = self._slots[slot] if slot < len(self._slots) else 0
        if not offset:
            return 0
        if offset < 4 or offset + width > self.size:
            path = f"{self.path}.{name}"
            raise self.buffer.error(path, "lies outside its table", self.position + offset)
        return self.position + offset

    def _target(self, slot: int, name: str) -> int:
        position = self._field(slot, name, 4)
        return self.buffer.follow(position, f"{self.path}.{name}") if position else 0

    def scalar(self, slot: int, name: str, kind: str, default: Scalar) -> Scalar:
        """A field of a `SCALAR_TYPES` type."""
        code, width = SCALAR_TYPES[kind]
        position = self._field(slot, name, width)
        if not position:
            return default
        value: Scalar = struct.unpack_from("<" + code, self.buffer.data, position)[0]
        return value

    def integer(self, slot: int, name: str, kind: str = "int32", default: int = 0) -> int:
        """An integer or enum field."""
        return int(self.scalar(slot, name, kind, default))

    def boolean(self, slot: int, name: str, default: bool = False) -> bool:
        """A bool field: any byte but 0 is True."""
        return bool(self.scalar(slot, name, "bool", default))

    def span(self, slot: int, name: str, width: int = 1) -> Span | None:
        """The items of a vector of `width`-byte items, not decoded; None where absent."""
        position = self._target(slot, name)
        if not position:
            return None
        count = self.buffer.count_at(position, width, f"{self.path}.{name}")
        return Span(position + 4, count * width)

    def vector(self, slot: int, name: str, kind: str = "int32") -> tuple[Any, ...] | None:
        """The items of a vector of `SCALAR_TYPES` scalars; None where absent."""
        code, width = SCALAR_TYPES[kind]
        span = self.span(slot, name, width)
        if span is None:
            return None
        self.buffer.charge(span.length + 4, f"{self.path}.{name}", span.start)
        return struct.unpack_from(f"<{span.length // width}{code}", self.buffer.data, span.start)

    def string(self, slot: int, name: str) -> str | None:
        """A string field; None where absent. Bytes that are not UTF-8 are an error."""
        span = self.span(slot, name)
        if span is None:
            return None
        path = f"{self.path}.{name}"
        self.buffer.charge(span.length + 4, path, span.start)
        try:
            return self.buffer.bytes(span).decode()
        except UnicodeDecodeError as error:
            position = span.start + error.start
            raise self.buffer.error(path, "is not UTF-8 text", position) from None

    def table(self, slot: int, name: str) -> Table | None:
        """A table field (also the value of a union field); None where absent."""
        position = self._target(slot, name)
        return self.buffer.table_at(position, f"{self.path}.{name}") if position else None

    def tables(self, slot: int, name: str) -> list[Table]:
        """A vector of tables, empty where absent."""
        buffer = self.buffer
        span = self.span(slot, name, 4)
        if span is None:
            return []
        path = f"{self.path}.{name}"
        buffer.charge(span.length, path, span.start)
        found = []
        for item in range(span.length // 4):
            item_path = f"{path}[{item}]"
            position = buffer.follow(span.start + 4 * item, item_path)
            found.append(buffer.table_at(position, item_path))
        return found
