"""What an executable says about itself, as text: layers, parameters, chunks, hints.

Reads the dataclasses of `executable`; used by `edgetpu_objdump`.
"""

from __future__ import annotations

from collections.abc import Iterator

from .assembler import positions
from .disassembler import disassemble
from .executable import (
    DescriptorHint,
    DmaHint,
    Executable,
    FenceHint,
    InstructionHint,
    Layer,
)
from .listing import lines


def describe(executable: Executable) -> Iterator[str]:
    """Everything but hints and instructions."""
    yield f"{executable.type.name} '{executable.name}'"
    yield f"  parameters: {len(executable.parameters)} bytes"
    yield f"  caching token: {executable.token:#x}"
    yield f"  scratch: {executable.scratch_bytes} bytes, batch size {executable.batch_size}"
    yield f"  narrow memory in use: {executable.used_narrow_bytes} bytes a tile"
    for label, layers in (("input", executable.inputs), ("output", executable.outputs)):
        for layer in layers or ():
            yield f"  {label} {_layer(layer)}"
    for number, chunk in enumerate(executable.chunks):
        yield f"  stream {number}: {len(chunk.bitstream) // 16} words"
        for field in chunk.field_offsets or ():
            name = f" '{field.name}'" if field.name else ""
            word, bit = divmod(field.bit, 128)
            yield (
                f"    base address {field.base.name}{name} batch {field.batch} {field.half.name}: "
                f"word {word:#x} bit {bit}"
            )


def describe_hints(executable: Executable) -> Iterator[str]:
    """The DMAs the driver is told about, in order."""
    hints = executable.hints
    yield f"  hints: {len(hints.hints)}, deterministic: {hints.fully_deterministic}"
    for hint in hints.hints:
        yield f"    {hint.direction.name} {_hint(hint)}"


def describe_instructions(executable: Executable, stream: int | None = None) -> Iterator[str]:
    """The instruction listing, of one chunk or of all of them."""
    chunks = [bytes(chunk.bitstream) for chunk in executable.chunks if chunk.bitstream]
    program = disassemble(chunks)
    if stream is None:
        yield from lines(program)
        return
    places = iter(positions(program))
    for line in lines(program):
        if line.startswith(";"):
            continue
        if next(places)[0] == stream:
            yield line


def _layer(layer: Layer) -> str:
    text = (
        f"'{layer.name}': {layer.y}x{layer.x}x{layer.z} {layer.data_type.name}, "
        f"{layer.size_bytes} bytes, scale {layer.scale:.9g}, zero point {layer.zero_point}"
    )
    if layer.execution_count != 1:
        text += f", {layer.execution_count} executions"
    if layer.layout is not None:
        text += f", on {len(layer.layout.tile_offset)} tiles"
    return text


def _hint(hint: DmaHint) -> str:
    if isinstance(hint, DescriptorHint):
        name = f" '{hint.name}'" if hint.name else ""
        place = f"offset {hint.offset}, {hint.size} bytes, batch {hint.batch}"
        return f"{hint.base.name}{name}: {place}"
    if isinstance(hint, InstructionHint):
        return f"stream {hint.chunk}"
    return "fence" if isinstance(hint, FenceHint) else f"interrupt {hint.number}"
