"""The benchmark measures what it says."""

import sys

import pytest

pytest.importorskip("benchmarks.inputs", reason="benchmarks/ is not among the files of this test")

from benchmarks import compile_time
from benchmarks.inputs import MODELS, mobilenet_v1
from benchmarks.processes import Sample, in_turns, median, run
from compiler.frontend.tflite_reader import read_model_bytes
from compiler.mapping.partition import partition


@pytest.mark.parametrize("name", MODELS)
def test_every_input_is_mapped_as_a_whole(name):
    graph = read_model_bytes(MODELS[name](), name)
    assert len(graph.operators) >= 31
    assert partition(graph, 14).reasons == {}


def test_a_process(tmp_path):
    code = "x = bytes(30_000_000); print(sum(range(3_000_000)))"
    sample = run([sys.executable, "-c", code], tmp_path, {})
    assert sample.wall > 0.01 and sample.cpu > 0.01 and 30 < sample.peak < 500


def test_a_failing_process(tmp_path):
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        run([sys.executable, "-c", "1 / 0"], tmp_path, {})


def test_turns(tmp_path):
    note = "import sys; open('notes', 'a').write(sys.argv[1])"
    commands = {name: [sys.executable, "-c", note, name] for name in "ab"}
    samples = in_turns(commands, tmp_path, {}, 2)
    assert (tmp_path / "notes").read_text() == "ababab"
    assert [len(group) for group in samples.values()] == [2, 2]


def test_median():
    samples = [Sample(3.0, 1.0, 5.0), Sample(1.0, 2.0, 4.0), Sample(2.0, 9.0, 6.0)]
    assert median(samples, lambda sample: sample.wall) == 2.0


def test_the_table(tmp_path, capsys):
    path = tmp_path / "small.tflite"
    path.write_bytes(mobilenet_v1(0.25, 32))
    assert compile_time.main(["--runs", "1", "--json", str(tmp_path / "j"), str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("--version ") and lines[2].startswith("small ")
    assert '"model": "small"' in (tmp_path / "j").read_text()
