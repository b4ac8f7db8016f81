"""However a model is cut, segmented or compiled with others: what runs on the Edge TPU computes
the same numbers on the emulator as when the model is compiled alone and as a whole."""

from __future__ import annotations

import functools
import re
from pathlib import Path

import numpy as np
import pytest

from compiler.compilation import Run, Source, compile_together
from compiler.driver import NO_CUT, Cut
from compiler.emulator import CompiledModel, Device, random_inputs
from compiler.frontend.tflite_reader import read_model_bytes
from compiler.options import AUTO_SEGMENTS, CompileOptions, Request
from compiler.pipeline.segments import cut_at, cut_into
from compiler.session import Session
from tests.model_builder import ModelBuilder

pytest.importorskip("ai_edge_litert.interpreter")


def _network(seed: int, kind: str = "int8") -> bytes:
    builder = ModelBuilder(kind, seed=seed).input("x", (1, 16, 16, 3)).conv2d(16, 3, stride=2)
    builder.depthwise_conv2d(3).conv2d(64, 1, activation="relu6").depthwise_conv2d(3, stride=2)
    return builder.conv2d(64, 1).build()


def _two_parts() -> bytes:
    builder = ModelBuilder(seed=3).input("x", (1, 16, 16, 8)).conv2d(16, 3)
    builder.op("HARD_SWISH", [builder.last], (1, 16, 16, 16), output=(0.05, 0))
    return builder.conv2d(16, 3).depthwise_conv2d(3).build()


def _source(data: bytes, name: str = "m") -> Source:
    return Source(f"{name}.tflite", data, read_model_bytes(data, name), name)


def _compile(sources, cuts=(), **options) -> list[CompiledModel]:
    run = Run(CompileOptions(**options), tuple(source.data for source in sources), "test")
    return [CompiledModel(item.data) for item in compile_together(sources, run, cuts)]


@functools.cache
def _alone(data: bytes) -> tuple[dict, dict]:
    """(inputs, outputs) of the model compiled alone and whole."""
    (model,) = _compile([_source(data)])
    inputs = random_inputs(model)
    return inputs, model.run(inputs).outputs


def _check(data: bytes, outputs: dict) -> None:
    expected = _alone(data)[1]
    assert set(outputs) >= set(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(outputs[name], array)


@pytest.mark.parametrize("kind", ["int8", "uint8"])
@pytest.mark.parametrize("segments", [2, 3, 5])
def test_segments_one_after_the_other(kind, segments):
    data = _network(1, kind)
    values = dict(_alone(data)[0])
    for source in cut_into(_source(data), segments):
        (model,) = _compile([source])
        assert model.executables
        values |= model.run({name: values[name] for name in model.inputs()}).outputs
    _check(data, values)


def test_auto_takes_the_fewest_segments_that_stream_nothing(tmp_path, monkeypatch):
    """Parameters of 9 MiB: as a whole some are streamed, in two segments none; the numbers are
    the same."""
    monkeypatch.chdir(tmp_path)
    builder = ModelBuilder(seed=4).input("x", (1, 1024))
    for _ in range(9):
        builder.fully_connected(1024)
    data = builder.build()
    Path("m.tflite").write_bytes(data)
    printed: list[str] = []
    assert Session(Request(("m.tflite",)), printed.append).run() == 0
    assert _streamed(printed) != ["0.00B"]
    del printed[:]
    assert Session(Request(("m.tflite",), segments=AUTO_SEGMENTS), printed.append).run() == 0
    assert _streamed(printed) == ["0.00B", "0.00B"]
    assert sorted(path.name for path in tmp_path.glob("*_of_*_edgetpu.tflite")) == [
        f"m_segment_{number}_of_2_edgetpu.tflite" for number in range(2)
    ]
    values = dict(_alone(data)[0])
    for number in range(2):
        model = CompiledModel(f"m_segment_{number}_of_2_edgetpu.tflite")
        values |= model.run({name: values[name] for name in model.inputs()}).outputs
    _check(data, values)


def _streamed(printed: list[str]) -> list[str]:
    return re.findall(r"Off-chip memory used .*: (.*)", "\n".join(printed))


def _check_cut(model: CompiledModel, operators: int) -> None:
    """The first `operators` give what they give as a model of their own; the rest runs on the
    CPU, whose kernels may round to the other neighbour."""
    data = _network(1)
    inputs, whole = _alone(data)
    first = cut_at(_source(data), [range(operators), range(operators, 5)])[0]
    (alone,) = _compile([first])
    result = model.run(inputs)
    for name, array in alone.run(inputs).outputs.items():
        np.testing.assert_array_equal(result.tensors[name], array)
    for name, array in whole.items():
        assert np.abs(result.outputs[name].astype(int) - array).max() <= 2


@pytest.mark.parametrize("operators", [1, 3, 4])
def test_search_cuts(operators):
    (model,) = _compile([_source(_network(1))], [Cut(operators=operators)])
    assert len(model.graph.operators) == 1 + 5 - operators
    _check_cut(model, operators)


def test_intermediate_tensors():
    source = _source(_network(1))
    tensor = source.graph.operators[2].outputs[0]
    (model,) = _compile([source], [Cut((source.graph.tensors[tensor].name,))])
    assert len(model.graph.operators) == 1 + 5 - 3
    _check_cut(model, 3)


def test_every_subgraph_on_one_device():
    """Both load their parameters once, and neither wipes the other's."""
    source = _source(_two_parts())
    (model,) = _compile([source], all_subgraphs=True)
    assert len(model.executables) == 2
    inputs = random_inputs(model)
    values = dict(inputs)
    for segment in cut_at(source, [[0], [1], [2, 3]]):
        (alone,) = _compile([segment])
        values |= alone.run({name: values[name] for name in alone.inputs()}).outputs
    device = Device()
    for number in range(2):
        result = model.run(inputs, device)
        for name, array in result.outputs.items():
            np.testing.assert_array_equal(values[name], array)
        assert [run.loaded_bytes > 0 for run in result.runs] == [number == 0] * 2
        assert not any(run.wiped_bytes for run in result.runs)


def test_models_of_one_run_take_turns_without_loading_again():
    data = [_network(1), _network(2)]
    models = _compile([_source(d, str(i)) for i, d in enumerate(data)], [NO_CUT, NO_CUT])
    device = Device()
    for turn in range(2):
        for source, model in zip(data, models, strict=True):
            result = model.run(_alone(source)[0], device)
            _check(source, result.outputs)
            assert (result.runs[0].loaded_bytes > 0) == (turn == 0)
            assert result.runs[0].wiped_bytes == 0


def test_each_model_of_a_run_works_alone():
    data = [_network(1), _network(2)]
    for source, model in zip(
        data, _compile([_source(d, str(i)) for i, d in enumerate(data)]), strict=True
    ):
        _check(source, model.run(_alone(source)[0]).outputs)
