"""How much of the narrow memory a program uses, for the executable's information field.

Reads the Program level. Facts: docs/format/container.md, "used_narrow_memory_bytes_per_tile".
"""

from __future__ import annotations

from ..lowering.program import (
    MeshMove,
    NarrowToWide,
    Nest,
    Program,
    TensorOp,
    WideToNarrow,
)

_WORD_BYTES = 4


def used_narrow_bytes(program: Program) -> int:
    """End, in bytes, of the highest narrow word any nest of the program addresses."""
    highest = -1
    for instruction in program.instructions:
        match instruction:
            case TensorOp():
                last = max(
                    last_address(instruction.narrow_in), last_address(instruction.narrow_out)
                )
            case NarrowToWide():
                last = last_address(instruction.narrow) * _WORD_BYTES
            case WideToNarrow() if not instruction.to_scaling:
                last = last_address(instruction.narrow) * _WORD_BYTES
            case MeshMove():
                source, destination = instruction.source, instruction.destination
                last = max(last_address(source), last_address(destination)) * _WORD_BYTES
            case _:
                continue
        highest = max(highest, last)
    return highest // _WORD_BYTES * _WORD_BYTES + _WORD_BYTES


def last_address(nest: Nest) -> int:
    """The highest address of a nest, in its own units."""
    return nest.base + sum((count - 1) * max(0, stride) for count, stride in nest.levels)
