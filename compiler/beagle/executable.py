"""The DarwiNN Executable: one program of the chip with everything the driver must know.

Reads nothing; written by `link_fields`, `dma_hints`, `layers` and `build_executable`, read
from files by `reader`. `write_executable` gives the vendor's bytes: the order in which
objects are created is the order below. Facts: docs/format/container.md.
"""

from __future__ import annotations

import enum

from ..fast_dataclass import dataclass
from ..flatbuffer.writer import FlatBufferWriter
from . import schema

PAGE_BYTES = 4096
"""Alignment of parameters, executables and packages."""
CHIP_NAME = "beagle"


class ExecutableType(enum.IntEnum):
    """When the driver runs an executable."""

    STAND_ALONE = 0
    PARAMETER_CACHING = 1
    EXECUTION_ONLY = 2


class BaseAddress(enum.IntEnum):
    """The host buffer a base address or a DMA belongs to."""

    OUTPUT = 0
    INPUT = 1
    PARAMETERS = 2
    SCRATCH = 3


class Half(enum.IntEnum):
    """Which 32 bits of a base address a field takes."""

    LOWER = 0
    UPPER = 1


class DmaDirection(enum.IntEnum):
    """Direction of a hint."""

    INFEED = 0
    OUTFEED = 1


class DataType(enum.IntEnum):
    """Element types of layers."""

    FIXED_POINT8 = 0
    FIXED_POINT16 = 1
    SIGNED_FIXED_POINT32 = 2
    BFLOAT = 3
    HALF = 4
    SINGLE = 5
    SIGNED_FIXED_POINT8 = 8
    SIGNED_FIXED_POINT16 = 9


