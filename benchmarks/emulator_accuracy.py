"""Sources of the corpus, compiled here and by the vendor, on the emulator: values that differ from
the float32 reference and from TensorFlow Lite's reference kernels, and hazards.

    python3 -m benchmarks.emulator_accuracy [--only PART] [--moves N] [--write-docs]

Prints a line for each source, then what TensorFlow Lite's kernels make of single operators that
read the reference's values. Hazards are looked for in programs of up to N moves of lines (default
200000: seconds to a minute). `--write-docs` puts the tables into docs/emulator.md. Exit status 1 if
a value differs from the reference, or for a hazard.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from compiler.emulator.device import Device
from compiler.emulator.model import CompiledModel, ModelResult, random_inputs, run_operator
from compiler.frontend.graph import Graph, TensorType
from compiler.frontend.tflite_reader import read_model
from compiler.pipeline.latency import EMULATED_MOVES, instructions, programs
from compiler.pipeline.segments import segment_model
from compiler.pipeline.static_cycles import line_moves
from tests.emulator.reference import Reference, counted
from tests.emulator.reference_arithmetic import as_stored
from tests.emulator.vendor_runs import OTHER_SOURCE, reference_values
from tests.tensorflow_lite import tensors as every_tensor

from .corpus_pairs import CorpusPair, corpus_pairs
from .pages import DOCS, replace_part, table

Array = np.ndarray[Any, Any]
PAGE, PART, OPERATORS = DOCS / "emulator.md", "accuracy", "accuracy of operators"
HEAD = (
    "source",
    "from",
    "ours: differ from the reference",
    "from TensorFlow Lite",
    "hazards",
    "vendor's: differ from the reference",
    "from TensorFlow Lite",
    "hazards",
    "one operator",
)
OPERATOR_HEAD = ("operator", "values", "differ", "largest difference")
SEED = 1


@dataclass(slots=True)
class Difference:
    """Two arrays of values, or several pairs of them."""

    values: int = 0
    differing: int = 0
    largest: int = 0

    def add(self, actual: Array, wanted: Array) -> None:
        """Count one more pair."""
        distance = np.abs(counted(actual).ravel().astype(int) - counted(wanted).ravel().astype(int))
        self.values += distance.size
        self.differing += int(np.count_nonzero(distance))
        self.largest = max(self.largest, int(distance.max(initial=0)))

    def merge(self, other: Difference) -> None:
        """Take another's counts in."""
        self.values += other.values
        self.differing += other.differing
        self.largest = max(self.largest, other.largest)

    def __str__(self) -> str:
        if not self.values:
            return "none"
        largest = f", at most {self.largest}" if self.differing else ""
        return f"{self.differing} of {self.values}{largest}"


@dataclass(frozen=True, slots=True)
class Side:
    """One compiled file. hazards: None where they were not looked for."""

    reference: Difference
    tensorflow: Difference
    hazards: int | None

    def cells(self) -> tuple[str, ...]:
        """Its part of the table's line."""
        hazards = "" if self.hazards is None else str(self.hazards)
        return (str(self.reference), str(self.tensorflow), hazards)

    @property
    def is_wrong(self) -> bool:
        return bool(self.reference.differing or self.hazards)


@dataclass(slots=True)
class Source:
    """A source of the corpus with its expected values, which both sides share. operators: what
    TensorFlow Lite's kernels differ by, by name, each fed with the reference's values."""

    pair: CorpusPair
    graph: Graph
    moves: int
    operators: dict[str, Difference] = field(default_factory=dict)

    def run(self, compiled: bytes, *, explain: bool) -> Side:
        """Emulate one of the two files; `explain`: fill `operators` if TensorFlow Lite differs."""
        model = CompiledModel(compiled)
        moves = sum(line_moves(instructions(program)) for program in programs(compiled))
        device = Device("concurrent" if moves <= self.moves else "functional")
        result = model.run(random_inputs(model, SEED), device, partial=True)
        exact = reference_values(self.graph, model, result)
        inputs = {name: result.tensors[name] for name in model.inputs()}
        tensorflow = _outputs(model, result, tensorflow_lite(self.graph, inputs))
        if explain and tensorflow.differing:
            self.operators = single_operators(self.graph, exact)
        hazards = sum(len(run.hazards) for run in result.runs)
        return Side(
            _outputs(model, result, exact),
            tensorflow,
            hazards if device.mode == "concurrent" and result.runs else None,
        )


