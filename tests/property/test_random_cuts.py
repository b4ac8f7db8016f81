"""Random networks, cut in every way there is: what runs on the Edge TPU computes, on the
emulator, what the reference says, exactly.

The reference takes the values of operators on the CPU as they are: TensorFlow Lite rounds them
in its own way. A small sample runs by default; EDGETPU_RANDOM_NETWORKS=1000 asks for more.
"""

from __future__ import annotations

import os
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.compilation import Run, Source, compile_together
from compiler.driver import NO_CUT, Cut
from compiler.emulator import CompiledModel, Device, random_inputs
from compiler.frontend.graph import Graph
from compiler.frontend.tflite_reader import COMPILED_OPERATOR, read_model_bytes
from compiler.options import CompileOptions
from compiler.pipeline.segmentation import execution_order, first_output, most_segments
from compiler.pipeline.segments import cut_into
from tests.emulator.reference import Reference, counted
from tests.random_networks import network

pytest.importorskip("ai_edge_litert.interpreter")
EXAMPLES = int(os.environ.get("EDGETPU_RANDOM_NETWORKS", "10"))
SETTINGS = settings(derandomize=True, deadline=None, max_examples=EXAMPLES)
SEEDS = st.integers(0, 1 << 32)


def _source(seed: int, name: str = "m") -> Source:
    data = network(seed)
    return Source(name, data, read_model_bytes(data, name), name)


def _compile(sources, cuts=(), **options) -> list[CompiledModel]:
    run = Run(CompileOptions(**options), tuple(source.data for source in sources), "test")
    return [CompiledModel(item.data) for item in compile_together(sources, run, cuts)]


def _check(graph: Graph, model: CompiledModel, device: Device | None = None) -> None:
    """Everything that leaves an Edge TPU operator is exact."""
    index = {tensor.name: tensor.index for tensor in graph.tensors}
    inputs = random_inputs(model, seed=1)
    result = model.run(inputs, device)
    names = [tensor.name for tensor in model.graph.tensors]
    on_cpu = [op for op in model.graph.operators if op.custom_code != COMPILED_OPERATOR]
    given = {name: counted(array) for name, array in inputs.items()}
    given |= {names[i]: counted(result.tensors[names[i]]) for op in on_cpu for i in op.outputs}
    values = Reference(graph, {index[name]: array for name, array in given.items()}).run()
    for op in model.graph.operators:
        for name in (names[i] for i in op.outputs if op.custom_code == COMPILED_OPERATOR):
            expected = values[index[name]]
            np.testing.assert_array_equal(counted(result.tensors[name]), expected, err_msg=name)


@SETTINGS
@given(SEEDS)
def test_intermediate_tensors(seed: int) -> None:
    source, chance = _source(seed), random.Random(seed)
    results = [index for op in source.graph.operators for index in op.outputs]
    chosen = chance.sample(results, min(len(results), chance.choice([1, 1, 2])))
    names = tuple(source.graph.tensors[index].name for index in chosen)
    for everything in (False, True):
        (model,) = _compile([source], [Cut(names)], all_subgraphs=everything)
        _check(source.graph, model)


@SETTINGS
@given(SEEDS)
def test_search_cuts(seed: int) -> None:
    source = _source(seed)
    count = random.Random(seed).randint(1, len(source.graph.operators))
    (model,) = _compile([source], [Cut(operators=count)])
    _check(source.graph, model)


@SETTINGS
@given(SEEDS)
def test_segments(seed: int) -> None:
    source = _source(seed)
    order = execution_order(source.graph)
    most = most_segments(first_output(source.graph, order))
    segments = cut_into(source, random.Random(seed).randint(1, min(4, most)))
    assert sum(len(segment.graph.operators) for segment in segments) == len(order)
    for segment in segments:
        (model,) = _compile([segment])
        _check(segment.graph, model)


@SETTINGS
@given(SEEDS)
def test_models_compiled_together(seed: int) -> None:
    sources = [_source(seed + number, f"m{number}") for number in range(3)]
    models = _compile(sources, [NO_CUT] * 3, by_order=bool(seed % 2))
    device = Device()
    for turn in range(2):
        for source, model in zip(sources, models, strict=True):
            _check(source.graph, model, device)
            if turn:
                result = model.run(random_inputs(model, seed=1), device)
                assert not any(run.loaded_bytes + run.wiped_bytes for run in result.runs)
