"""Random small networks: compiled by this compiler, run on the emulator, equal to the reference
arithmetic in every value, free of hazards, and close to TensorFlow Lite."""

from __future__ import annotations

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compiler.emulator.device import Device
from compiler.emulator.model import random_inputs
from compiler.frontend.tflite_reader import read_model_bytes
from tests.emulator.compiled import compile_model, faults
from tests.emulator.reference import Reference, counted
from tests.model_builder import ModelBuilder
from tests.tensorflow_lite import outputs

ROUNDING = 1
"""TensorFlow Lite multiplies in fixed point, the chip in float32: halves may differ by one step,
and a layer behind another hands the difference on."""

channels = st.sampled_from([1, 3, 4, 8, 12, 16, 30, 64])
layers = st.one_of(
    st.tuples(st.just("conv2d"), channels, st.sampled_from([1, 3]), st.sampled_from([1, 2])),
    st.tuples(st.just("depthwise_conv2d"), st.just(0), st.just(3), st.sampled_from([1, 2])),
)


@st.composite
def networks(draw):
    kind = draw(st.sampled_from(["int8", "uint8"]))
    size = draw(st.integers(4, 20)), draw(st.integers(4, 20)), draw(channels)
    builder = ModelBuilder(kind, seed=draw(st.integers(0, 99))).input("x", (1, *size))
    for name, filters, window, stride in draw(st.lists(layers, min_size=1, max_size=3)):
        activation = draw(st.sampled_from(["none", "relu", "relu6"]))
        if name == "conv2d":
            builder = builder.conv2d(filters, window, stride=stride, activation=activation)
        else:
            builder = builder.depthwise_conv2d(window, stride=stride, activation=activation)
    return builder.build()


@given(networks())
@settings(
    derandomize=True,
    deadline=None,
    max_examples=12,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
def test_random_networks(data):
    graph, model = read_model_bytes(data, "model"), compile_model(data)
    inputs = random_inputs(model, 1)
    result = model.run(inputs)
    timed = model.run(inputs, Device("concurrent"))
    assert faults(timed) == []
    values = Reference(graph, {graph.inputs[0]: counted(inputs["x"])}).run()
    expected = outputs(data, inputs)
    operators = [op for op in model.graph.operators if op.index in model.executables]
    names = {model.graph.tensors[i].name for op in operators for i in op.outputs}
    for tensor in graph.tensors:
        if tensor.name in names and tensor.index in values:
            actual = counted(result.tensors[tensor.name])
            np.testing.assert_array_equal(actual, values[tensor.index])
    for name, array in result.outputs.items():
        np.testing.assert_array_equal(array, timed.outputs[name])
        difference = np.abs(array.astype(int) - expected[name].astype(int))
        assert (difference > ROUNDING).mean() <= 0.05
