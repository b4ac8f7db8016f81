"""Compile time against the number of operators: whole processes, chains of 10, 100 and 1000.

    python3 -m benchmarks.compile_scale [--runs N] [--write-docs]

Processor time, medians of N runs (default 5) of the three lengths in turns. The growth is the
time for each operator from 100 to 1000 over that from 10 to 100 (1: linear); exit status 1 if it
exceeds `MOST_GROWTH`. `--write-docs` puts the table into docs/performance.md.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.model_builder import ModelBuilder

from .compile_time import OURS, environment
from .pages import DOCS, replace_part, table
from .processes import Sample, in_turns, median

LENGTHS = (10, 100, 1000)
MOST_GROWTH = 2.0
"""A quadratic part of the size of the linear one at 100 operators would give 5."""
PAGE, PART = DOCS / "performance.md", "compile scale"
HEAD = ("chain of", *(f"{n} operators" for n in LENGTHS), "10 to 100", "100 to 1000", "growth")
SUM = (0.05, 0)
"""Scale and zero point of each sum, so that scales do not grow along the chain."""


def convolutions(count: int) -> bytes:
    """3x3 convolutions of 16 channels."""
    builder = ModelBuilder("int8").input("input", (1, 16, 16, 16))
    for _ in range(count):
        builder.conv2d(16, 3, activation="relu6")
    return builder.build()


def separable(count: int) -> bytes:
    """Depthwise and 1x1 convolutions in turns."""
    builder = ModelBuilder("int8").input("input", (1, 32, 32, 32))
    for _ in range(count // 2):
        builder.depthwise_conv2d(3, activation="relu6").conv2d(32, 1, activation="relu6")
    return builder.build()


def sums(count: int) -> bytes:
    """ADD of the last two results."""
    builder = ModelBuilder("int8").input("input", (1, 16, 16, 16)).conv2d(16, 1)
    previous = builder.last
    builder.conv2d(16, 1)
    for _ in range(count - 2):
        last = builder.last
        builder.add(previous, last, output=SUM)
        previous = last
    return builder.build()


def branches(count: int) -> bytes:
    """Blocks of two branches that an ADD joins, four operators each; no biases, which would
    outgrow their type."""
    builder = ModelBuilder("int8").input("input", (1, 16, 16, 16))
    for _ in range(count // 4):
        fork = builder.conv2d(16, 1, bias=False, output=SUM).last
        left = builder.conv2d(16, 3, source=fork, bias=False, output=SUM).last
        right = builder.conv2d(16, 1, source=fork, bias=False, output=SUM).last
        builder.add(left, right, output=SUM)
    return builder.build()


CHAINS: dict[str, Callable[[int], bytes]] = {
    "convolutions": convolutions,
    "depthwise and 1x1 convolutions": separable,
    "additions": sums,
    "blocks of branches": branches,
}


@dataclass(frozen=True, slots=True)
class Scale:
    """Processor seconds of each length."""

    name: str
    seconds: tuple[float, ...]

    @property
    def per_operator(self) -> tuple[float, float]:
        """Seconds for each operator between neighbouring lengths: the start is left out."""
        few, many = (
            (self.seconds[i + 1] - self.seconds[i]) / (LENGTHS[i + 1] - LENGTHS[i]) for i in (0, 1)
        )
        return few, many

    @property
    def growth(self) -> float:
        few, many = self.per_operator
        return many / few if few > 0 else float("inf")

    def row(self) -> tuple[str, ...]:
        """A line of the table."""
        times = (f"{seconds:.2f} s" for seconds in self.seconds)
        rates = (f"{rate * 1e3:.2f} ms" for rate in self.per_operator)
        return (self.name, *times, *rates, f"{self.growth:.2f}")


def measure(name: str, make: Callable[[int], bytes], runs: int) -> Scale:
    """Compile the three lengths of one chain in turns."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        commands = {}
        for length in LENGTHS:
            path = folder / f"chain_{length}.tflite"
            path.write_bytes(make(length))
            commands[str(length)] = [*OURS, str(path), "-o", "out"]
        samples = in_turns(commands, folder, environment(folder), runs)
    return Scale(name, tuple(median(samples[str(length)], _cpu) for length in LENGTHS))


def _cpu(sample: Sample) -> float:
    return sample.cpu


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="compile_scale")
    parser.add_argument("--runs", type=int, default=5, metavar="N")
    parser.add_argument("--write-docs", action="store_true", help=f"write {PAGE.name}")
    options = parser.parse_args(arguments)
    found = []
    for name, make in CHAINS.items():
        found.append(measure(name, make, options.runs))
        print(*found[-1].row(), sep="  ", flush=True)
    if options.write_docs:
        replace_part(PAGE, PART, table(HEAD, (item.row() for item in found)))
    return int(any(item.growth > MOST_GROWTH for item in found))


if __name__ == "__main__":
    sys.exit(main())
