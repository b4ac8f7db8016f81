"""Flattened maps, long vectors, SOFTMAX and joined vectors on the emulator, exactly as the
reference arithmetic has them."""

from __future__ import annotations

import numpy as np
import pytest

from compiler.driver import compile_graph, plan_model, share_memory
from compiler.emulator import Device
from compiler.emulator.model import CompiledModel, random_inputs
from compiler.frontend.tflite_reader import read_model_bytes
from compiler.options import CompileOptions
from compiler.planning.flatten import FlattenSpreadStep
from compiler.planning.fully_connected import FullyConnectedStep, GatherStep
from compiler.planning.map_collection import FlattenGatherStep, is_even
from compiler.planning.softmax import SoftmaxStep
from compiler.planning.vector_copy import VectorCopyStep, VectorMoveStep
from compiler.planning.window_pool import WindowPoolStep
from tests.emulator.compiled import faults
from tests.emulator.reference import Reference, counted
from tests.model_builder import ModelBuilder


def check(builder: ModelBuilder, *, concurrent: bool = False, inputs=None):
    """Everything is mapped and every output exact, units side by side without a hazard if
    `concurrent`, of random inputs or these (by name); returns the steps."""
    graph = read_model_bytes(builder.build(), "test")
    (model,) = share_memory([plan_model(graph, CompileOptions())])
    assert not model.partition.reasons, list(map(str, model.partition.reasons.values()))
    compiled = CompiledModel(compile_graph(model, 1, CompileOptions()))
    inputs = inputs or random_inputs(compiled, seed=1)
    result = compiled.run(inputs, Device("concurrent" if concurrent else "functional"))
    assert faults(result) == []
    names = {tensor.name: tensor.index for tensor in graph.tensors}
    reference = Reference(graph, {names[n]: counted(array) for n, array in inputs.items()}).run()
    for name, array in result.outputs.items():
        np.testing.assert_array_equal(counted(array), reference[names[name]], err_msg=name)
    return model.plans[0].steps


def steps_of(steps, kind):
    return [step for step in steps if isinstance(step, kind)]


def vector(size: int, kind: str = "int8") -> ModelBuilder:
    return ModelBuilder(kind, seed=3).input("x", (1, size))


def picture(height: int, width: int, channels: int) -> ModelBuilder:
    return ModelBuilder("uint8", seed=3).input("x", (1, height, width, 4)).conv2d(channels, 1)


@pytest.mark.parametrize("size", [1, 3, 12, 100, 1001, 1028, 2050, 9999, 16384])
def test_layers_of_host_vectors(size):
    check(vector(size).fully_connected(5))


@pytest.mark.parametrize("size", [4, 8, 13, 64, 1000, 1001, 1026, 1040, 3001, 4096, 9000, 16383])
def test_softmax_of_host_vectors(size):
    check(vector(size, "uint8").softmax(beta=0.1))


EVEN = [(4, 4, 4), (8, 8, 8), (3, 3, 4), (2, 2, 8), (1, 4, 4), (8, 4, 64)]
UNEVEN = [(5, 5, 4), (7, 7, 16), (1, 6, 8), (5, 1, 4), (9, 4, 4)]


@pytest.mark.parametrize("shape", EVEN + UNEVEN)
def test_maps_of_whole_words(shape):
    size = int(np.prod(shape))
    for flat in (picture(*shape).reshape((1, size)), picture(*shape).reshape((size,))):
        steps = check(flat)
        (step,) = steps_of(steps, FlattenGatherStep)
        assert is_even(step.input) == (shape in EVEN)
    check(picture(*shape).reshape((1, size)).fully_connected(70))
    check(picture(*shape).fully_connected(7))


@pytest.mark.parametrize("shape", [(3, 3, 1), (4, 4, 1), (2, 1, 1), (1, 7, 1)])
def test_few_pixels_of_one_channel(shape):
    steps = check(picture(*shape).reshape((1, int(np.prod(shape)))))
    assert steps_of(steps, FullyConnectedStep)


@pytest.mark.parametrize(
    "shape",
    [(8, 8, 1), (5, 7, 1), (16, 16, 1), (5, 5, 3), (6, 6, 6), (4, 4, 21), (8, 8, 2), (3, 5, 70)],
)
def test_packed_pixels(shape):
    size = int(np.prod(shape))
    steps = check(picture(*shape).reshape((1, size)).fully_connected(9))
    assert steps_of(steps, FlattenSpreadStep)
    check(picture(*shape).reshape((1, size)))


