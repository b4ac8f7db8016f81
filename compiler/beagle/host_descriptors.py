"""What a program asks of the host: the DMA descriptors it fires, found by running the scalar
core's integer operations over the program once, in order.

Reads the Program level, writes `Descriptor`s for `link_fields` and `dma_hints`. Registers
carry, next to their value, the instruction that loaded the base address they come from.
Facts: docs/format/container.md, "DMA hints" and "Field offsets".
"""

from __future__ import annotations

import enum

from ..fast_dataclass import dataclass
from ..lowering.program import Jump, Loop, Program, ScalarOp
from .assembler import positions

Site = tuple[int, int]
"""(chunk, word) of an instruction."""

_MASK = 0xFFFFFFFF
_REGISTERS = 32
_PREDICATES = 8

COMMAND_FIELD = 0xA
COMMAND_FIRE = 0xC
IMMEDIATE = 0x20
MOVE = 0xF
MOVE_IMMEDIATE = MOVE | IMMEDIATE
_FIRST_COMPARISON = 9


class Tag(enum.IntEnum):
    """What a descriptor transfers."""

    INPUT = 1
    PARAMETERS = 2
    OUTPUT = 3
    INTERRUPT = 4


@dataclass(frozen=True, slots=True)
class Descriptor:
    """One fired descriptor: `offset` bytes behind the base address loaded at the sites `low`
    and `high`; of an interrupt, `offset` is its number. `repeats`: it lies inside a loop."""

    chunk: int
    tag: Tag
    low: Site | None
    high: Site | None
    offset: int
    size: int
    repeats: bool


@dataclass(frozen=True, slots=True)
class _Register:
    value: int = 0
    site: Site | None = None


def descriptors(program: Program) -> list[Descriptor]:
    """All descriptors in program order; jumps are not followed."""
    places = positions(program)
    loops = _loop_bodies(program, places)
    core = _ScalarCore()
    found = []
    for place, instruction in zip(places, program.instructions, strict=True):
        if not isinstance(instruction, ScalarOp) or not core.runs(instruction):
            continue
        core.command(instruction)
        if instruction.command == COMMAND_FIRE:
            chunk, word = place
            repeats = any(c == chunk and first <= word <= last for c, first, last in loops)
            found.append(core.descriptor(chunk, repeats))
        core.operate(instruction, place)
    return found


class _ScalarCore:
    """Registers, predicates and the descriptor being assembled."""

    def __init__(self) -> None:
        self.registers = [_Register()] * _REGISTERS
        self.predicates = [0] * _PREDICATES
        self.fields = [_Register()] * 4

    def runs(self, op: ScalarOp) -> bool:
        """Whether the predicate lets the instruction run."""
        return not op.gate or self.predicates[op.predicate % _PREDICATES] == op.sense

    def command(self, op: ScalarOp) -> None:
        if op.command == COMMAND_FIELD:
            self.fields[op.command_slot % 4] = self.registers[op.command_source]

    def descriptor(self, chunk: int, repeats: bool) -> Descriptor:
        low, high, size, tag = self.fields
        kind = Tag(tag.value)
        if kind is Tag.INTERRUPT:
            return Descriptor(chunk, kind, None, None, high.value, 0, repeats)
        return Descriptor(chunk, kind, low.site, high.site, low.value, size.value, repeats)

    def operate(self, op: ScalarOp, place: Site) -> None:
        """The integer half of the instruction."""
        kind = op.operation & 0xF
        if not kind:
            return
        if op.operation & IMMEDIATE:
            source = _Register(op.immediate & _MASK, place)
        else:
            source = self.registers[op.immediate % _REGISTERS]
        operand = self.registers[op.operand]
        if kind == MOVE:
            self.registers[op.target] = source
        elif kind < _FIRST_COMPARISON:
            value = _arithmetic(kind, operand.value, source.value)
            self.registers[op.target] = _Register(value, operand.site)
        else:
            holds = _comparison(kind, operand.value, source.value)
            self.predicates[op.target % _PREDICATES] = int(holds)


def _arithmetic(kind: int, left: int, right: int) -> int:
    results = (
        0,
        left + right,
        left - right,
        left & right,
        left | right,
        left ^ right,
        left << (right & 31),
        left >> (right & 31),
        _signed(left) >> (right & 31),
    )
    return results[kind] & _MASK


def _comparison(kind: int, left: int, right: int) -> bool:
    return (
        left == right,
        left != right,
        _signed(left) > _signed(right),
        _signed(left) < _signed(right),
        _signed(left) >= _signed(right),
        left >= right,
    )[kind - _FIRST_COMPARISON]


def _signed(value: int) -> int:
    return value - (1 << 32) if value >> 31 else value


def _loop_bodies(program: Program, places: tuple[Site, ...]) -> list[tuple[int, int, int]]:
    """(chunk, first word, last word) of every loop: backward jumps and repeat instructions."""
    bodies = []
    for (chunk, word), instruction in zip(places, program.instructions, strict=True):
        if isinstance(instruction, Jump) and instruction.offset < 0:
            bodies.append((chunk, word + instruction.offset, word))
        elif isinstance(instruction, Loop):
            bodies.append((chunk, word + 1, word + instruction.body))
    return bodies
