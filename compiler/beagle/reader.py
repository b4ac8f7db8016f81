"""Reads compiled models of any vendor release back into the dataclasses of this package.

Writes nothing. The bytes are hostile: whatever they are, the result is a value or
InvalidModelError. `write_package(read_package(x)) == x` for everything the vendor wrote.
Facts: docs/format/container.md.
"""

from __future__ import annotations

import enum
from typing import TypeVar

from ..errors import InvalidModelError
from ..fast_dataclass import dataclass
from ..flatbuffer.flexbuffer import Value, read_map
from ..flatbuffer.schema import TableType
from ..flatbuffer.view import View, root_view
from ..frontend import tflite_schema
from . import package as options_keys
from . import schema
from .executable import (
    BaseAddress,
    Chunk,
    DataType,
    DescriptorHint,
    DmaDirection,
    DmaHint,
    DmaHints,
    Executable,
    ExecutableType,
    FenceHint,
    FieldOffset,
    Half,
    InstructionHint,
    InterruptHint,
    Layer,
    OutputLayout,
)
from .package import CustomOptions, Package

CUSTOM_CODE = b"edgetpu-custom-op"
_WORD_BYTES = 16
_E = TypeVar("_E", bound=enum.IntEnum)


@dataclass(frozen=True, slots=True)
class CompiledOperator:
    """An edgetpu-custom-op of a compiled model: its place, tensors (indices into the
    subgraph's tensors) and option map."""

    subgraph: int
    operator: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    custom_options: bytes


def compiled_ops(model: bytes, source: str = "") -> list[CompiledOperator]:
    """The Edge TPU operators of a .tflite file, in order; empty for other models."""
    root = root_view(model, tflite_schema.MODEL, source, tflite_schema.IDENTIFIER)
    codes = root.tables("operator_codes", tflite_schema.OPERATOR_CODE) or []
    ours = {i for i, code in enumerate(codes) if code.blob("custom_code") == CUSTOM_CODE}
    found = []
    subgraphs = root.tables("subgraphs", tflite_schema.SUBGRAPH) or []
    for g, subgraph in enumerate(subgraphs if ours else []):
        operators = subgraph.tables("operators", tflite_schema.OPERATOR) or []
        for i, operator in enumerate(operators):
            if operator.integer("opcode_index") in ours:
                found.append(
                    CompiledOperator(
                        g,
                        i,
                        operator.vector("inputs") or (),
                        operator.vector("outputs") or (),
                        operator.blob("custom_options") or b"",
                    )
                )
    return found


def read_custom_options(data: bytes) -> CustomOptions:
    """The option map of an Edge TPU operator."""
    values = read_map(data)
    package = values.get(options_keys.KEY_PACKAGE)
    if not isinstance(package, bytes):
        raise InvalidModelError("the option map holds no package", hint=_NOT_COMPILED)
    chip_name = values.get(options_keys.KEY_CHIP_NAME)
    return CustomOptions(
        package,
        version=_integer(values, options_keys.KEY_VERSION),
        execution_preference=_integer(values, options_keys.KEY_EXECUTION_PREFERENCE),
        chip_name=_decode(chip_name) if isinstance(chip_name, bytes) else None,
        chips=_vector(values, options_keys.KEY_CHIPS, int),
        further=_vector(values, options_keys.KEY_FURTHER_PACKAGES, bytes),
    )


def read_package(data: bytes) -> Package:
    """A serialised Package with all its executables."""
    root = root_view(data, schema.PACKAGE, "package", schema.PACKAGE_IDENTIFIER)
    multi = root.blob("serialized_multi_executable")
    if multi is None:
        raise InvalidModelError("the package holds no executables")
    return Package(
        root.integer("min_runtime_version"),
        tuple(read_executable(executable) for executable in read_multi_executable(multi)),
        compiler_version=root.text("compiler_version") or "",
        model_identifier=root.text("model_identifier"),
    )


def read_multi_executable(data: bytes) -> list[bytes]:
    """The serialised executables of a MultiExecutable."""
    root = root_view(data, schema.MULTI_EXECUTABLE, "multi-executable")
    return list(root.blobs("serialized_executables"))


def read_executable(data: bytes) -> Executable:
    """A serialised Executable."""
    root = root_view(data, schema.EXECUTABLE, "executable")
    bitstreams = root.tables("instruction_bitstreams", schema.INSTRUCTION_BITSTREAM) or []
    return Executable(
        _enum(ExecutableType, root.integer("type"), "executable type"),
        root.text("name") or "",
        tuple(_chunk(bitstream) for bitstream in bitstreams),
        _hints(root.table("dma_hints", schema.DMA_HINTS), len(bitstreams)),
        parameters=root.blob("parameters") or b"",
        inputs=_layers(root, "input_layers"),
        outputs=_layers(root, "output_layers"),
        serialized_model=root.blob("serialized_model"),
        token=root.integer("parameter_caching_token"),
        scratch_bytes=root.integer("scratch_size_bytes"),
        used_narrow_bytes=root.integer("used_narrow_memory_bytes_per_tile"),
        batch_size=root.integer("batch_size"),
        estimated_cycles=root.integer("estimated_cycles_64bit"),
        chip=root.text("chip") or "",
    )


def _chunk(table: View) -> Chunk:
    bitstream = table.blob("bitstream") or b""
    if len(bitstream) % _WORD_BYTES:
        raise InvalidModelError(
            "a chunk does not hold whole instruction words", actual=len(bitstream)
        )
    fields = table.tables("field_offsets", schema.FIELD_OFFSET)
    if fields is None:
        return Chunk(bitstream, None)
    return Chunk(bitstream, tuple(_field_offset(field, len(bitstream)) for field in fields))


