"""A FlatBuffer builder that gives the bytes of the C++ `FlatBufferBuilder`.

Buffers are written back to front: what is created first lies last. Every method returns the
distance of the object from the end of the buffer, which is how other objects refer to it.
Large byte vectors are kept by reference until `finish` joins everything once.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

from ..errors import InternalError
from .schema import REFERENCE, TableType


class FlatBufferWriter:
    """Builds one buffer; strings, vectors and tables must exist before what refers to them."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0
        self._alignment = 1
        self._vtables: dict[bytes, int] = {}

    def string(self, text: bytes, alignment: int = 4) -> int:
        """A length-prefixed string with a terminating zero; `alignment` of its first byte."""
        self._pad(alignment, len(text) + 1)
        self._pad(4, len(text) + 1)
        self._push(b"\0")
        return self._end_vector(text, len(text))

    def byte_vector(self, data: bytes, alignment: int = 1) -> int:
        """A vector of bytes; `alignment` of its first element."""
        self._pad(alignment, len(data))
        self._pad(4, len(data))
        return self._end_vector(data, len(data))

    def vector(self, code: str, values: Sequence[float], per_element: int = 1) -> int:
        """A vector of scalars (`code` of the struct module) or of structs of `per_element`
        equal scalars, flattened."""
        data = struct.pack(f"<{len(values)}{code}", *values)
        self._pad(4, len(data))
        self._pad(struct.calcsize("<" + code), len(data))
        return self._end_vector(data, len(values) // per_element)

    def references(self, targets: Sequence[int]) -> int:
        """A vector of offsets to objects that exist already."""
        self._pad(4, 4 * len(targets))
        end = self._size + 4 * len(targets)
        relative = [end - 4 * i - target for i, target in enumerate(targets)]
        return self._end_vector(struct.pack(f"<{len(targets)}I", *relative), len(targets))

    def table(self, kind: TableType, **values: float | None) -> int:
        """A table; values that are None, or equal to the default, take no space."""
        return self._table(kind, values, force_defaults=False)

    def table_with_defaults(self, kind: TableType, **values: float | None) -> int:
        """A table that also stores values equal to the default."""
        return self._table(kind, values, force_defaults=True)

    def finish(self, root: int, identifier: bytes = b"") -> bytes:
        """The buffer: root offset, optional four-byte identifier, objects."""
        self._pad(self._alignment, 4 + len(identifier))
        self._push(identifier)
        self._push(struct.pack("<I", self._size + 4 - root))
        return b"".join(reversed(self._pieces))

    def _table(
        self, kind: TableType, values: Mapping[str, float | None], *, force_defaults: bool
    ) -> int:
        if not values.keys() <= kind.fields.keys():
            raise InternalError(f"{kind.name} has no {sorted(values.keys() - kind.fields.keys())}")
        end = self._size
        ends = [0] * len(kind.fields)
        for field in kind.write_order:
            value = values.get(field.name)
            if value is None:
                continue
            if field.type == REFERENCE:
                self._pad(4, 0)
                value = self._size + 4 - value
            elif value == field.default and not force_defaults:
                continue
            self._pad(field.size, 0)
            self._push(struct.pack("<" + field.code, value))
            ends[field.slot] = self._size
        return self._end_table(end, ends)

    def _end_table(self, end: int, ends: list[int]) -> int:
        """Write the table's vtable offset, and its vtable unless an equal one exists."""
        self._pad(4, 0)
        position = self._size + 4
        while ends and not ends[-1]:
            ends.pop()
        entries = [position - field_end if field_end else 0 for field_end in ends]
        vtable = struct.pack(f"<{len(ends) + 2}H", 4 + 2 * len(ends), position - end, *entries)
        known = self._vtables.get(vtable)
        if known is not None:
            self._push(struct.pack("<i", known - position))
            return position
        self._push(struct.pack("<i", len(vtable)))
        self._push(vtable)
        self._vtables[vtable] = self._size
        return position

    def _end_vector(self, data: bytes, count: int) -> int:
        self._push(data)
        self._push(struct.pack("<I", count))
        return self._size

    def _pad(self, alignment: int, upcoming: int) -> None:
        """Zeros, so that after `upcoming` more bytes the position is aligned."""
        self._alignment = max(self._alignment, alignment)
        count = -(self._size + upcoming) % alignment
        if count:
            self._push(bytes(count))

    def _push(self, data: bytes) -> None:
        self._pieces.append(data)
        self._size += len(data)
