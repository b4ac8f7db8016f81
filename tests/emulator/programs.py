"""Runs hand-written programs on an emulated chip, without encoding them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from compiler.beagle.executable import BaseAddress
from compiler.emulator.chip import Chip
from compiler.emulator.concurrent import Concurrent
from compiler.emulator.functional import Functional
from compiler.emulator.hazards import Detector, Report
from compiler.emulator.host import HostMemory
from compiler.emulator.machine import LoadedChunk, Machine
from compiler.emulator.memories import TileMemories
from compiler.emulator.order import Order
from compiler.emulator.timing import Speeds
from compiler.lowering.program import (
    Flag,
    Halt,
    Instruction,
    ScalarFence,
    ScalarFlag,
    ScalarOp,
    TileFence,
)

INPUT = (BaseAddress.INPUT, "in")
PARAMETERS = (BaseAddress.PARAMETERS, "")
OUTPUT = (BaseAddress.OUTPUT, "out")
_MOVE, _FIELD, _FIRE = 0x2F, 0xA, 0xC
COUNTERS_SET = (
    TileFence(tiles=0xFFFF, flags=(1 << len(Flag)) - 1, notify=1),
    ScalarFence(notify_tiles=0xFFFF, notify_count=1, flags=(1 << len(ScalarFlag)) - 1),
)
"""How every program starts."""


@dataclass
class Run:
    chip: Chip
    memories: TileMemories
    host: HostMemory
    hazards: list[Report]
    notes: list[Report]


def chunk(instructions: Sequence[Instruction]) -> LoadedChunk:
    """Instructions at words 0, 1, 2, .. whatever their length."""
    words = tuple(range(len(instructions)))
    return LoadedChunk(0, tuple(instructions), words, {word: word for word in words})


def run(
    *instructions: Instruction,
    memories: TileMemories | None = None,
    inputs: bytes = b"",
    parameters: bytes = b"",
    concurrent: bool = False,
    speeds: Speeds | None = None,
    counters_set: bool = True,
) -> Run:
    start = COUNTERS_SET if counters_set else ()
    memories = memories or TileMemories()
    host = HostMemory({INPUT: inputs, PARAMETERS: parameters, OUTPUT: b""})
    detector = Detector()
    chip: Chip
    if concurrent:
        chip = Concurrent(memories, host, Order(detector), speeds)
    else:
        chip = Functional(memories, host)
    Machine(chip).run([chunk([*start, *instructions, Halt()])])
    notes = [report for report in detector.reports if report not in detector.hazards]
    return Run(chip, memories, host, detector.hazards, notes)


def transfer(tag: int, base: int, size: int) -> list[Instruction]:
    """Fires a host descriptor for the buffer with index `base`."""
    high = HostMemory.base(base) >> 32
    result: list[Instruction] = []
    for slot, value in enumerate((0, high, size, tag)):
        result.append(ScalarOp(operation=_MOVE, target=slot, immediate=value))
        result.append(ScalarOp(command=_FIELD, command_slot=slot, command_source=slot))
    return [*result, ScalarOp(command=_FIRE)]
