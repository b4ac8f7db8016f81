"""The table of values that differ."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("benchmarks.inputs", reason="benchmarks/ is not among the files of this test")

from benchmarks.emulator_accuracy import (
    Difference,
    main,
    operator_table,
    single_operators,
    tensorflow_lite,
)
from compiler.emulator.model import CompiledModel
from compiler.frontend.tflite_reader import read_model_bytes
from tests.corpus_paths import require_corpus
from tests.emulator.compiled import compile_bytes
from tests.emulator.reference import counted
from tests.emulator.vendor_runs import differences, reference_values
from tests.model_builder import ModelBuilder


def test_a_difference():
    found = Difference()
    assert str(found) == "none"
    found.add(np.int8([1, -128]), np.int8([1, -128]))
    assert str(found) == "0 of 2"
    found.add(np.int8([1, 5]), np.int8([-2, 5]))
    total = Difference(1, 1, 1)
    total.merge(found)
    assert str(total) == "2 of 5, at most 3"


def test_single_operators_of_a_network():
    """ADD and AVERAGE_POOL_2D read what the reference computed, not what went before."""
    builder = ModelBuilder(seed=4).input("x", (1, 8, 8, 16))
    first = builder.conv2d(16, 3).last
    source = builder.conv2d(16, 1).add(first, builder.last).average_pool_2d(2).build()
    graph, model = read_model_bytes(source, "source"), CompiledModel(compile_bytes(source))
    inputs = {"x": np.arange(1024, dtype=np.int32).astype(np.int8).reshape(1, 8, 8, 16)}
    result = model.run(inputs)
    values = reference_values(graph, model, result)
    assert [d.differing for d in differences(values, model, result)] == [0]
    found = single_operators(graph, values)
    assert {name: d.values for name, d in found.items()} == {
        "CONV_2D": 2048,
        "ADD": 1024,
        "AVERAGE_POOL_2D": 256,
    }
    assert max(d.largest for d in found.values()) <= 1
    name = graph.tensors[graph.operators[0].outputs[0]].name
    expected = Difference()
    expected.add(tensorflow_lite(graph, inputs)[name], values[name])
    assert expected.largest <= 1 and counted(inputs["x"]).dtype == np.uint8


def test_the_command(capsys):
    require_corpus()
    assert main(["--only", "gabor_64x64_p4"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("gabor_64x64_p4 | LibrEdgeTPU | 0 of 2048 | ")
    assert lines[0].endswith(" | 0 | = | = | = | at most 1")
    assert "1 sources; wrong: none" in lines[-1]


def test_no_operators():
    assert operator_table([]).count("\n") == 2
