"""Random networks with pools, moves and vectors compute, on the emulator, what the reference says.

A small sample runs by default; EDGETPU_RANDOM_NETWORKS=1000 asks for more.
"""

from __future__ import annotations

import os

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.driver import compile_graph, plan_model, share_memory
from compiler.emulator import Device
from compiler.emulator.model import CompiledModel, random_inputs
from compiler.frontend.tflite_reader import read_model_bytes
from compiler.options import CompileOptions
from tests.emulator.compiled import faults
from tests.emulator.reference import Reference, counted
from tests.random_movements import moving_network

EXAMPLES = int(os.environ.get("EDGETPU_RANDOM_NETWORKS", "30"))


def _compiled(seed: int):
    graph = read_model_bytes(moving_network(seed), "network")
    (model,) = share_memory([plan_model(graph, CompileOptions())])
    for plan in model.plans:
        plan.verify()
    return graph, model, CompiledModel(compile_graph(model, 1, CompileOptions()))


@settings(derandomize=True, deadline=None, max_examples=EXAMPLES)
@given(st.integers(0, 1 << 32))
def test_random_movements_compute_the_reference(seed: int) -> None:
    graph, model, compiled = _compiled(seed)
    inputs = random_inputs(compiled, seed=1)
    tensors = compiled.run(inputs, partial=True).tensors
    names = {tensor.name: tensor.index for tensor in graph.tensors}
    wanted = Reference(graph, {names[n]: counted(array) for n, array in inputs.items()}).run()
    mapped = [op for op in graph.operators if model.partition.on_edge_tpu(op.index)]
    computed = {tensor for op in mapped for tensor in op.outputs}
    for name, array in tensors.items():
        if names.get(name) in computed:
            np.testing.assert_array_equal(counted(array), wanted[names[name]], err_msg=name)


@settings(derandomize=True, deadline=None, max_examples=max(3, EXAMPLES // 10))
@given(st.integers(0, 1 << 32))
def test_random_movements_have_no_hazards(seed: int) -> None:
    _, model, compiled = _compiled(seed)
    if model.plans:
        result = compiled.run(random_inputs(compiled, seed=1), Device("concurrent"), partial=True)
        assert faults(result) == []
