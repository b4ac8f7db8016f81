"""Loads the chunks of an executable and runs them through the scalar core.

Reads linked chunks; drives a `Chip`. Facts: docs/format/execution.md, "Scalar core".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ..beagle.disassembler import instructions
from ..errors import EmulationError, InvalidModelError, Where
from ..lowering.program import (
    Halt,
    Infeed,
    Instruction,
    Jump,
    Loop,
    NarrowToWide,
    Outfeed,
    Pop,
    ScalarFence,
    ScalarOp,
    TileInstruction,
)
from .chip import Chip
from .memories import NARROW_WORDS, TILES
from .scalar_core import REGISTERS, ScalarCore

MAX_INSTRUCTIONS = 4_000_000
"""Instructions the scalar core may execute in one program."""


@dataclass(frozen=True, slots=True)
class LoadedChunk:
    """The instructions of a chunk, the word each starts at, and the index of each word."""

    number: int
    instructions: tuple[Instruction, ...]
    words: tuple[int, ...]
    index: dict[int, int]

    def place(self, position: int) -> str:
        """Names an instruction in messages."""
        return f"chunk {self.number} word {self.words[position]:#x}"


def load(chunks: Iterable[bytes]) -> list[LoadedChunk]:
    """Decode chunks; EmulationError if a chunk is malformed."""
    loaded = []
    for number, chunk in enumerate(chunks):
        try:
            decoded = list(instructions(chunk))
        except InvalidModelError as error:
            raise EmulationError(
                error.message,
                where=Where(op=f"chunk {number}"),
                actual=error.actual,
                allowed=error.allowed,
            ) from None
        words = tuple(word for word, _, _ in decoded)
        loaded.append(
            LoadedChunk(
                number,
                tuple(instruction for _, _, instruction in decoded),
                words,
                {word: position for position, word in enumerate(words)},
            )
        )
    return loaded


class Machine:
    """The scalar core's view of a program run."""

    def __init__(self, chip: Chip) -> None:
        self.chip = chip
        self.core = ScalarCore(chip)
        self.executed = 0

    def run(self, chunks: Iterable[LoadedChunk]) -> None:
        """Run every chunk to its end; then everything must be idle."""
        for chunk in chunks:
            self._run_chunk(chunk)
        self.chip.finish()

    def _run_chunk(self, chunk: LoadedChunk) -> None:
        position = 0
        loops: list[list[int]] = []
        while position < len(chunk.instructions):
            self.executed += 1
            self.chip.tick()
            if self.executed > MAX_INSTRUCTIONS:
                raise EmulationError(
                    "the program does not come to an end",
                    where=Where(op=chunk.place(position)),
                    actual=f"{self.executed} instructions",
                    allowed=MAX_INSTRUCTIONS,
                )
            instruction = chunk.instructions[position]
            if isinstance(instruction, Halt):
                return
            following = position + 1
            if isinstance(instruction, Jump):
                following = self._jump(chunk, instruction, position)
            elif isinstance(instruction, Loop):
                loops.append(
                    [following, chunk.words[position] + 1 + instruction.body, instruction.count]
                )
            else:
                self._execute(instruction, chunk.place(position))
            position = _repeat(chunk, loops, following)

    def _jump(self, chunk: LoadedChunk, jump: Jump, position: int) -> int:
        if not self.core.allows(jump.gate, jump.predicate, jump.sense):
            return position + 1
        target = chunk.index.get(chunk.words[position] + jump.offset)
        if target is None:
            raise EmulationError(
                "a jump does not lead to an instruction",
                where=Where(op=chunk.place(position)),
                actual=jump.offset,
            )
        return target

    def _execute(self, instruction: Instruction, place: str) -> None:
        if isinstance(instruction, TileInstruction):
            self._issue(instruction, place)
        elif isinstance(instruction, ScalarOp):
            try:
                self.core.execute(instruction)
            except EmulationError as error:
                if error.where == Where():
                    error.where = Where(op=place)
                raise
        elif isinstance(instruction, ScalarFence):
            self.chip.fence(instruction, place)
        elif isinstance(instruction, (Infeed, Pop, Outfeed)):
            self.chip.feed(instruction, place)

    def _issue(self, instruction: TileInstruction, place: str) -> None:
        mask, extra = instruction.tiles, dict(instruction.extra)
        gate = extra.get("head.gate", 0)
        if not self.core.allows(gate, extra.get("head.predicate", 0), extra.get("head.sense", 0)):
            return
        if extra.get("head.tiles_from_register"):
            mask = self.core.registers[extra.get("head.tiles_register", 0) % REGISTERS]
        if extra.get("address_from_register") and isinstance(instruction, NarrowToWide):
            base = self.core.registers[extra.get("head.address_register", 0) % REGISTERS]
            narrow = replace(instruction.narrow, base=base % NARROW_WORDS)
            instruction = replace(instruction, narrow=narrow)
        tiles = [tile for tile in range(TILES) if mask >> tile & 1]
        if tiles:
            self.chip.issue(instruction, tiles, place)


def _repeat(chunk: LoadedChunk, loops: list[list[int]], position: int) -> int:
    """Go back to the start of every loop whose body ends before `position`."""
    word = chunk.words[position] if position < len(chunk.words) else 1 << 60
    while loops and word == loops[-1][1]:
        loops[-1][2] -= 1
        if loops[-1][2] > 0:
            return loops[-1][0]
        loops.pop()
    return position
