"""Random networks compile and compute, on the emulator, what the reference says, exactly.

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
from tests.emulator.compiled import compile_model, faults
from tests.emulator.reference import Reference, counted
from tests.random_networks import network

EXAMPLES = int(os.environ.get("EDGETPU_RANDOM_NETWORKS", "30"))


@settings(derandomize=True, deadline=None, max_examples=EXAMPLES)
@given(st.integers(0, 1 << 32))
def test_random_networks_compute_the_reference(seed: int) -> None:
    graph = read_model_bytes(network(seed), "network")
    (model,) = share_memory([plan_model(graph, CompileOptions())])
    for plan in model.plans:
        plan.verify()
    compiled = CompiledModel(compile_graph(model, 1, CompileOptions()))
    inputs = random_inputs(compiled, seed=1)
    outputs = compiled.run(inputs).outputs
    names = {tensor.name: tensor.index for tensor in graph.tensors}
    reference = Reference(graph, {names[n]: counted(array) for n, array in inputs.items()}).run()
    reasons = [str(reason) for reason in model.partition.reasons.values()]
    assert all("is another one, renamed" in reason for reason in reasons), reasons
    for name, array in outputs.items():
        np.testing.assert_array_equal(counted(array), reference[names[name]], err_msg=name)


@settings(derandomize=True, deadline=None, max_examples=max(3, EXAMPLES // 10))
@given(st.integers(0, 1 << 32))
def test_random_networks_have_no_hazards(seed: int) -> None:
    compiled = compile_model(network(seed))
    assert faults(compiled.run(random_inputs(compiled, seed=1), Device("concurrent"))) == []
