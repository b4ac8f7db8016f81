"""Runs whole processes and measures them."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Sample:
    """One process. wall, cpu: seconds; peak: most memory it held, in MB."""

    wall: float
    cpu: float
    peak: float


def run(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Sample:
    """Run a command to its end. Raises RuntimeError with its output if it fails."""
    log = folder / "output.txt"
    with log.open("wb") as output:
        start = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=folder, env=dict(environment), stdout=output, stderr=output
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)}: {log.read_text(errors='replace')}")
    unit = 1 if sys.platform == "darwin" else 1024
    return Sample(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit / 1e6)


def median(samples: Sequence[Sample], key: Callable[[Sample], float]) -> float:
    """Median of one value of the samples."""
    return statistics.median(map(key, samples))


def in_turns(
    commands: Mapping[str, Sequence[str]],
    folder: Path,
    environment: Mapping[str, str],
    runs: int,
) -> dict[str, list[Sample]]:
    """`runs` samples of each command, one after the other in turns, so that a change of the
    machine's load meets all; each runs once before, unmeasured, to warm up the caches."""
    samples: dict[str, list[Sample]] = {name: [] for name in commands}
    for number in range(runs + 1):
        for name, command in commands.items():
            sample = run(command, folder, environment)
            if number:
                samples[name].append(sample)
    return samples
