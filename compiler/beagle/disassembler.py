"""Bitstream chunks -> Program level.

`assemble(disassemble(chunks)) == chunks` for every program whose frames are valid.
Facts: docs/format/instructions.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from ..lowering.program import Instruction, Program, TileInstruction
from .assembler import CACHING_SEQUENCE
from .bitstream import split, unframe
from .codec import Decoder
from .layout import SEQUENCE


def instructions(chunk: bytes) -> Iterator[tuple[int, int, Instruction]]:
    """(word, sequence number, instruction) of a chunk; word 0 is the start word.

    `InvalidModelError` when the frame or an opcode is not valid. The sequence number is
    0 for instructions of the scalar core.
    """
    yield from _decode(chunk, Decoder())


def _decode(chunk: bytes, decoder: Decoder) -> Iterator[tuple[int, int, Instruction]]:
    for word, key, bits in split(unframe(chunk)):
        instruction, sequence = decoder.decode(key, bits)
        yield word + 1, sequence, instruction


def disassemble(chunks: Iterable[bytes]) -> Program:
    """The program in these chunks.

    A sequence number that does not follow from the one before is kept as an extra
    (`sequence`, n) of its instruction.
    """
    decoder = Decoder()
    result: list[Instruction] = []
    starts: list[int] = []
    caching, expected = False, -1
    for chunk in chunks:
        starts.append(len(result))
        for _, sequence, instruction in _decode(chunk, decoder):
            decoded = instruction
            if isinstance(instruction, TileInstruction):
                if expected < 0:
                    caching = sequence >= CACHING_SEQUENCE
                    expected = CACHING_SEQUENCE if caching else 0
                if sequence != expected & 0xFFFF:
                    decoded = replace(instruction, extra=(*instruction.extra, (SEQUENCE, sequence)))
                    expected = sequence
                expected += 1
            result.append(decoded)
    return Program(tuple(result), caching, tuple(starts[1:]))
