"""Every vendor program in concurrent mode, at nominal and at random speeds of the units."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from compiler.beagle.executable import Executable
from compiler.beagle.reader import read_executable
from compiler.emulator.concurrent import Concurrent
from compiler.emulator.device import Device, RunResult, choose, host_buffers
from compiler.emulator.execution import Execution, Side
from compiler.emulator.hazards import Detector
from compiler.emulator.host import HostMemory, link
from compiler.emulator.machine import Machine, load
from compiler.emulator.memories import TileMemories
from compiler.emulator.model import CompiledModel, random_inputs
from compiler.emulator.order import Order
from compiler.emulator.timed import TimedTensorSide
from compiler.emulator.timing import Speeds
from compiler.lowering.program import TensorKind, TensorOp
from tests.corpus_paths import pairs, programs
from tests.emulator.bare_programs import run_bare

SEEDS = (1, 2)
"""Random speeds every program is run at."""


@dataclass(frozen=True)
class VendorProgram:
    """A compiled model, or an executable that comes without one (`bare`)."""

    path: Path
    label: str
    bare: bool = False

    def __str__(self) -> str:
        return self.label

    def packages(self) -> list[tuple[Executable, ...]]:
        """The executables of each of its Edge TPU operators."""
        if self.bare:
            return [(read_executable(self.path.read_bytes()),)]
        return list(CompiledModel(self.path).executables.values())

    def instructions(self) -> int:
        """Instructions in all its executables."""
        executables = [one for package in self.packages() for one in package]
        chunks = [chunk.bitstream for executable in executables for chunk in executable.chunks]
        return sum(len(chunk.instructions) for chunk in load(chunks))

    def run(self, device: Device) -> tuple[RunResult, ...]:
        """Its runs on random inputs, always the same."""
        if self.bare:
            return (run_bare(self.path, device),)
        model = CompiledModel(self.path)
        return model.run(random_inputs(model, 1), device, partial=True).runs


@dataclass(frozen=True)
class Found:
    """What the runs of a program at some speeds gave: cycles and reports of each, and whether all
    gave the values of the functional mode."""

    cycles: tuple[int, ...]
    reports: tuple[tuple[str, ...], ...]
    same_values: bool


def speeds_of(seed: int | None) -> Speeds:
    """Nominal speeds (None), or random ones: the second of `SEEDS` spreads them widely."""
    return Speeds() if seed is None else Speeds(seed=seed, spread=1.2 if seed % 2 else 2.2)


class _Schedule(Concurrent):
    """The chip without its sums: what happens before what does not depend on them."""

    computes = False

    def sides_of(self, execution: Execution) -> tuple[Side, ...]:
        op = execution.instruction
        if isinstance(op, TensorOp) and op.kind is not TensorKind.INTERPOLATE:
            return (TimedTensorSide(self, op),)
        return super().sides_of(execution)


def schedule(program: VendorProgram, seeds: Sequence[int | None] = SEEDS) -> Found:
    """As `examine`, faster: without the sums of tensor ops, and so without values to compare."""
    cycles, reports = [], []
    for seed in seeds:
        detector, taken = Detector(), 0.0
        for executables in program.packages():
            memories = TileMemories()
            last, first = choose(executables)
            if first is not None:
                _scheduled(first, memories, Order(detector), speeds_of(seed))
            taken += _scheduled(last, memories, Order(detector), speeds_of(seed))
        cycles.append(round(taken))
        reports.append(tuple(str(report) for report in detector.hazards))
    return Found(tuple(cycles), tuple(reports), same_values=True)


def _scheduled(
    executable: Executable, memories: TileMemories, order: Order, speeds: Speeds
) -> float:
    """Clock cycles of one executable."""
    inputs = {layer.name: bytes(layer.size_bytes) for layer in executable.inputs or ()}
    host = HostMemory(host_buffers(executable, inputs))
    chip = _Schedule(memories, host, order, speeds)
    Machine(chip).run(load(link(executable)))
    return chip.now


def examine(program: VendorProgram, seeds: Sequence[int | None] = SEEDS) -> Found:
    """Run a program at each of the speeds."""
    expected = program.run(Device())
    cycles, reports, same = [], [], True
    for seed in seeds:
        runs = program.run(Device("concurrent", speeds_of(seed)))
        cycles.append(round(sum(run.cycles or 0 for run in runs)))
        reports.append(tuple(str(report) for run in runs for report in run.hazards))
        same = same and all(map(_equal, runs, expected))
    return Found(tuple(cycles), tuple(reports), same)


def _equal(run: RunResult, expected: RunResult) -> bool:
    return run.outputs.keys() == expected.outputs.keys() and all(
        np.array_equal(run.outputs[name], array) for name, array in expected.outputs.items()
    )


@functools.cache
def vendor_programs() -> tuple[VendorProgram, ...]:
    """All of the corpus, the smallest files first; () where it is absent."""
    models = sorted(pairs(), key=lambda pair: (pair.compiled.stat().st_size, str(pair.compiled)))
    labels = [f"{pair.name.removesuffix('_edgetpu')} ({pair.generation})" for pair in models]
    found = [
        VendorProgram(pair.compiled, label) for pair, label in zip(models, labels, strict=True)
    ]
    return (*found, *(VendorProgram(path, path.stem, bare=True) for path in programs()))
