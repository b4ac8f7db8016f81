"""Cuts a program that is longer than an instruction chunk can be.

Program level in and out. A chunk is what the host sends at once; between two of them nothing is
lost: registers, counters, memories and the numbering of tile instructions run on. Facts:
docs/format/instructions.md, "Chunks".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ..errors import ResourceError, Where
from ..lowering.program import Halt, Instruction, Jump, Loop, Program, ScalarOp, TileFence, Unit
from .bitstream import MAX_BODY_WORDS
from .codec import layout_of

PADDING = 4
"""Empty words behind a halt; the last may be left out where the chunk is full."""
_MORE_CHUNKS = 4
"""Argument of the halt at the end of a chunk that is not the last."""


def cut_into_chunks(program: Program, limit: int = MAX_BODY_WORDS) -> Program:
    """The program with a halt at the end of each chunk, and `chunk_starts`. Cuts are in front of
    fences that wait for all units; each chunk takes as much as fits into `limit` words."""
    if sum(layout_of(i).words for i in program.instructions) <= limit:
        return program
    result: list[Instruction] = []
    starts: list[int] = []
    room = limit - PADDING
    filled = 0
    sections = list(_sections(program.instructions))
    for number, section in enumerate(sections):
        size = sum(layout_of(instruction).words for instruction in section)
        last = number == len(sections) - 1
        if filled and filled + size > (limit if last else room):
            padding = min(PADDING, limit - filled - 1)
            result += [Halt(argument=_MORE_CHUNKS), *[ScalarOp()] * padding]
            starts.append(len(result))
            filled = 0
        if size > (limit if last else room):
            raise ResourceError(
                "a part of the program that cannot be cut is longer than an instruction chunk",
                where=Where(op=f"instruction {len(result)}"),
                actual=f"{size} words",
                allowed=room,
            )
        result += section
        filled += size
    return replace(program, instructions=tuple(result), chunk_starts=tuple(starts))


def _sections(instructions: Sequence[Instruction]) -> Iterator[Sequence[Instruction]]:
    """Runs of instructions that stay together: from a fence to the next, outside of loops."""
    inside = _loop_bodies(instructions)
    start = 0
    for place, instruction in enumerate(instructions):
        fence = isinstance(instruction, TileFence) and instruction.units == Unit.ALL
        if fence and place > start and place not in inside:
            yield instructions[start:place]
            start = place
    yield instructions[start:]


def _loop_bodies(instructions: Sequence[Instruction]) -> set[int]:
    """Instructions between a loop's begin and its end: what jumps and repetitions cover."""
    positions = []
    word = 0
    for instruction in instructions:
        positions.append(word)
        word += layout_of(instruction).words
    inside: set[int] = set()
    for place, instruction in enumerate(instructions):
        if isinstance(instruction, Loop):
            low, high = positions[place], positions[place] + instruction.body
        elif isinstance(instruction, Jump):
            low, high = sorted((positions[place], positions[place] + instruction.offset))
        else:
            continue
        inside.update(p for p, at in enumerate(positions) if low < at <= high)
    return inside
