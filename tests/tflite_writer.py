"""Writes TensorFlow Lite files for tests from plain, editable values.

`write_model` checks nothing, so that tests can write damaged models on purpose.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import flatbuffers

from compiler.frontend.option_tables import builtin_operator_number, option_table


@dataclass
class TensorSpec:
    """One tensor; `buffer` indexes ModelSpec.buffers (0: no constant), None leaves a field out."""

    name: str | bytes | None
    shape: Sequence[int] | None
    type: int
    buffer: int = 0
    scales: Sequence[float] | None = None
    zero_points: Sequence[int] | None = None
    axis: int = 0
    is_variable: bool = False
    shape_signature: Sequence[int] | None = None


@dataclass
class OpSpec:
    """One operator; `name` is a BuiltinOperator name or number. `options_type` "": no table."""

    name: str | int
    inputs: Sequence[int]
    outputs: Sequence[int]
    options_type: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    version: int = 1
    custom_code: str = ""
    custom_options: bytes = b""
    code_index: int | None = None


@dataclass
class ModelSpec:
    """A whole file. Buffers hold bytes, or (offset, size) for data behind the flatbuffer."""

    tensors: list[TensorSpec] = field(default_factory=list)
    operators: list[OpSpec] = field(default_factory=list)
    inputs: list[int] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)
    buffers: list[bytes | tuple[int, int]] = field(default_factory=lambda: [b""])
    name: str | None = "main"
    description: str = "made for tests"
    version: int = 3
    subgraphs: int = 1
    identifier: bytes = b"TFL3"


def write_model(spec: ModelSpec) -> bytes:
    """The file's bytes: constants aligned to 16 bytes, one operator code a (name, version)."""
    builder = flatbuffers.Builder(1024)
    buffers = [_buffer(builder, content) for content in spec.buffers]
    codes = _operator_codes(spec.operators)
    subgraph = _subgraph(builder, spec, codes)
    code_tables = [_operator_code(builder, *code) for code in codes]
    model = _table(
        builder,
        (0, "uint32", spec.version, 0),
        (1, "offset", _offsets(builder, code_tables), 0),
        (2, "offset", _offsets(builder, [subgraph] * spec.subgraphs), 0),
        (3, "offset", builder.CreateString(spec.description), 0),
        (4, "offset", _offsets(builder, buffers), 0),
    )
    builder.Finish(model, spec.identifier)
    return bytes(builder.Output())


_Field = tuple[int, str, Any, Any]
_WIDTHS = {"int8": 1, "uint8": 1, "bool": 1, "int16": 2, "int32": 4, "uint32": 4, "float32": 4}


def _prepend(builder: flatbuffers.Builder, kind: str) -> Callable[[Any], None]:
    names = {"offset": "UOffsetTRelative", "bool": "Bool"}
    name = names.get(kind) or kind.capitalize()
    method: Callable[[Any], None] = getattr(builder, f"Prepend{name}")
    return method


def _table(builder: flatbuffers.Builder, *fields: _Field) -> int:
    """A table of (slot, kind, value, default); None and defaults are left out."""
    builder.StartObject(max((slot for slot, *_ in fields), default=-1) + 1)
    for slot, kind, value, default in sorted(fields, key=lambda f: -_WIDTHS.get(f[1], 8)):
        if value is not None and value != default:
            _prepend(builder, kind)(value)
            builder.Slot(slot)
    return int(builder.EndObject())


def _vector(builder: flatbuffers.Builder, kind: str, items: Sequence[Any] | None) -> int | None:
    if items is None:
        return None
    width = _WIDTHS.get(kind, 8) if kind != "offset" else 4
    builder.StartVector(width, len(items), width)
    for item in reversed(items):
        _prepend(builder, kind)(item)
    return int(builder.EndVector())


def _offsets(builder: flatbuffers.Builder, tables: Sequence[int]) -> int | None:
    return _vector(builder, "offset", tables)


def _bytes(builder: flatbuffers.Builder, content: bytes, alignment: int = 16) -> int:
    builder.StartVector(1, len(content), alignment)
    builder.head = builder.Head() - len(content)
    builder.Bytes[builder.Head() : builder.Head() + len(content)] = content
    return int(builder.EndVector())


