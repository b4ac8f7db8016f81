"""Every vendor program in concurrent mode, at nominal and at random speeds of the units."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from compiler.beagle.reader import read_executable
from compiler.emulator.device import Device, RunResult
from compiler.emulator.machine import load
from compiler.emulator.model import CompiledModel, random_inputs
from compiler.emulator.timing import Speeds
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

    def instructions(self) -> int:
        """Instructions in all its executables."""
        if self.bare:
            executables = [read_executable(self.path.read_bytes())]
        else:
            model = CompiledModel(self.path)
            executables = [one for found in model.executables.values() for one in found]
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