def tensorflow_lite(graph: Graph, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """Every tensor by the reference kernels, in the operators TensorFlow Lite has."""
    known = [op.index for op in graph.operators if not op.custom_code]
    names = {graph.tensors[i].name for op in known for i in graph.operators[op].outputs}
    values = every_tensor(segment_model(graph, known), inputs)
    return {name: value for name, value in values.items() if name in names}


def single_operators(graph: Graph, values: Mapping[str, Array]) -> dict[str, Difference]:
    """The reference kernels' results, each operator with the float32 reference's values (`values`,
    by tensor name) as inputs, against that reference's result."""
    found: dict[str, Difference] = {}
    tensors = graph.tensors
    states = {t.name: Reference(graph, {}).value(t.index) for t in tensors if t.is_variable}
    known = {**states, **values}
    for op in graph.operators:
        reads = [i for i in dict.fromkeys(op.inputs) if i >= 0 and not tensors[i].is_constant]
        if not all(tensors[i].name in known for i in (*reads, *op.outputs)):
            continue
        inputs = [
            as_stored(known[tensors[i].name], signed=tensors[i].type == TensorType.INT8)
            for i in reads
        ]
        results = run_operator(graph, op, inputs, reference_kernels=True)
        for index, result in zip(op.outputs, results, strict=True):
            found.setdefault(op.name, Difference()).add(result, values[tensors[index].name])
    return found


def _outputs(model: CompiledModel, result: ModelResult, wanted: Mapping[str, Array]) -> Difference:
    """The Edge TPU operators' outputs against `wanted`, where it has them."""
    found = Difference()
    for op in model.graph.operators:
        for index in op.outputs if op.index in model.executables else ():
            name = model.graph.tensors[index].name
            if name in wanted and wanted[name].size == result.tensors[name].size:
                found.add(result.tensors[name], wanted[name])
    return found


@dataclass(frozen=True, slots=True)
class Row:
    """A source; vendor: None for a file with the very program and parameters of ours, and for
    one of another source; operators: as `Source.operators`."""

    pair: CorpusPair
    ours: Side
    vendor: Side | None
    operators: dict[str, Difference]

    @property
    def is_wrong(self) -> bool:
        return self.ours.is_wrong or bool(self.vendor and self.vendor.is_wrong)

    def cells(self) -> tuple[str, ...]:
        """A line of the table."""
        text = "=" if self.pair.is_same_package else "another source"
        vendor = self.vendor.cells() if self.vendor else (text,) * 3
        alone = (
            f"at most {max(d.largest for d in self.operators.values())}" if self.operators else ""
        )
        ours = self.ours.cells() if programs(self.pair.ours) else ("not mapped", "", "")
        return (self.pair.short_name, self.pair.origin, *ours, *vendor, alone)


def measure(pair: CorpusPair, moves: int) -> Row:
    """Emulate both files, or one where they are the same."""
    source = Source(pair, read_model(pair.entry.source), moves)
    ours = source.run(pair.ours, explain=True)
    is_other = any(part in pair.name for part in OTHER_SOURCE)
    known = pair.is_same_package or is_other
    vendor = None if known else source.run(pair.vendor, explain=False)
    return Row(pair, ours, vendor, source.operators)


def operator_table(rows: Sequence[Row]) -> str:
    """Single operators of all sources."""
    total: dict[str, Difference] = {}
    for row in rows:
        for name, difference in row.operators.items():
            total.setdefault(name, Difference()).merge(difference)
    lines = ((name, d.values, d.differing, d.largest) for name, d in sorted(total.items()))
    return table(OPERATOR_HEAD, lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="emulator_accuracy")
    parser.add_argument("--only", default="", metavar="PART", help="of the files' paths")
    parser.add_argument("--moves", type=int, default=EMULATED_MOVES, metavar="N")
    parser.add_argument("--write-docs", action="store_true", help=f"write {PAGE.name}")
    options = parser.parse_args(arguments)
    rows = []
    for pair in corpus_pairs(options.only):
        rows.append(measure(pair, options.moves))
        print(*rows[-1].cells(), sep=" | ", flush=True)
    print(operator_table(rows), end="")
    if options.write_docs and rows:
        replace_part(PAGE, PART, table(HEAD, (row.cells() for row in rows)))
        replace_part(PAGE, OPERATORS, operator_table(rows))
    wrong = [row.pair.name for row in rows if row.is_wrong]
    print(f"{len(rows)} sources; wrong: {', '.join(wrong) or 'none'}")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