def _field_offset(table: View, chunk_bytes: int) -> FieldOffset:
    bit = table.integer("offset_bit")
    if not 0 <= bit <= 8 * chunk_bytes - 32:
        raise InvalidModelError(
            "a base address lies outside its chunk", actual=bit, allowed=8 * chunk_bytes - 32
        )
    meta = _meta(table)
    return FieldOffset(
        _enum(BaseAddress, meta.integer("desc"), "base address kind"),
        _enum(Half, meta.integer("position"), "half of a base address"),
        bit,
        name=meta.text("name") or "",
        batch=meta.integer("batch"),
    )


def _meta(table: View) -> View:
    meta = table.table("meta", schema.META)
    if meta is None:
        raise InvalidModelError("a base address or DMA does not say what it refers to")
    return meta


def _hints(table: View | None, chunks: int) -> DmaHints:
    if table is None:
        return DmaHints((), fully_deterministic=False)
    hints = table.tables("hints", schema.DMA_HINT) or []
    return DmaHints(
        tuple(_hint(hint, chunks) for hint in hints), bool(table.integer("fully_deterministic"))
    )


def _hint(table: View, chunks: int) -> DmaHint:
    direction = _enum(DmaDirection, table.integer("direction"), "DMA direction")
    match table.integer("any_hint_type"):
        case schema.ANY_HINT_DESCRIPTOR:
            return _descriptor_hint(_member(table, schema.DMA_DESCRIPTOR_HINT), direction)
        case schema.ANY_HINT_INSTRUCTION:
            inner = _member(table, schema.INSTRUCTION_HINT)
            chunk = inner.integer("instruction_chunk_index")
            if not 0 <= chunk < chunks:
                raise InvalidModelError("a hint names no chunk", actual=chunk, allowed=chunks)
            return InstructionHint(chunk, direction)
        case schema.ANY_HINT_INTERRUPT:
            return InterruptHint(_member(table, schema.INTERRUPT_HINT).integer("type"), direction)
        case schema.ANY_HINT_FENCE:
            return FenceHint(direction)
        case kind:
            raise InvalidModelError("a hint has an unknown kind", actual=kind, allowed="1..4")


def _descriptor_hint(table: View, direction: DmaDirection) -> DescriptorHint:
    meta = _meta(table)
    return DescriptorHint(
        direction,
        _enum(BaseAddress, meta.integer("desc"), "base address kind"),
        meta.text("name") or "",
        table.integer("offset_in_bytes"),
        table.integer("size_in_bytes"),
        batch=meta.integer("batch"),
    )


def _member(table: View, kind: TableType) -> View:
    member = table.table("any_hint", kind)
    if member is None:
        raise InvalidModelError("a hint is empty")
    return member


def _layers(root: View, name: str) -> tuple[Layer, ...] | None:
    layers = root.tables(name, schema.LAYER)
    return None if layers is None else tuple(_layer(layer) for layer in layers)


def _layer(table: View) -> Layer:
    numerics = table.table("numerics", schema.NUMERICS_CONSTANTS)
    shape = table.table("shape", schema.TENSOR_SHAPE)
    return Layer(
        table.text("name") or "",
        table.integer("size_bytes"),
        table.integer("y_dim"),
        table.integer("x_dim"),
        table.integer("z_dim"),
        numerics.integer("zero_point") if numerics else 0,
        numerics.real("dequantization_factor") if numerics else 0.0,
        _enum(DataType, table.integer("data_type"), "element type"),
        layout=_layout(table),
        ranges=None if shape is None else shape.pairs("dimension") or (),
        execution_count=table.integer("execution_count_per_inference"),
        cache_on_dram=bool(table.integer("cache_on_dram")),
    )


def _layout(layer: View) -> OutputLayout | None:
    if layer.integer("any_layer_type") != schema.ANY_LAYER_OUTPUT:
        return None
    output = layer.table("any_layer", schema.OUTPUT_LAYER)
    layout = output and output.table("layout", schema.OUTPUT_LAYOUT)
    if not layout:
        return None
    return OutputLayout(
        y_tile=layout.vector("y_coordinate_to_linear_tile_id_map") or (),
        x_tile=layout.vector("x_coordinate_to_linear_tile_id_map") or (),
        tile_offset=layout.vector("linearized_tile_byte_offset") or (),
        x_in_tile=layout.vector("x_coordinate_to_local_byte_offset") or (),
        y_in_tile=layout.vector("y_coordinate_to_local_y_offset") or (),
        x_row_size=layout.vector("x_coordinate_to_local_y_row_size") or (),
    )


def _enum(kind: type[_E], value: int, what: str) -> _E:
    try:
        return kind(value)
    except ValueError:
        allowed = ", ".join(str(member.value) for member in kind)
        raise InvalidModelError(f"unknown {what}", actual=value, allowed=allowed) from None


_NOT_COMPILED = "The file is not a model compiled for the Edge TPU, or a newer format"
_T = TypeVar("_T", int, bytes)


def _integer(values: dict[str, Value], key: str) -> int:
    value = values.get(key, 0)
    if not isinstance(value, int):
        raise InvalidModelError(f"entry '{key}' of the option map is no integer")
    return value


def _vector(values: dict[str, Value], key: str, kind: type[_T]) -> tuple[_T, ...] | None:
    value = values.get(key)
    if value is None:
        return None
    if not isinstance(value, tuple) or not all(isinstance(item, kind) for item in value):
        raise InvalidModelError(f"entry '{key}' of the option map has the wrong type")
    return tuple(item for item in value if isinstance(item, kind))


def _decode(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
