"""Scalar core: integer and float operations, predicates, loads and stores, host descriptors.

Facts: docs/format/execution.md, "Scalar core".
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ..errors import EmulationError
from ..lowering.program import ScalarOp
from .feeds import ACTIVATIONS, PARAMETERS, SCALAR_WORDS

if TYPE_CHECKING:
    from .chip import Chip

REGISTERS, PREDICATES = 32, 8
_MASK = 0xFFFFFFFF
_IMMEDIATE = 0x20
_POST_INCREMENT = 0x20

_STORE, _STORE_REGISTER, _STORE_STEP = 2, 4, 6
_TO_HOST, _FIELD, _FIRE = 8, 0xA, 0xC
_LOAD_ABSOLUTE = 1
_RECIPROCAL, _POWER_OF_TWO = 2, 3
_INPUT, _PARAMETERS, _OUTPUT, _INTERRUPT = 1, 2, 3, 4
"""Descriptor tags."""


def to_float(bits: int) -> np.float32:
    """The float32 of a register."""
    return np.float32(struct.unpack("<f", struct.pack("<I", bits & _MASK))[0])


def to_bits(value: float | np.float32) -> int:
    """A register's content for a float32 value."""
    return int(np.float32(value).view(np.uint32))


def _signed(value: int) -> int:
    return value - (1 << 32) if value >> 31 else value


def _round(value: np.float32) -> int:
    return int(np.rint(value)) if np.isfinite(value) else 0


_COMPARISONS: dict[int, Callable[[int, int], bool]] = {
    0x9: lambda a, b: a == b,
    0xA: lambda a, b: a != b,
    0xB: lambda a, b: _signed(a) > _signed(b),
    0xC: lambda a, b: _signed(a) < _signed(b),
    0xD: lambda a, b: _signed(a) >= _signed(b),
    0xE: lambda a, b: a >= b,
}
_OPERATIONS: dict[int, Callable[[int, int], int]] = {
    0x1: lambda a, b: a + b,
    0x2: lambda a, b: a - b,
    0x3: lambda a, b: a & b,
    0x4: lambda a, b: a | b,
    0x5: lambda a, b: a ^ b,
    0x6: lambda a, b: a << (b & 31),
    0x7: lambda a, b: a >> (b & 31),
    0x8: lambda a, b: _signed(a) >> (b & 31),
    0xF: lambda _, b: b,
    0x10: lambda _, b: to_bits(np.float32(_signed(b))),
    0x11: lambda _, b: _round(to_float(b)),
    0x12: lambda a, b: to_bits(to_float(a) + to_float(b)),
    0x13: lambda a, b: to_bits(to_float(a) - to_float(b)),
    0x14: lambda a, b: to_bits(to_float(a) * to_float(b)),
    0x15: lambda a, b: to_bits(max(to_float(a), to_float(b))),
    0x16: lambda a, b: to_bits(min(to_float(a), to_float(b))),
}


class ScalarCore:
    """Registers, predicates and the descriptor being put together."""

    def __init__(self, chip: Chip) -> None:
        self.chip = chip
        self.registers = [0] * REGISTERS
        self.predicates = [0] * PREDICATES
        self.descriptor = [0] * 4
        self.interrupts: list[int] = []

    def allows(self, gate: int, predicate: int, sense: int) -> bool:
        """Whether a gated instruction runs."""
        return not gate or self.predicates[predicate] == sense

    def execute(self, op: ScalarOp) -> None:
        """One bundle. Commands and float operations see the registers from before the integer
        operation of the same bundle; a load's result appears after it."""
        if not self.allows(op.gate, op.predicate, op.sense):
            return
        loaded = self._load(op) if op.load_kind else None
        self._store(op)
        if op.float_operation:
            self._float(op)
        fields = op.command, op.command_slot, self.registers[op.command_source]
        if op.operation:
            self._operate(op)
        if loaded is not None:
            self.registers[op.load_target] = loaded
        if fields[0] == _FIELD:
            self.descriptor[fields[1] % len(self.descriptor)] = fields[2]
        elif fields[0] == _FIRE:
            self._fire()

    def _load(self, op: ScalarOp) -> int:
        memory = self.chip.feeds.scalar
        if op.load_kind == _LOAD_ABSOLUTE:
            address = op.load_address % SCALAR_WORDS
        else:
            address = self._address(op.load_address)
        self.chip.touch(address, write=False)
        return int(memory[address])

    def _address(self, field: int) -> int:
        """Address from the register a field names, which may count up."""
        register = field & 31
        address = self.registers[register] % SCALAR_WORDS
        if field & _POST_INCREMENT:
            self.registers[register] = (self.registers[register] + 1) & _MASK
        return address

    def _store(self, op: ScalarOp) -> None:
        value = self.registers[op.command_source]
        memory = self.chip.feeds.scalar
        if op.command == _TO_HOST:
            self.chip.host.receive(value.to_bytes(4, "little"))
        elif op.command in (_STORE, _STORE_REGISTER, _STORE_STEP):
            address = (op.command_slot | op.command_flags << 8) % SCALAR_WORDS
            if op.command != _STORE:
                address = self._address(op.command_slot)
            self.chip.touch(address, write=True)
            memory[address] = value

    def _float(self, op: ScalarOp) -> None:
        value = to_float(self.registers[op.float_operand])
        with np.errstate(all="ignore"):
            if op.float_operation == _POWER_OF_TWO:
                self.registers[op.float_target] = to_bits(np.exp2(value))
            elif op.float_operation == _RECIPROCAL:
                self.registers[op.float_target] = to_bits(np.float32(1) / value)

    def _operate(self, op: ScalarOp) -> None:
        kind = op.operation & (_IMMEDIATE - 1)
        left = self.registers[op.operand]
        right = op.immediate & _MASK
        if not op.operation & _IMMEDIATE:
            right = self.registers[right % REGISTERS]
        compare = _COMPARISONS.get(kind)
        if compare is not None:
            self.predicates[op.target % PREDICATES] = int(compare(left, right))
            return
        operate = _OPERATIONS.get(kind)
        if operate is None:
            raise EmulationError("the scalar core has no such operation", actual=f"{kind:#x}")
        with np.errstate(all="ignore"):
            self.registers[op.target] = operate(left, right) & _MASK

    def _fire(self) -> None:
        low, high, size, tag = self.descriptor
        address = low | high << 32
        if tag in (_INPUT, _PARAMETERS):
            self.chip.settle(address, size)
            source = ACTIVATIONS if tag == _INPUT else PARAMETERS
            self.chip.host_input[source] += self.chip.host.read(address, size)
            self.chip.traffic.received(source, size)
            self.chip.arrived(source, size)
        elif tag == _OUTPUT:
            self.chip.host.expect(address, size)
            self.chip.traffic.sent(size)
        elif tag == _INTERRUPT:
            self.interrupts.append(high)
            self.chip.interrupt()
        else:
            raise EmulationError("a DMA descriptor has an unknown tag", actual=tag)
