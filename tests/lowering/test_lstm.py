"""LSTMs on the emulator: the vendor's program of the same model, and the reference arithmetic."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from compiler.driver import compile_graph, plan_model
from compiler.emulator.device import Device
from compiler.emulator.model import CompiledModel
from compiler.frontend.tflite_reader import read_model_bytes
from compiler.options import CompileOptions
from compiler.release import RELEASE_15
from tests.corpus_paths import pairs, require_corpus
from tests.emulator.compiled import compile_bytes, compile_model
from tests.emulator.reference import Reference, counted
from tests.lstm_model import add_lstm, add_step
from tests.model_builder import ModelBuilder

NAME = "keras_lstm_mnist_ptq_edgetpu"


def sequence(steps: int, inputs: int, seed: int = 1) -> ModelBuilder:
    return ModelBuilder(seed=seed).input("x", (1, steps, inputs), scale=1 / 64, zero_point=3)


def check(builder: ModelBuilder, device: Device | None = None, *, runs: int = 2):
    """Outputs and states of several runs, each from the state of the one before."""
    source = builder.build()
    model, graph = compile_model(source), read_model_bytes(source, "test")
    assert len(model.graph.operators) == 1, "everything is mapped"
    random = np.random.default_rng(5)
    states: dict[int, np.ndarray] = {}
    named = {}
    for _ in range(runs):
        x = random.integers(-128, 128, graph.tensor(graph.inputs[0]).shape).astype(np.int8)
        result = model.run({"x": x}, device, named)
        reference = Reference(graph, {graph.inputs[0]: counted(x), **states})
        values = reference.run()
        assert not reference.unknown
        for index in graph.outputs:
            found = counted(result.outputs[graph.tensor(index).name])
            assert np.array_equal(found, values[index]), graph.tensor(index).name
        for index, expected in reference.states.items():
            found = counted(result.state[graph.tensor(index).name])
            assert np.array_equal(found.reshape(-1), expected), graph.tensor(index).name
        states = {index: array[None] for index, array in reference.states.items()}
        named = result.state
        assert len(result.runs) == 1
        assert not result.runs[0].hazards
    return result


@pytest.mark.parametrize(
    ("steps", "inputs", "units"),
    [(1, 4, 4), (2, 8, 8), (5, 28, 20), (3, 12, 64), (7, 4, 12), (2, 300, 36), (31, 20, 4)],
)
def test_one_tile(steps, inputs, units):
    check(add_lstm(sequence(steps, inputs), units))


@pytest.mark.parametrize("units", [68, 128, 132, 200, 340])
def test_units_on_several_tiles(units):
    check(add_lstm(sequence(3, 16), units))


@pytest.mark.parametrize("cell_scale", [2.0**-9, 2.0**-11, 2.0**-13, 2.0**-15])
def test_units_of_the_cell(cell_scale):
    check(add_lstm(sequence(6, 8), 16, cell_scale=cell_scale))


@pytest.mark.parametrize("clip", [0.0, 0.75])
def test_cell_clip(clip):
    check(add_lstm(sequence(6, 8), 16, clip=clip))


def test_without_biases():
    check(add_lstm(sequence(4, 8), 8, bias=False))


def test_hidden_state_far_from_the_middle():
    check(add_lstm(sequence(4, 8), 12, hidden=(1 / 100, 40)))


def test_an_lstm_behind_another():
    check(add_lstm(add_lstm(sequence(4, 8), 12), 20))


def test_both_sequences_are_outputs():
    builder = add_lstm(sequence(4, 8), 16)
    first = builder.last
    check(add_lstm(builder, 8, source=first).output(first, builder.last))


@pytest.mark.parametrize("units", [12, 20])
def test_a_classifier_behind_it(units):
    builder = add_lstm(sequence(9, 12), units)
    check(builder.reshape((1, 9 * units)).fully_connected(10).softmax())


@pytest.mark.parametrize(("step", "units"), [(-1, 20), (0, 72), (2, 64), (-2, 4)])
def test_one_step_of_it(step, units):
    builder = add_step(add_lstm(sequence(5, 8), units), step)
    check(builder.fully_connected(10).softmax())


def test_a_step_that_is_changed_in_place():
    """The sequence itself is read later."""
    builder = add_lstm(sequence(5, 8), 16)
    first = builder.last
    builder = add_step(builder, 3).logistic()
    gate = builder.last
    check(add_lstm(builder, 8, source=first).output(gate, builder.last))


def test_the_last_step_leaves():
    check(add_step(add_lstm(sequence(3, 8), 12), -1, keep=True))


def test_no_hazards_at_any_speed():
    """One tile, several tiles, and two loops, with units of random speed."""
    for units in (20, 68):
        check(add_lstm(sequence(2, 16), units), Device("concurrent"), runs=1)
    check(add_lstm(add_lstm(sequence(2, 8), 12), 8), Device("concurrent"), runs=1)


def test_the_release_before():
    """Addresses are computed with the carry written out."""
    source = add_lstm(add_lstm(sequence(3, 8), 12), 20).build()
    graph, options = read_model_bytes(source, "model"), CompileOptions(RELEASE_15, 14)
    written = compile_graph(plan_model(graph, options), 9, options)
    inputs = {"x": np.arange(24, dtype=np.int8).reshape(1, 3, 8)}
    expected = compile_model(source).run(inputs)
    assert written != compile_bytes(source)
    found = CompiledModel(written).run(inputs)
    for name, array in {**expected.outputs, **expected.state}.items():
        assert np.array_equal({**found.outputs, **found.state}[name], array), name


@pytest.mark.parametrize(
    ("change", "limit"),
    [
        ({"units": 10}, "lstm_sizes"),
        ({"inputs": 6}, "lstm_sizes"),
        ({"cell_scale": 2.0**-8}, "lstm_types"),
        ({"cell_scale": 0.0003}, "lstm_types"),
    ],
)
def test_others_stay_on_the_cpu(change, limit):
    builder = sequence(2, change.pop("inputs", 8))
    units = change.pop("units", 8)
    graph = read_model_bytes(add_lstm(builder, units, **change).build(), "model")
    (reason,) = plan_model(graph, CompileOptions()).partition.reasons.values()
    assert reason.constraint == limit


def test_weights_that_do_not_fit_stay_on_the_cpu():
    source = add_lstm(sequence(1, 2000), 1024).build()
    plan = plan_model(read_model_bytes(source, "model"), CompileOptions())
    (reason,) = plan.partition.reasons.values()
    assert not plan.plans
    assert "wide memory" in reason.message


# -- the vendor's program ----------------------------------------------------------------------


@functools.cache
def vendor_and_ours():
    """(vendor's model, ours, its source)."""
    require_corpus()
    (pair,) = (pair for pair in pairs() if pair.name == NAME)
    assert pair.source is not None
    return CompiledModel(pair.compiled), compile_model(pair.source.read_bytes()), pair.source


def digit(number: int) -> np.ndarray:
    """A blurred ring, noise, nothing."""
    y, x = np.mgrid[0:28, 0:28]
    ring = 255 * np.exp(-(((np.hypot(y - 14, x - 14) - 8) / 2.2) ** 2))
    noise = np.random.default_rng(number).integers(0, 256, (28, 28))
    return (ring, noise, np.zeros((28, 28)))[number].astype(np.uint8)[None]


@pytest.mark.parametrize("number", range(3))
def test_equal_to_the_vendor_program(number):
    vendor, ours, _ = vendor_and_ours()
    inputs = {"serving_default_x:0": digit(number)}
    wanted = vendor.run(inputs)
    found = ours.run(inputs)
    for name, expected in {**wanted.outputs, **wanted.state}.items():
        assert np.array_equal({**found.outputs, **found.state}[name], expected), name
    if number != 1:
        return
    again, expected = ours.run(inputs, state=found.state), vendor.run(inputs, state=wanted.state)
    for name, array in expected.state.items():
        assert np.array_equal(again.state[name], array), name


def test_near_the_reference_kernels():
    """Both programs round the parts of a gate to bytes; the kernels do not."""
    interpreter = pytest.importorskip("ai_edge_litert.interpreter", reason="no reference kernels")
    _, ours, source = vendor_and_ours()
    kernels = interpreter.Interpreter(model_path=str(source))
    for number in range(3):
        kernels.allocate_tensors()
        kernels.reset_all_variables()
        kernels.set_tensor(kernels.get_input_details()[0]["index"], digit(number))
        kernels.invoke()
        expected = kernels.get_tensor(kernels.get_output_details()[0]["index"])
        (found,) = ours.run({"serving_default_x:0": digit(number)}).outputs.values()
        assert found.argmax() == expected.argmax()
        assert np.abs(found.astype(int) - expected.astype(int)).max() <= 24


def test_not_slower_than_the_vendor_program():
    vendor, ours, _ = vendor_and_ours()
    inputs = {"serving_default_x:0": digit(1)}
    cycles = [model.run(inputs, Device("concurrent")).runs[0].cycles for model in (ours, vendor)]
    assert cycles[0] < cycles[1] / 2
