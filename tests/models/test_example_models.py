"""The example models run on the Edge TPU as a whole, as models/README.md says."""

import re
from pathlib import Path

import pytest

from compiler.compilation import Run, compile_together, read_source
from compiler.emit.texts import size_text
from compiler.options import CompileOptions

FOLDER = Path(__file__).parents[2] / "models"
NAMES = ("detector", "classifier", "keyword")
MAX_BYTES = 600_000


@pytest.fixture(params=NAMES)
def path(request):
    file = FOLDER / f"{request.param}.tflite"
    if not file.is_file():
        pytest.skip("models/ is not among the files of this test")
    return file


def test_everything_is_mapped_and_cached(path):
    source = read_source(str(path), "out")
    run = Run(CompileOptions(), (source.data,), "")
    (compiled,) = compile_together([source], run)
    report = compiled.report
    assert len(source.data) < MAX_BYTES
    assert (report.on_cpu, report.subgraphs, report.memory.streamed) == (0, 1, 0)
    page = FOLDER / "README.md"
    if not page.is_file():
        pytest.skip("models/README.md is not among the files of this test")
    size = size_text(report.output_size)
    row = f"| {len(report.operators)} | {report.on_edge_tpu} | {size_text(report.memory.used)} | "
    assert f"| {path.stem} {row}0.00B | {size} |" in page.read_text()


def test_size_in_the_readme(path):
    page = FOLDER / "README.md"
    if not page.is_file():
        pytest.skip("models/README.md is not among the files of this test")
    match = re.search(rf"`{path.stem}\.tflite` \|.*\| ([\d,]+) B \|", page.read_text())
    assert match is not None
    assert int(match[1].replace(",", "")) == path.stat().st_size
