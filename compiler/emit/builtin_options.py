"""Writes the builtin options table of an operator that stays on the CPU.

Reads the Graph level. The vendor's writer gives every builtin operator the table its kind
takes, also where the source model has none, and leaves defaults out. Facts:
docs/format/container.md, "Outer model".
"""

from __future__ import annotations

import functools
from typing import NamedTuple

from ..flatbuffer.schema import REFERENCE, TableType
from ..flatbuffer.writer import FlatBufferWriter
from ..frontend.flatbuffer import SCALAR_TYPES
from ..frontend.graph import Operator
from ..frontend.operator_options import expected_table
from ..frontend.option_tables import OptionTable, option_table


class UnionValue(NamedTuple):
    """A written options table: `union` 1 or 2 (BuiltinOptions, BuiltinOptions2), its member
    `number` and where the table lies."""

    union: int
    number: int
    offset: int


def write_builtin_options(writer: FlatBufferWriter, op: Operator) -> UnionValue | None:
    """The operator's options table, None if its kind has none."""
    table = option_table(op.options_type) if op.options_type else expected_table(op.name)
    if table is None:
        return None
    values: dict[str, float | None] = {}
    for field in table.fields:
        value = op.options.get(field.name)
        if value is None or field.is_scalar:
            values[field.name] = value
        elif field.type == "string":
            values[field.name] = writer.string(value.encode("utf-8", "surrogateescape"))
        else:
            code = SCALAR_TYPES[field.type.removesuffix("[]")][0]
            values[field.name] = writer.vector(code, value)
    offset = writer.table(_table_type(table.name), **values)
    return UnionValue(table.union, table.number, offset)


@functools.cache
def _table_type(name: str) -> TableType:
    table = option_table(name)
    return TableType(name, " ".join(_slots(table)))


def _slots(table: OptionTable) -> list[str]:
    """The words of a TableType; removed fields keep their slot."""
    fields = {field.slot: field for field in table.fields}
    words = []
    for slot in range(max(fields, default=-1) + 1):
        field = fields.get(slot)
        if field is None:
            words.append(f"removed_{slot}:int32")
        elif field.is_scalar:
            words.append(f"{field.name}:{field.type}={int(field.default or 0)}")
        else:
            words.append(f"{field.name}:{REFERENCE}")
    return words
