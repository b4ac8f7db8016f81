"""Descriptions of FlatBuffer tables: the one source of slot order for writers and readers."""

from __future__ import annotations

import functools

from ..fast_dataclass import dataclass
from ..frontend.flatbuffer import SCALAR_TYPES

REFERENCE = "ref"
"""Type of a field that holds the offset of a string, vector or table."""


@dataclass(frozen=True, slots=True)
class FieldType:
    """One field: `slot` in the vtable, `type` REFERENCE or a key of SCALAR_TYPES, `size` bytes
    in the table, `code` of the struct module."""

    name: str
    slot: int
    type: str
    default: float
    size: int
    code: str


class TableType:
    """A table, described as `name:type` or `name:type=default` words in slot order.

    A union takes two words (`x_type:uint8 x:ref`), as in the schema.
    """

    def __init__(self, name: str, description: str) -> None:
        self.name = name
        self._description = description

    @functools.cached_property
    def fields(self) -> dict[str, FieldType]:
        """The fields by name, in slot order."""
        parsed = (_field(slot, word) for slot, word in enumerate(self._description.split()))
        return {field.name: field for field in parsed}

    @functools.cached_property
    def write_order(self) -> tuple[FieldType, ...]:
        """Larger fields first, later fields first within a size: the order in which the
        generated C++ `Create...` functions add fields, hence descending addresses."""
        return tuple(sorted(self.fields.values(), key=lambda field: (-field.size, -field.slot)))


def _field(slot: int, word: str) -> FieldType:
    declaration, _, default = word.partition("=")
    name, _, kind = declaration.partition(":")
    code, size = ("I", 4) if kind == REFERENCE else SCALAR_TYPES[kind]
    return FieldType(name, slot, kind, int(default or 0), size, code)
