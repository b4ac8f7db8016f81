"""Models built as the public sweeps over the vendor's tool built theirs, compiled: both memory
numbers, whole and in segments, to the printed digit.

Left out is what this compiler does not map: segments whose input has a number of channels
that is not a multiple of 4, and the dense chains' TANH of vectors (dense layers of more than
1024 outputs too), which has no parameters.
"""

from __future__ import annotations

import functools
import json

import pytest

from compiler.compilation import Source
from compiler.driver import memory_reports, plan_model
from compiler.emit.texts import size_text
from compiler.frontend.tflite_reader import read_model_bytes
from compiler.options import CompileOptions
from compiler.pipeline.segments import cut_into
from tests.corpus_paths import require_corpus
from tests.model_builder import ModelBuilder

DENSE, CONVOLUTIONS, SEGMENTS = "FC: Dense", "CONV: 5x", "CONV x5, --num_segments "
WIDTHS = range(32, 703, 10)
SAMPLE = {32, 102, 172, 312, 442, 452, 572, 592, 702}


@functools.cache
def _rows() -> list[dict]:
    path = require_corpus().parent / "spec" / "data" / "logs.json"
    if not path.is_file():
        pytest.skip("no sweep rows beside the corpus")
    return json.loads(path.read_text())["synthetic_sweeps"]


def _printed(mebibytes: float) -> str:
    """The sweep gives MiB; below 1 the log was in KiB, with two digits."""
    return size_text(round(mebibytes * (1 << 20)))


def _row(prefix: str, width: int) -> dict:
    (row,) = (r for r in _rows() if r["model"].startswith(prefix) and r["N"] == width)
    return row


def _source(builder: ModelBuilder) -> Source:
    data = builder.build()
    return Source("m.tflite", data, read_model_bytes(data, "m"), "m")


def _numbers(sources: list[Source]) -> list[tuple[str, str]]:
    """(used, off-chip) of each model, which is mapped as a whole."""
    found = []
    for source in sources:
        model = plan_model(source.graph, CompileOptions())
        assert not model.partition.reasons
        (report,) = memory_reports([model])
        found.append((size_text(report.used), size_text(report.streamed)))
    return found


def _convolutions(width: int) -> Source:
    builder = ModelBuilder().input("x", (1, 64, 64, 3))
    for _ in range(5):
        builder.conv2d(width, 3, activation="relu", bias=False)
    return _source(builder)


def _some(widths: range, sample: set[int]) -> list[object]:
    """The sample; the others are marked `full`."""
    return [w if w in sample else pytest.param(w, marks=pytest.mark.full) for w in widths]


@pytest.mark.parametrize("width", _some(WIDTHS, SAMPLE))
def test_convolutions(width):
    row = _row(CONVOLUTIONS, width)
    source = _convolutions(width)
    assert _numbers([source]) == [(_printed(row["on_chip_MiB"]), _printed(row["off_chip_MiB"]))]
    for segments in (2, 3, 4) if width % 4 == 0 else ():
        row = _row(f"{SEGMENTS}{segments}", width)
        pairs = zip(row["on_chip_MiB"], row["off_chip_MiB"], strict=True)
        expected = [(_printed(used), _printed(streamed)) for used, streamed in pairs]
        assert _numbers(cut_into(source, segments)) == expected


@pytest.mark.parametrize("width", _some(range(100, 1025, 40), {100, 540, 1020}))
def test_dense_layers(width):
    row = _row(DENSE, width)
    builder = ModelBuilder(per_channel=False).input("x", (1, 64))
    for _ in range(4):
        builder.fully_connected(width, bias=False)
    numbers = _numbers([_source(builder.fully_connected(10, bias=False))])
    assert numbers == [(_printed(row["on_chip_MiB"]), _printed(row["off_chip_MiB"]))]