def _buffer(builder: flatbuffers.Builder, content: bytes | tuple[int, int]) -> int:
    if isinstance(content, tuple):
        return _table(builder, (1, "uint64", content[0], 0), (2, "uint64", content[1], 0))
    data = _bytes(builder, content) if content else None
    return _table(builder, (0, "offset", data, 0))


_Code = tuple["str | int", int, str]


def _operator_codes(operators: Sequence[OpSpec]) -> list[_Code]:
    return list(dict.fromkeys((op.name, op.version, op.custom_code) for op in operators))


def _operator_code(builder: flatbuffers.Builder, name: str | int, version: int, custom: str) -> int:
    number = builtin_operator_number(name) if isinstance(name, str) else name
    text = builder.CreateString(custom) if custom else None
    return _table(
        builder,
        (0, "int8", max(min(number, 127), -128), 0),
        (1, "offset", text, 0),
        (2, "int32", version, 1),
        (3, "int32", number, 0),
    )


def _subgraph(builder: flatbuffers.Builder, spec: ModelSpec, codes: Sequence[_Code]) -> int:
    tensors = [_tensor(builder, tensor) for tensor in spec.tensors]
    operators = [_operator(builder, op, codes) for op in spec.operators]
    name = None if spec.name is None else builder.CreateString(spec.name)
    return _table(
        builder,
        (0, "offset", _offsets(builder, tensors), 0),
        (1, "offset", _vector(builder, "int32", spec.inputs), 0),
        (2, "offset", _vector(builder, "int32", spec.outputs), 0),
        (3, "offset", _offsets(builder, operators), 0),
        (4, "offset", name, 0),
    )


def _tensor(builder: flatbuffers.Builder, tensor: TensorSpec) -> int:
    vector = functools.partial(_vector, builder)
    quantization = None
    if tensor.scales is not None or tensor.zero_points is not None:
        quantization = _table(
            builder,
            (2, "offset", vector("float32", tensor.scales), 0),
            (3, "offset", vector("int64", tensor.zero_points), 0),
            (6, "int32", tensor.axis, 0),
        )
    return _table(
        builder,
        (0, "offset", vector("int32", tensor.shape), 0),
        (1, "int8", tensor.type, 0),
        (2, "uint32", tensor.buffer, 0),
        (3, "offset", None if tensor.name is None else builder.CreateString(tensor.name), 0),
        (4, "offset", quantization, 0),
        (5, "bool", tensor.is_variable, False),
        (7, "offset", vector("int32", tensor.shape_signature), 0),
    )


def _operator(builder: flatbuffers.Builder, op: OpSpec, codes: Sequence[_Code]) -> int:
    index = codes.index((op.name, op.version, op.custom_code))
    kind = option_table(op.options_type) if op.options_type else None
    options = None if kind is None else _options(builder, op)
    slots = (11, 12) if kind and kind.union == 2 else (3, 4)
    return _table(
        builder,
        (0, "uint32", index if op.code_index is None else op.code_index, 0),
        (1, "offset", _vector(builder, "int32", op.inputs), 0),
        (2, "offset", _vector(builder, "int32", op.outputs), 0),
        (slots[0], "uint8", kind.number if kind else 0, 0),
        (slots[1], "offset", options, 0),
        (5, "offset", _bytes(builder, op.custom_options) if op.custom_options else None, 0),
    )


def _options(builder: flatbuffers.Builder, op: OpSpec) -> int:
    kind = option_table(op.options_type)
    unknown = set(op.options) - {option.name for option in kind.fields}
    if unknown:
        raise ValueError(f"{kind.name} has no {sorted(unknown)}")
    fields: list[_Field] = []
    for option in kind.fields:
        value = op.options.get(option.name, option.default)
        if option.is_vector:
            fields.append((option.slot, "offset", _vector(builder, option.type[:-2], value), 0))
        elif option.type == "string":
            text = None if value is None else builder.CreateString(value)
            fields.append((option.slot, "offset", text, 0))
        else:
            fields.append((option.slot, option.type, value, option.default))
    return _table(builder, *fields)
