"""Writes the outer .tflite as the vendor compiler does: TensorFlow Lite's own model writer,
applied to the graph with its Edge TPU operators in place.

Reads an OuterModel, writes bytes. Objects are created in the order of the code below; later
ones lie at lower addresses. Facts: docs/format/container.md, "Outer model".
"""

from __future__ import annotations

from typing import NamedTuple

from ..errors import UnsupportedModelError, Where
from ..flatbuffer.writer import FlatBufferWriter
from ..frontend import tflite_schema as schema
from ..frontend.graph import Graph, Operator, Tensor, TensorType
from ..frontend.option_tables import builtin_operator_number
from .builtin_options import UnionValue, write_builtin_options
from .outer_model import CustomOp, OuterModel

EDGETPU_CUSTOM_OP = "edgetpu-custom-op"
DESCRIPTION = b"Exported from Subgraph."
OPTIONS_ALIGNMENT = 32
"""Alignment in bytes of the Edge TPU operator's option map."""
_LAST_OLD_CODE = 127
"""Larger operator numbers do not fit the deprecated field, which then holds this."""
_FLAT_TYPES = (TensorType.STRING, TensorType.INT4, TensorType.RESOURCE, TensorType.VARIANT)


def write_model(model: OuterModel, *, keep_versions: bool = False) -> bytes:
    """The .tflite file. keep_versions: operators keep the versions of the source model (for
    models that an interpreter or a compiler reads); else all are 1, as the vendor has them.

    Raises UnsupportedModelError for a sparse constant on the CPU, which the format written here
    cannot hold."""
    return _ModelWriter(model, keep_versions).write()


class _Code(NamedTuple):
    """An operator code: BuiltinOperator number, for custom operators their name, version."""

    number: int
    custom_code: str
    version: int = 1


class _ModelWriter(FlatBufferWriter):
    def __init__(self, model: OuterModel, keep_versions: bool) -> None:
        super().__init__()
        self._model = model
        self._keep_versions = keep_versions
        self._graph: Graph = model.graph
        self._kept = model.tensors()
        self._index = {source: index for index, source in enumerate(self._kept)}
        self._index[-1] = -1
        self._codes: dict[_Code, int] = {}
        self._buffers: list[bytes] = [b""]

    def write(self) -> bytes:
        subgraph = self._subgraph()
        buffers = self.references([self._buffer(data) for data in self._buffers])
        description = self.string(DESCRIPTION)
        codes = self.references([self._operator_code(code) for code in self._codes])
        root = self.table(
            schema.MODEL,
            version=schema.VERSION,
            operator_codes=codes,
            subgraphs=self.references([subgraph]),
            description=description,
            buffers=buffers,
        )
        return self.finish(root, schema.IDENTIFIER)

    def _subgraph(self) -> int:
        tensors = [self._tensor(self._graph.tensors[index]) for index in self._kept]
        return self.table(
            schema.SUBGRAPH,
            tensors=self.references(tensors),
            inputs=self._indices(self._model.inputs),
            outputs=self._indices(self._model.outputs),
            operators=self.references([self._operator(op) for op in self._model.operators]),
            name=self._text(self._graph.name),
        )

    def _tensor(self, tensor: Tensor) -> int:
        quantization = self._quantization(tensor)
        name = self._text(tensor.name)
        shape = self.vector("i", tensor.shape)
        return self.table(
            schema.TENSOR,
            shape=shape,
            type=tensor.type,
            buffer=self._buffer_number(tensor),
            name=name,
            quantization=quantization,
            is_variable=tensor.is_variable,
        )

    def _quantization(self, tensor: Tensor) -> int | None:
        quantization = tensor.quantization
        if quantization is None or not quantization.scales:
            return None
        return self.table(
            schema.QUANTIZATION,
            scale=self.vector("f", quantization.scales),
            zero_point=self.vector("q", quantization.zero_points),
            quantized_dimension=quantization.axis if quantization.per_channel else 0,
        )

    def _buffer_number(self, tensor: Tensor) -> int:
        """Buffer 0 is empty; every constant gets a buffer of its own."""
        if tensor.data is None or not tensor.data.size or tensor.is_variable:
            return 0
        flat = tensor.data.dtype.itemsize == 1 and tensor.data.shape != tensor.shape
        if flat and tensor.type not in _FLAT_TYPES:
            raise UnsupportedModelError(
                "a sparse constant of an operator on the CPU cannot be kept",
                where=Where(self._graph.source, tensor=tensor.name),
                hint="Convert the model without sparse weights",
            )
        self._buffers.append(tensor.data.tobytes())
        return len(self._buffers) - 1

    def _operator(self, item: int | CustomOp) -> int:
        if isinstance(item, CustomOp):
            options = self.byte_vector(item.options, OPTIONS_ALIGNMENT)
            code = _Code(builtin_operator_number("CUSTOM"), EDGETPU_CUSTOM_OP)
            return self._operator_table(item, code, None, options)
        op = self._graph.operators[item]
        version = op.version if self._keep_versions else 1
        code = _Code(builtin_operator_number(op.name), op.custom_code, version)
        if op.custom_code:
            options = self.byte_vector(op.custom_options)
            return self._operator_table(op, code, None, options)
        return self._operator_table(op, code, write_builtin_options(self, op), None)

    def _operator_table(
        self,
        op: Operator | CustomOp,
        code: _Code,
        builtin: UnionValue | None,
        custom_options: int | None,
    ) -> int:
        """`opcode_index` counts codes in the order of first use."""
        first = builtin if builtin and builtin.union == 1 else None
        second = builtin if builtin and builtin.union != 1 else None
        intermediates = op.intermediates if isinstance(op, Operator) else ()
        return self.table(
            schema.OPERATOR,
            opcode_index=self._codes.setdefault(code, len(self._codes)),
            inputs=self._indices(op.inputs),
            outputs=self._indices(op.outputs),
            builtin_options_type=first and first.number,
            builtin_options=first and first.offset,
            custom_options=custom_options,
            intermediates=self._indices(intermediates) if intermediates else None,
            builtin_options_2_type=second and second.number,
            builtin_options_2=second and second.offset,
        )

    def _operator_code(self, code: _Code) -> int:
        return self.table(
            schema.OPERATOR_CODE,
            custom_code=self._text(code.custom_code) if code.custom_code else None,
            deprecated_builtin_code=min(code.number, _LAST_OLD_CODE),
            version=code.version,
            builtin_code=code.number,
        )

    def _buffer(self, data: bytes) -> int:
        return self.table(schema.BUFFER, data=self.byte_vector(data))

    def _indices(self, source: tuple[int, ...]) -> int:
        return self.vector("i", [self._index[index] for index in source])

    def _text(self, text: str) -> int:
        return self.string(text.encode("utf-8", "surrogateescape"))
