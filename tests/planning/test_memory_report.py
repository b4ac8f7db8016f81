"""The three memory lines of the vendor's log, reproduced digit for digit.

The public sweeps of dense and convolutional chains lie beside the corpus; their layers' sizes
follow from the architectures.
"""

from __future__ import annotations

import json

import pytest

from compiler.driver import memory_reports, plan_model
from compiler.emit.report import MemoryReport
from compiler.emit.texts import size_text
from compiler.frontend.tflite_reader import read_model, read_model_bytes
from compiler.options import CompileOptions
from compiler.planning.fully_connected import reserved_lines
from compiler.planning.plan import WIDE_LINES, Plan, Segment, Step
from compiler.planning.shared_memory import cached_lines, share, streamed_lines
from compiler.release import RELEASE_16

from ..corpus_paths import pairs, require_corpus
from ..model_builder import ModelBuilder

DENSE = "FC: Dense"
CONVOLUTIONS = "CONV: 5x"
SEGMENTS = "CONV x5, --num_segments "
LINE_BYTES = 256
PARTIAL_SUMS, PARAMETER_RINGS = 128, 36
"""Wide lines of the sweep's 3x3 convolutions: sums of half a tile's 16x16 pixels (they run in
two passes), two sets of header vectors with a chunk behind."""


def block_lanes(outputs):
    return 16 * -(-min(outputs, 64) // 16), -(-outputs // 64)


def matrix(op, inputs, outputs):
    lanes, blocks = block_lanes(outputs)
    data = bytes(blocks * -(-inputs // 4) * lanes * 4)
    return Segment(op, "fully_connected", data, lanes, blocks=blocks)


def convolution(op, inputs, outputs):
    lanes, blocks = block_lanes(outputs)
    data = bytes(blocks * (9 * -(-inputs // 4) + 2) * lanes * 4)
    return Segment(op, "convolution", data, lanes, ("scale", "zero_point"))


def reported(segments, capacity):
    """(used, streamed) of a program, as printed."""
    program = Plan(RELEASE_16, (Step(lowest_line=capacity),), (), {}, tuple(segments))
    (shared,) = share([program])
    used, streamed = cached_lines(shared), streamed_lines(shared)
    return size_text(used * LINE_BYTES), size_text(streamed * LINE_BYTES)


def printed(mebibytes):
    """The sweep gives MiB; below 1 the log was in KiB, with two digits."""
    return size_text(round(mebibytes * (1 << 20)))


def parts(layers, count):
    """The chain cut by parameter bytes into `count` segments."""
    sizes = [9 * inputs * outputs + 4 * outputs for inputs, outputs in layers]
    average = sum(sizes) // count + 1
    cut, total = [[]], 0
    for number, (layer, size) in enumerate(zip(layers, sizes, strict=True)):
        left = count - len(cut)
        if cut[-1] and left and (total + size > average or number > len(layers) - 1 - left):
            cut.append([])
            total = 0
        cut[-1].append(layer)
        total += size
    return cut


def chain_capacity(filters, *, first):
    """Lines free for parameters of a segment: one that gets a map of 64x64 x `filters` from the
    host also has two input rows of all tiles there."""
    rows = 0 if first else 2 * -(-4 * 16 * filters // 256)
    return WIDE_LINES - rows - PARTIAL_SUMS - PARAMETER_RINGS


def sweep_rows():
    corpus = require_corpus()
    path = corpus.parent / "spec" / "data" / "logs.json"
    if not path.is_file():
        pytest.skip("no sweep rows beside the corpus")
    return json.loads(path.read_text())["synthetic_sweeps"]


def expected_and_ours(row):
    width, model = row["N"], row["model"]
    used, streamed = row["on_chip_MiB"], row["off_chip_MiB"]
    if model.startswith(DENSE):
        shapes = [(64, width), *[(width, width)] * 3, (width, 10)]
        segments = [matrix(op, *shape) for op, shape in enumerate(shapes)]
        capacity = WIDE_LINES - reserved_lines(0)
        return [(printed(used), printed(streamed))], [reported(segments, capacity)]
    layers = [(3, width), *[(width, width)] * 4]
    if model.startswith(CONVOLUTIONS):
        segments = [convolution(op, *shape) for op, shape in enumerate(layers)]
        ours = [reported(segments, chain_capacity(width, first=True))]
        return [(printed(used), printed(streamed))], ours
    count = int(model.removeprefix(SEGMENTS))
    ours = [
        reported(
            [convolution(op, *shape) for op, shape in enumerate(part)],
            chain_capacity(width, first=number == 0),
        )
        for number, part in enumerate(parts(layers, count))
    ]
    return [(printed(a), printed(b)) for a, b in zip(used, streamed, strict=True)], ours


@pytest.mark.parametrize(
    ("prefix", "rows"),
    [(DENSE, 64), (CONVOLUTIONS, 68), *((f"{SEGMENTS}{count}", 68) for count in (2, 3, 4))],
)
def test_sweep(prefix, rows):
    chosen = [row for row in sweep_rows() if row["model"].startswith(prefix)]
    assert len(chosen) == rows
    wrong = []
    for row in chosen:
        expected, ours = expected_and_ours(row)
        if expected != ours:
            wrong.append((row["N"], expected, ours))
    assert wrong == []


def test_dense_256():
    """The numbers printed for this file: 66.00KiB used, 7.67MiB remaining."""
    require_corpus()
    pair = next(p for p in pairs() if p.name == "dense_256_edgetpu")
    model = plan_model(read_model(pair.source), CompileOptions())
    (report,) = memory_reports([model])
    sizes = [size_text(size) for size in (report.used, report.remaining, report.streamed)]
    assert sizes == ["66.00KiB", "7.67MiB", "0.00B"]


def test_dense_8192():
    """The numbers release 16.0 printed for such a layer, which no corpus file holds (LibrEdgeTPU,
    docs/HARDWARE_ANALYSIS.md): 0.00B used, 7.88MiB remaining, 64.00MiB streamed."""
    source = ModelBuilder("int8").input("x", (1, 8192)).fully_connected(8192, bias=False).build()
    model = plan_model(read_model_bytes(source, "dense_8192"), CompileOptions())
    (report,) = memory_reports([model])
    sizes = [size_text(size) for size in (report.used, report.remaining, report.streamed)]
    assert sizes == ["0.00B", "7.88MiB", "64.00MiB"]


def test_nothing_mapped_reports_nothing():
    assert MemoryReport() == MemoryReport(0, 0, 0)