@dataclass(frozen=True, slots=True)
class FieldOffset:
    """32 bits at bit `bit` of a chunk, to be filled with half an address by the driver.
    `name` is the layer's name, empty for parameters and scratch."""

    base: BaseAddress
    half: Half
    bit: int
    name: str = ""
    batch: int = 0


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of the program, fetched by one DMA: at most 16384 words of 16 bytes between
    its start and end words. `field_offsets` is None only where a file has no such vector."""

    bitstream: bytes
    field_offsets: tuple[FieldOffset, ...] | None = ()


@dataclass(frozen=True, slots=True)
class DescriptorHint:
    """A DMA between a host buffer (bytes `offset`..`offset + size`) and the chip."""

    direction: DmaDirection
    base: BaseAddress
    name: str
    offset: int
    size: int
    batch: int = 0


@dataclass(frozen=True, slots=True)
class InstructionHint:
    """The DMA that fetches chunk `chunk`."""

    chunk: int
    direction: DmaDirection = DmaDirection.INFEED


@dataclass(frozen=True, slots=True)
class InterruptHint:
    """The program raises scalar core interrupt `number`."""

    number: int = 0
    direction: DmaDirection = DmaDirection.OUTFEED


@dataclass(frozen=True, slots=True)
class FenceHint:
    """All DMAs before must be done before any DMA behind starts."""

    direction: DmaDirection = DmaDirection.INFEED


DmaHint = DescriptorHint | InstructionHint | InterruptHint | FenceHint


@dataclass(frozen=True, slots=True)
class DmaHints:
    """All DMAs of a program in order, up to the first inside a loop: `fully_deterministic`
    says that there was none."""

    hints: tuple[DmaHint, ...]
    fully_deterministic: bool = True


@dataclass(frozen=True, slots=True)
class OutputLayout:
    """Where the driver finds element (y, x, z) of an output, which leaves the chip tile by
    tile. All offsets count elements:

    tile_offset[y_tile[y] + x_tile[x]] + y_in_tile[y] * x_row_size[x] + x_in_tile[x] + z
    """

    y_tile: tuple[int, ...]
    x_tile: tuple[int, ...]
    tile_offset: tuple[int, ...]
    x_in_tile: tuple[int, ...]
    y_in_tile: tuple[int, ...]
    x_row_size: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Layer:
    """An input or, with `layout`, an output of the executable.

    `size_bytes` is the size of the host buffer, a multiple of 8. `zero_point` counts from the
    lowest value of the type. `ranges` holds (first, last) index of every dimension.
    """

    name: str
    size_bytes: int
    y: int
    x: int
    z: int
    zero_point: int
    scale: float
    data_type: DataType
    layout: OutputLayout | None = None
    ranges: tuple[tuple[int, int], ...] | None = None
    execution_count: int = 1
    cache_on_dram: bool = False


@dataclass(frozen=True, slots=True)
class Executable:
    """One program. None means that the field is absent (layers and serialised model of a
    PARAMETER_CACHING executable); `estimated_cycles` is written by old releases only."""

    type: ExecutableType
    name: str
    chunks: tuple[Chunk, ...]
    hints: DmaHints
    parameters: bytes = b""
    inputs: tuple[Layer, ...] | None = None
    outputs: tuple[Layer, ...] | None = None
    serialized_model: bytes | None = None
    token: int = 0
    scratch_bytes: int = 0
    used_narrow_bytes: int = 0
    batch_size: int = 1
    estimated_cycles: int = 0
    chip: str = CHIP_NAME


def write_executable(executable: Executable) -> bytes:
    """The Executable flatbuffer; its length is a multiple of 4096."""
    return _ExecutableWriter().write(executable)


def encode_name(name: str) -> bytes:
    """Bytes of a name; surrogates stand for bytes that were no UTF-8."""
    return name.encode("utf-8", "surrogateescape")


class _ExecutableWriter(FlatBufferWriter):
    """Creates the objects of one Executable. All empty names share one string."""

    def __init__(self) -> None:
        super().__init__()
        self._empty_name: int | None = None

    def write(self, executable: Executable) -> bytes:
        bitstreams = [self._chunk(chunk) for chunk in executable.chunks]
        inputs, outputs = (
            None if layers is None else [self._layer(layer) for layer in layers]
            for layers in (executable.inputs, executable.outputs)
        )
        parameters = self.byte_vector(executable.parameters, PAGE_BYTES)
        name = self.string(encode_name(executable.name))
        model = executable.serialized_model
        root = self.table(
            schema.EXECUTABLE,
            parameters=parameters,
            name=name,
            serialized_model=None if model is None else self.byte_vector(model),
            instruction_bitstreams=self.references(bitstreams),
            dma_hints=self._hints(executable.hints),
            input_layers=None if inputs is None else self.references(inputs),
            output_layers=None if outputs is None else self.references(outputs),
            chip=self.string(encode_name(executable.chip)),
            batch_size=executable.batch_size,
            scratch_size_bytes=executable.scratch_bytes,
            used_narrow_memory_bytes_per_tile=executable.used_narrow_bytes,
            type=executable.type,
            parameter_caching_token=executable.token,
            estimated_cycles_64bit=executable.estimated_cycles,
        )
        return self.finish(root)

    def _chunk(self, chunk: Chunk) -> int:
        bitstream = self.byte_vector(chunk.bitstream)
        fields = None
        if chunk.field_offsets is not None:
            fields = self.references([self._field_offset(field) for field in chunk.field_offsets])
        return self.table(schema.INSTRUCTION_BITSTREAM, bitstream=bitstream, field_offsets=fields)

    def _field_offset(self, field: FieldOffset) -> int:
        meta = self._meta(field.base, field.name, field.batch, field.half)
        return self.table(schema.FIELD_OFFSET, meta=meta, offset_bit=field.bit)

    def _meta(self, base: BaseAddress, name: str, batch: int, half: int = 0) -> int:
        if name:
            text = self.string(encode_name(name))
        else:
            if self._empty_name is None:
                self._empty_name = self.string(b"")
            text = self._empty_name
        return self.table(schema.META, desc=base, batch=batch, name=text, position=half)

    def _layer(self, layer: Layer) -> int:
        name = self.string(encode_name(layer.name))
        numerics = self.table(
            schema.NUMERICS_CONSTANTS,
            zero_point=layer.zero_point,
            dequantization_factor=layer.scale,
        )
        if layer.layout is None:
            member = schema.ANY_LAYER_INPUT
            any_layer = self.table(schema.INPUT_LAYER)
        else:
            member = schema.ANY_LAYER_OUTPUT
            any_layer = self.table(schema.OUTPUT_LAYER, layout=self._layout(layer.layout))
        return self.table(
            schema.LAYER,
            name=name,
            size_bytes=layer.size_bytes,
            y_dim=layer.y,
            x_dim=layer.x,
            z_dim=layer.z,
            numerics=numerics,
            data_type=layer.data_type,
            any_layer_type=member,
            any_layer=any_layer,
            execution_count_per_inference=layer.execution_count,
            cache_on_dram=layer.cache_on_dram,
            shape=None if layer.ranges is None else self._ranges(layer.ranges),
        )

    def _ranges(self, ranges: tuple[tuple[int, int], ...]) -> int:
        flat = [bound for first_last in ranges for bound in first_last]
        return self.table(schema.TENSOR_SHAPE, dimension=self.vector("i", flat, per_element=2))

    def _layout(self, layout: OutputLayout) -> int:
        return self.table(
            schema.OUTPUT_LAYOUT,
            y_coordinate_to_linear_tile_id_map=self.vector("i", layout.y_tile),
            x_coordinate_to_linear_tile_id_map=self.vector("i", layout.x_tile),
            linearized_tile_byte_offset=self.vector("i", layout.tile_offset),
            x_coordinate_to_local_byte_offset=self.vector("i", layout.x_in_tile),
            y_coordinate_to_local_y_offset=self.vector("i", layout.y_in_tile),
            x_coordinate_to_local_y_row_size=self.vector("i", layout.x_row_size),
        )

    def _hints(self, hints: DmaHints) -> int:
        vector = self.references([self._hint(hint) for hint in hints.hints])
        return self.table(
            schema.DMA_HINTS, hints=vector, fully_deterministic=hints.fully_deterministic
        )

    def _hint(self, hint: DmaHint) -> int:
        match hint:
            case DescriptorHint():
                member = schema.ANY_HINT_DESCRIPTOR
                meta = self._meta(hint.base, hint.name, hint.batch)
                inner = self.table(
                    schema.DMA_DESCRIPTOR_HINT,
                    meta=meta,
                    offset_in_bytes=hint.offset,
                    size_in_bytes=hint.size,
                )
            case InstructionHint():
                member = schema.ANY_HINT_INSTRUCTION
                inner = self.table(schema.INSTRUCTION_HINT, instruction_chunk_index=hint.chunk)
            case InterruptHint():
                member = schema.ANY_HINT_INTERRUPT
                inner = self.table(schema.INTERRUPT_HINT, type=hint.number)
            case FenceHint():
                member = schema.ANY_HINT_FENCE
                inner = self.table(schema.FENCE_HINT)
        return self.table(
            schema.DMA_HINT, any_hint_type=member, any_hint=inner, direction=hint.direction
        )
