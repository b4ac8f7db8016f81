"""Reads a TensorFlow Lite file and writes the Graph level.

Nothing in the file is trusted: `flatbuffer` checks every offset, this module every index and
size that the Graph level needs, `validate` the meaning. What comes out is safe to index.
Accepted files and every error: docs/format/tflite_input.md.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InvalidModelError, UnsupportedModelError, Where
from .file_kind import read_file, refuse_other_kinds
from .flatbuffer import FlatBuffer, Span, Table
from .graph import Graph, Operator, Quantization, Tensor, TensorType
from .operator_options import expected_table
from .option_tables import OptionTable, builtin_operator_name, option_table_of
from .validate import validate

if TYPE_CHECKING:
    import numpy as np

SCHEMA_VERSION = 3
COMPILED_OPERATOR = "edgetpu-custom-op"
"""Custom operator of a compiled model: it holds a whole subgraph for the Edge TPU."""

STORED_TYPES = {
    TensorType.FLOAT32: ("<f4", 32),
    TensorType.FLOAT16: ("<f2", 16),
    TensorType.INT32: ("<i4", 32),
    TensorType.UINT8: ("u1", 8),
    TensorType.INT64: ("<i8", 64),
    TensorType.BOOL: ("?", 8),
    TensorType.INT16: ("<i2", 16),
    TensorType.COMPLEX64: ("<c8", 64),
    TensorType.INT8: ("i1", 8),
    TensorType.FLOAT64: ("<f8", 64),
    TensorType.COMPLEX128: ("<c16", 128),
    TensorType.UINT64: ("<u8", 64),
    TensorType.UINT32: ("<u4", 32),
    TensorType.UINT16: ("<u2", 16),
    TensorType.INT4: ("", 4),
    TensorType.BFLOAT16: ("<u2", 16),
}
"""Tensor type -> (numpy type of a stored constant, bits an element); "" has no numpy type.
Strings, resources and variants are not here: their size does not follow from the shape."""

MAX_RANK = 32


def read_model(path: str | Path, *, compiled: bool = False) -> Graph:
    """The checked Graph of the TFLite file at `path`.

    compiled: also accept the output of an Edge TPU compiler (for the emulator and the object
    dump); otherwise a model that holds an edgetpu-custom-op is refused.
    Raises InvalidModelError or, for a valid model of a kind that cannot be compiled,
    UnsupportedModelError; no other exception.
    """
    source = str(path)
    return read_model_bytes(read_file(path), source, compiled=compiled)


def read_model_bytes(data: bytes, source: str, *, compiled: bool = False) -> Graph:
    """As `read_model`, from the bytes of a file called `source` in messages."""
    refuse_other_kinds(data, source)
    graph = _Reader(FlatBuffer(data, source)).graph()
    if not compiled:
        _refuse_compiled(graph)
    validate(graph)
    return graph


def _refuse_compiled(graph: Graph) -> None:
    for operator in graph.operators:
        if operator.custom_code == COMPILED_OPERATOR:
            raise InvalidModelError(
                "the model is already compiled for the Edge TPU",
                where=Where(graph.source, f"operator {operator.index} ({COMPILED_OPERATOR})"),
                hint="Give the compiler the quantised TensorFlow Lite model it was made from",
            )


class _Reader:
    """Decodes one file; the methods follow the schema's tables from the model down."""

    def __init__(self, buffer: FlatBuffer) -> None:
        self.buffer = buffer
        self.where = Where(file=buffer.source)
        self.model = buffer.root("Model")
        self._check_version()
        self.buffers = self.model.tables(4, "buffers")
        self.codes = [_operator_code(code) for code in self.model.tables(1, "operator_codes")]

    def _check_version(self) -> None:
        version = self.model.integer(0, "version", "uint32")
        if version != SCHEMA_VERSION:
            raise InvalidModelError(
                "the schema version of the model is not supported",
                where=self.where,
                actual=version,
                allowed=SCHEMA_VERSION,
                hint="Convert the model again with a current TensorFlow Lite converter",
            )

    def graph(self) -> Graph:
        subgraph = self._subgraph()
        name = subgraph.string(4, "name") or ""
        inputs = subgraph.vector(1, "inputs") or ()
        outputs = subgraph.vector(2, "outputs") or ()
        operators = tuple(
            self._operator(index, table)
            for index, table in enumerate(subgraph.tables(3, "operators"))
        )
        fed = {*inputs, *(tensor for op in operators for tensor in op.outputs)}
        tensors = tuple(
            self._tensor(index, table, index in fed)
            for index, table in enumerate(subgraph.tables(0, "tensors"))
        )
        return Graph(self.buffer.source, name, tensors, operators, inputs, outputs)

    def _subgraph(self) -> Table:
        subgraphs = self.model.tables(2, "subgraphs")
        if not subgraphs:
            raise InvalidModelError("the model has no subgraph", where=self.where)
        if len(subgraphs) > 1:
            raise UnsupportedModelError(
                "the model has more than one subgraph",
                where=self.where,
                actual=len(subgraphs),
                allowed=1,
                hint="Models with control flow (IF, WHILE) or several signatures cannot be"
                " compiled; export one function without control flow",
            )
        return subgraphs[0]

    # Tensors

    def _tensor(self, index: int, table: Table, fed: bool) -> Tensor:
        name = table.string(3, "name") or ""
        where = Where(self.buffer.source, tensor=name or str(index))
        tensor_type = _tensor_type(table, where)
        shape = table.vector(0, "shape") or ()
        _check_shape(shape, where)
        return Tensor(
            index=index,
            name=name,
            shape=shape,
            type=tensor_type,
            quantization=_quantization(table, where),
            data=self._constant(table, shape, tensor_type, fed, where),
            is_variable=table.boolean(5, "is_variable"),
            shape_signature=table.vector(7, "shape_signature") or (),
        )

    def _constant(
        self, table: Table, shape: tuple[int, ...], kind: TensorType, fed: bool, where: Where
    ) -> np.ndarray[Any, Any] | None:
        """The tensor's stored elements; None for an activation.

        A tensor of no elements has nothing to store: it is a constant unless it is `fed`
        (written by an operator or a graph input).
        """
        span = self._buffer_span(table.integer(2, "buffer", "uint32"), where)
        empty = 0 in shape and not fed
        if not span.length and not empty:
            return None
        dtype, bits = STORED_TYPES.get(kind, ("", 0))
        if not bits or table.has(6):  # strings and the like, sparse tensors
            return self._array(span, "u1", (span.length,))
        count = _elements(shape)
        if span.length != (count * bits + 7) // 8:
            raise InvalidModelError(
                f"the stored constant does not fill its shape {list(shape)} of {kind.name}",
                where=where,
                actual=f"{span.length} bytes",
                allowed=f"{(count * bits + 7) // 8} bytes",
            )
        return self._array(span, dtype, shape) if dtype else self._array(span, "u1", (span.length,))

    def _array(self, span: Span, dtype: str, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
        array: np.ndarray[Any, Any] = self.buffer.array(span, dtype, shape)
        return array

    def _buffer_span(self, number: int, where: Where) -> Span:
        """Bytes of Model.buffers[number]; in models over 2 GiB they lie behind the flatbuffer."""
        if number >= len(self.buffers):
            raise InvalidModelError(
                "the tensor names a buffer that does not exist",
                where=where,
                actual=number,
                allowed=f"0..{len(self.buffers) - 1}" if self.buffers else "none",
            )
        table = self.buffers[number]
        stored = table.span(0, "data")
        if stored is not None and stored.length:
            return stored
        return self._outer_span(table, (1, "offset"), (2, "size"))

    def _outer_span(self, table: Table, start: tuple[int, str], size: tuple[int, str]) -> Span:
        """Bytes outside the flatbuffer, by their place in the file; 0 and 1 mean none."""
        offset = table.integer(*start, "uint64")
        if offset <= 1:
            return Span(0, 0)
        length = table.integer(*size, "uint64")
        self.buffer.check(offset, length, f"{table.path}.{start[1]}")
        return Span(offset, length)

    # Operators

    def _operator(self, index: int, table: Table) -> Operator:
        code = table.integer(0, "opcode_index", "uint32")
        if code >= len(self.codes):
            raise InvalidModelError(
                "the operator names an operator code that does not exist",
                where=Where(self.buffer.source, f"operator {index}"),
                actual=code,
                allowed=f"0..{len(self.codes) - 1}" if self.codes else "none",
            )
        number, version, custom_code = self.codes[code]
        name = builtin_operator_name(number)
        if name is None:
            raise _unknown_operator(index, number, self.buffer.source)
        where = Where(self.buffer.source, f"operator {index} ({custom_code or name})")
        if name == "CUSTOM" and not custom_code:
            raise InvalidModelError("the custom operator has no name", where=where)
        options_type, options = _options(table, name, where)
        return Operator(
            index=index,
            name=name,
            version=version,
            inputs=table.vector(1, "inputs") or (),
            outputs=table.vector(2, "outputs") or (),
            options_type=options_type,
            options=options,
            custom_code=custom_code if name == "CUSTOM" else "",
            custom_options=self._custom_options(table),
            intermediates=table.vector(8, "intermediates") or (),
        )

    def _custom_options(self, table: Table) -> bytes:
        span = table.span(5, "custom_options")
        if span is None or not span.length:
            span = self._outer_span(
                table, (9, "large_custom_options_offset"), (10, "large_custom_options_size")
            )
        self.buffer.charge(span.length, table.path, span.start)
        return self.buffer.bytes(span)


def _operator_code(table: Table) -> tuple[int, int, str]:
    """(BuiltinOperator number, version, custom code) of an OperatorCode.

    Numbers over 127 do not fit the first field; the larger of the two fields counts.
    """
    old = table.integer(0, "deprecated_builtin_code", "int8")
    number = max(old, table.integer(3, "builtin_code"))
    return number, table.integer(2, "version", default=1), table.string(1, "custom_code") or ""


def _unknown_operator(index: int, number: int, source: str) -> InvalidModelError:
    return InvalidModelError(
        f"builtin operator number {number} is not known",
        where=Where(source, f"operator {index}"),
        hint="The model was made for a newer TensorFlow Lite, or the file is damaged",
    )


def _tensor_type(table: Table, where: Where) -> TensorType:
    number = table.integer(1, "type", "int8")
    if not 0 <= number <= max(TensorType):
        raise InvalidModelError(
            "the tensor's element type is not known",
            where=where,
            actual=number,
            allowed=f"0..{max(TensorType):d}",
        )
    return TensorType(number)


def _check_shape(shape: tuple[int, ...], where: Where) -> None:
    """What decoding needs: a rank numpy can hold and sizes that are sizes (-1: dynamic)."""
    if len(shape) > MAX_RANK:
        raise InvalidModelError(
            "the tensor has too many dimensions", where=where, actual=len(shape), allowed=MAX_RANK
        )
    if any(size < -1 for size in shape):
        raise InvalidModelError(
            "the tensor has a negative dimension", where=where, actual=list(shape)
        )


def _elements(shape: tuple[int, ...]) -> int:
    count = 1
    for size in shape:
        count *= max(size, 0)
    return count


def _quantization(table: Table, where: Where) -> Quantization | None:
    """Scales and zero points; None without scales (`min` and `max` alone mean nothing)."""
    details = table.table(4, "quantization")
    if details is None:
        return None
    scales = details.vector(2, "scale", "float32") or ()
    zero_points = details.vector(3, "zero_point", "int64") or ()
    if not scales:
        return None
    if len(zero_points) != len(scales):
        raise InvalidModelError(
            "the tensor's scales and zero points differ in number",
            where=where,
            actual=f"{len(scales)} scales, {len(zero_points)} zero points",
        )
    return Quantization(scales, zero_points, details.integer(6, "quantized_dimension"))


def _options(table: Table, operator: str, where: Where) -> tuple[str, dict[str, Any]]:
    """(options table name, every field's value); the name is "" where the file has no table,
    and the values then are the defaults of the table the operator takes."""
    for union, slot, field in ((1, 3, "builtin_options"), (2, 11, "builtin_options_2")):
        number = table.integer(slot, f"{field}_type", "uint8")
        if not number:
            continue
        kind = option_table_of(union, number)
        if kind is None:
            raise InvalidModelError(
                f"the operator's {field}_type is not known", where=where, actual=number
            )
        _check_options_kind(operator, kind, where)
        stored = table.table(slot + 1, field)
        return kind.name, kind.defaults() if stored is None else _option_values(stored, kind)
    expected = expected_table(operator)
    return "", {} if expected is None else dict(expected.defaults())


def _check_options_kind(operator: str, kind: OptionTable, where: Where) -> None:
    expected = expected_table(operator)
    if expected is not None and expected.fields and kind is not expected:
        raise InvalidModelError(
            "the operator carries the options of another operator",
            where=where,
            actual=kind.name,
            allowed=expected.name,
        )


def _option_values(stored: Table, kind: OptionTable) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for field in kind.fields:
        if field.is_vector:
            values[field.name] = stored.vector(field.slot, field.name, field.type[:-2])
        elif field.type == "string":
            values[field.name] = stored.string(field.slot, field.name)
        else:
            default = field.default if field.default is not None else 0
            values[field.name] = stored.scalar(field.slot, field.name, field.type, default)
    return values
