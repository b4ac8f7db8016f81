"""Program level -> bitstream chunks.

Facts: docs/format/instructions.md, "Chunks" and "Sequence numbers".
"""

from __future__ import annotations

from itertools import pairwise

from ..errors import InternalError, ResourceError, Where
from ..lowering.program import Instruction, Program, TileInstruction
from .bitstream import MAX_BODY_WORDS, WORD_BYTES, frame
from .codec import Encoder, layout_of
from .layout import SEQUENCE

CACHING_SEQUENCE = 0x8000
"""Top bit of the sequence numbers of a parameter-caching program."""


def assemble(program: Program) -> tuple[bytes, ...]:
    """The program's chunks, each framed by its start and end words.

    Tile instructions are numbered in order, through all chunks; a (`sequence`, n) entry in
    `Instruction.extra` sets the number. `InternalError` names the instruction whose value
    does not fit its field; `ResourceError` says that a chunk is too long and needs a cut
    (`Program.chunk_starts`).
    """
    encoded = _encode(program)
    chunks = []
    for start, stop in _chunk_ranges(program):
        body = b"".join(encoded[start:stop])
        if len(body) > MAX_BODY_WORDS * WORD_BYTES:
            raise ResourceError(
                "a part of the program is longer than an instruction chunk can be",
                where=Where(op=f"instructions {start} to {stop - 1}"),
                actual=f"{len(body) // WORD_BYTES} words",
                allowed=MAX_BODY_WORDS,
            )
        chunks.append(frame(body))
    return tuple(chunks)


def positions(program: Program) -> tuple[tuple[int, int], ...]:
    """(chunk, word) of every instruction; word 0 of a chunk is its start word.

    Bit b of an instruction is bit `word * 128 + b` of its chunk: that is how an
    executable's field offsets name the fields the driver fills in.
    """
    result = []
    for chunk, (start, stop) in enumerate(_chunk_ranges(program)):
        word = 1
        for instruction in program.instructions[start:stop]:
            result.append((chunk, word))
            word += layout_of(instruction).words
    return tuple(result)


def _encode(program: Program) -> list[bytes]:
    to_bytes = Encoder().to_bytes
    sequence = CACHING_SEQUENCE if program.caching else 0
    encoded: list[bytes] = []
    instruction: Instruction | None = None
    try:
        for instruction in program.instructions:
            if instruction.extra:
                sequence = dict(instruction.extra).get(SEQUENCE, sequence)
            encoded.append(to_bytes(instruction, sequence))
            if isinstance(instruction, TileInstruction):
                sequence += 1
    except InternalError as error:
        error.where = Where(op=f"instruction {len(encoded)} ({type(instruction).__name__})")
        raise
    return encoded


def _chunk_ranges(program: Program) -> list[tuple[int, int]]:
    """[start, stop) instruction indices of the chunks."""
    edges = [0, *program.chunk_starts, len(program.instructions)]
    ranges = list(pairwise(edges))
    if any(start > stop for start, stop in ranges):
        raise InternalError(
            "chunk starts must ascend and lie in the program", actual=program.chunk_starts
        )
    return ranges
