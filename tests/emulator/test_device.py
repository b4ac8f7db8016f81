"""Parameter caching, the runtime's view: what is loaded, kept and wiped."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from compiler.beagle.executable import ExecutableType
from compiler.emulator.device import Device, choose
from compiler.emulator.model import CompiledModel, random_inputs
from compiler.errors import EmulationError
from compiler.frontend.tflite_reader import read_model_bytes
from tests.corpus_paths import require_corpus
from tests.emulator.compiled import compile_model
from tests.emulator.reference import Reference, counted
from tests.model_builder import ModelBuilder


def compiled(builder, token):
    return compile_model(builder.build(), token)


def network(seed):
    return ModelBuilder(seed=seed).input("x", (1, 8, 8, 16)).conv2d(16, 3)


def summary(result):
    (run,) = result.runs
    return run.loaded_bytes, run.kept_bytes, run.wiped_bytes


def test_parameters_stay_on_the_chip():
    model, device = compiled(network(1), 77), Device()
    first = model.run(random_inputs(model), device)
    loaded, kept, wiped = summary(first)
    assert loaded > 0 and kept == 0 and wiped == 0
    second = model.run(random_inputs(model), device)
    assert summary(second) == (0, loaded, 0)
    for name, array in first.outputs.items():
        np.testing.assert_array_equal(array, second.outputs[name])


def test_a_foreign_model_wipes_them():
    first, other, device = compiled(network(1), 77), compiled(network(2), 78), Device()
    loaded = summary(first.run(random_inputs(first), device))[0]
    assert summary(other.run(random_inputs(other), device))[2] == loaded
    assert summary(first.run(random_inputs(first), device))[0] == loaded


def test_cocompiled_vendor_models_share_the_chip():
    """Load one, load the other, then both without a reload; a third wipes them all."""
    folder = require_corpus() / "google-coral+test_data"
    small, large = (
        CompiledModel(folder / "cocompilation" / f"{a}_cocompiled_with_{b}_edgetpu.tflite")
        for a, b in (
            ("mobilenet_v1_0.25_128_quant", "mobilenet_v1_0.5_160_quant"),
            ("mobilenet_v1_0.5_160_quant", "mobilenet_v1_0.25_128_quant"),
        )
    )
    foreign = CompiledModel(folder / "mobilenet_v1_0.25_128_quant_edgetpu.tflite")
    device = Device()
    steps = [model.run(random_inputs(model), device) for model in (small, large, small, large)]
    (loaded_small, _, _), (loaded_large, _, _) = summary(steps[0]), summary(steps[1])
    assert loaded_small > 0 and loaded_large > 0
    assert [summary(step) for step in steps] == [
        (loaded_small, 0, 0),
        (loaded_large, 0, 0),
        (0, loaded_small, 0),
        (0, loaded_large, 0),
    ]
    for again, before in ((steps[2], steps[0]), (steps[3], steps[1])):
        for name, array in before.outputs.items():
            np.testing.assert_array_equal(again.outputs[name], array)
    assert summary(foreign.run(random_inputs(foreign), device))[2] == loaded_small + loaded_large


@pytest.mark.parametrize("kind", ["int8", "uint8"])
def test_own_model_is_exact(kind):
    builder = ModelBuilder(kind, seed=3).input("x", (1, 12, 10, 8)).conv2d(24, 3, stride=2)
    data = builder.conv2d(8, 1).build()
    graph, model = read_model_bytes(data, "model"), compile_model(data)
    inputs = random_inputs(model)
    result = model.run(inputs, Device("concurrent"))
    assert [str(report) for run in result.runs for report in run.hazards] == []
    values = Reference(graph, {graph.inputs[0]: counted(inputs["x"])}).run()
    for index in graph.outputs:
        actual = counted(result.outputs[graph.tensors[index].name])
        np.testing.assert_array_equal(actual, values[index])


def test_a_model_opened_twice_loads_its_parameters_twice():
    """The runtime tells caching programs apart by where they are registered."""
    data, device = network(1).build(), Device()
    first, second = compile_model(data, 77), compile_model(data, 77)
    loaded = summary(first.run(random_inputs(first), device))[0]
    assert summary(second.run(random_inputs(second), device)) == (loaded, 0, 0)
    assert summary(first.run(random_inputs(first), device)) == (0, loaded, 0)


def test_which_program_of_a_package_runs():
    model = compiled(network(1), 77)
    ((_, (program, caching)),) = model.executables.items()
    alone = replace(program, type=ExecutableType.STAND_ALONE)
    assert choose((program, caching)) == choose((caching, program)) == (program, caching)
    assert choose((program,)) == (program, None)
    assert choose((alone,)) == (alone, None)
    assert choose((program, alone, caching)) == (alone, None)
    for refused in ((), (caching,), (alone, caching), (alone, program), (program, program)):
        with pytest.raises(EmulationError, match="no program for an inference"):
            choose(refused)


def test_only_token_0_wipes_what_others_cached():
    """A program that stands alone with the others' token leaves their parameters in place; one
    with another token or none does not, and leaves no token behind."""
    model, device = compiled(network(1), 77), Device()
    small = compiled(ModelBuilder(seed=5).input("x", (1, 8, 8, 16)).relu(), 77)
    ((index, (program,)),) = small.executables.items()
    assert (program.type, program.token) == (ExecutableType.STAND_ALONE, 0)
    loaded = summary(model.run(random_inputs(model), device))[0]
    for token, wiped in ((77, 0), (0, loaded), (78, loaded)):
        small.executables[index] = (replace(program, token=token),)
        assert summary(small.run(random_inputs(small), device)) == (0, 0, wiped)
        again = summary(model.run(random_inputs(model), device))
        assert again == ((loaded, 0, 0) if wiped else (0, loaded, 0))