@pytest.mark.parametrize("shape", [(16, 16, 4), (16, 16, 1), (64, 64, 1), (5, 7, 1), (7, 7, 20)])
def test_softmax_of_flattened_maps(shape):
    size = int(np.prod(shape))
    steps = check(picture(*shape).reshape((1, size)).softmax(beta=0.2))
    whole = shape == (64, 64, 1)
    assert bool(steps_of(steps, VectorCopyStep) + steps_of(steps, VectorMoveStep)) != whole
    assert steps_of(steps, SoftmaxStep)


def test_a_flattened_map_that_is_read_as_a_map_too():
    builder = picture(4, 4, 8)
    trunk = builder.last
    left = builder.reshape((1, 128)).fully_connected(6).last
    right = builder.conv2d(4, 3, source=trunk).last
    check(builder.output(left, right))


def test_softmax_of_values_that_something_else_reads():
    for elements in (12, 13, 70, 200):
        builder = vector(64).fully_connected(elements)
        logits = builder.last
        probabilities = builder.softmax().last
        check(builder.output(logits, probabilities))


def test_layers_of_one_vector_gather_it_once():
    builder = vector(64).fully_connected(40)
    trunk = builder.last
    left = builder.fully_connected(3, source=trunk).last
    right = builder.fully_connected(5, source=trunk).last
    steps = check(builder.output(left, right))
    assert [step.again for step in steps_of(steps, GatherStep)] == [False, False, True]


@pytest.mark.parametrize("sizes", [(1, 1), (1, 2, 3), (4, 8), (3, 4, 9), (8, 3), (5, 7, 30)])
def test_joined_layers(sizes):
    builder = vector(24).fully_connected(16)
    trunk, scale = builder.last, (0.05, 3)
    parts = [builder.fully_connected(size, source=trunk, output=scale).last for size in sizes]
    check(builder.concatenation(*parts))
    tail = vector(24).fully_connected(16)
    trunk = tail.last
    parts = [tail.fully_connected(size, source=trunk, output=scale).last for size in sizes]
    check(tail.concatenation(*parts).fully_connected(11))


WINDOWS = [
    ((8, 8, 4), 3, 1, "valid"),
    ((8, 8, 4), 3, 2, "same"),
    ((32, 32, 1), 10, 10, "valid"),
    ((12, 10, 72), 3, 2, "valid"),
    ((9, 7, 20), 3, 3, "valid"),
    ((8, 8, 130), 2, 2, "same"),
    ((7, 7, 1280), 7, 1, "valid"),
    ((10, 10, 8), (2, 3), (1, 2), "same"),
    ((3, 3, 8), 2, 1, "same"),
    ((6, 6, 3), 2, 2, "valid"),
]


@pytest.mark.parametrize("kind", ["int8", "uint8"])
@pytest.mark.parametrize(("shape", "kernel", "stride", "padding"), WINDOWS)
def test_pools_of_any_window(kind, shape, kernel, stride, padding):
    height, width, channels = shape
    for pool in ("average_pool_2d", "max_pool_2d"):
        builder = ModelBuilder(kind, seed=3).input("x", (1, height, width, 4)).conv2d(channels, 1)
        steps = check(getattr(builder, pool)(kernel, stride=stride, padding=padding))
        assert steps_of(steps, WindowPoolStep)


def test_pools_of_the_host_input_and_into_haloed_maps():
    for pool in ("average_pool_2d", "max_pool_2d"):
        builder = ModelBuilder("uint8", seed=3).input("x", (1, 9, 8, 3))
        check(getattr(builder, pool)(3, stride=1, padding="same"))
        builder = ModelBuilder("uint8", seed=3).input("x", (1, 8, 8, 4)).conv2d(16, 1)
        check(getattr(builder, pool)(3, stride=2, padding="same").conv2d(8, 3))


def test_a_mean_of_more_channels_than_the_tiles_have_lanes():
    check(picture(5, 4, 1100).mean().fully_connected(6))


def test_dimensions_of_one():
    check(vector(64).fully_connected(40).expand_dims(1).expand_dims(1).relu())
    check(picture(3, 5, 8).expand_dims(0).reshape((1, 3, 5, 8)).conv2d(4, 3))
    check(picture(6, 4, 4).reshape((24, 4)).expand_dims(1))
