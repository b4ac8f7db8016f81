"""Segments are models of their own, and together they compute what the whole model does."""

from __future__ import annotations

import numpy as np
import pytest

from compiler.compilation import Source
from compiler.frontend.tflite_reader import read_model_bytes
from compiler.options import CompileOptions
from compiler.pipeline.segmentation import execution_order, split_order
from compiler.pipeline.segments import cut_at, cut_into, fewest_segments, segment_model
from tests.model_builder import ModelBuilder
from tests.tensorflow_lite import outputs

pytest.importorskip("ai_edge_litert.interpreter")


def _plain() -> bytes:
    builder = ModelBuilder(seed=1).input("x", (1, 16, 16, 3)).conv2d(8, 3, stride=2)
    builder.depthwise_conv2d(3).conv2d(16, 1, activation="relu6")
    return builder.mean((1, 2)).fully_connected(10).softmax().build()


def _residual(kind: str = "int8") -> bytes:
    """Skips over several operators, two outputs, an operator that ends early."""
    builder = ModelBuilder(kind, seed=2).input("x", (1, 12, 12, 8)).conv2d(16, 3)
    first = builder.last
    builder.depthwise_conv2d(3).conv2d(16, 1)
    builder.add(first, builder.last)
    middle = builder.last
    head = builder.conv2d(4, 1).last
    builder.conv2d(16, 3, source=middle)
    builder.add(first, builder.last).average_pool_2d(12)
    return builder.output(head, builder.last).build()


def _source(data: bytes) -> Source:
    return Source("m.tflite", data, read_model_bytes(data, "m.tflite"), "m")


def _image(data: bytes) -> dict[str, np.ndarray]:
    graph = read_model_bytes(data, "m.tflite")
    tensor = graph.tensors[graph.inputs[0]]
    random = np.random.default_rng(5)
    return {tensor.name: random.integers(0, 120, tensor.shape).astype(tensor.type.name.lower())}


MODELS = {"plain": _plain(), "residual": _residual(), "uint8": _residual("uint8")}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("segments", [2, 3, 4])
def test_segments_one_after_the_other_equal_the_whole(name, segments):
    data = MODELS[name]
    values = _image(data)
    whole = outputs(data, values)
    for source in cut_into(_source(data), segments):
        values |= outputs(source.data, values)
    for output, expected in whole.items():
        np.testing.assert_array_equal(values[output], expected)


@pytest.mark.parametrize("name", MODELS)
def test_every_operator_alone(name):
    data = MODELS[name]
    source = _source(data)
    values = _image(data)
    whole = outputs(data, values)
    order = execution_order(source.graph)
    for segment in cut_at(source, split_order(order, [1] * len(order))):
        values |= outputs(segment.data, values)
    for output, expected in whole.items():
        np.testing.assert_array_equal(values[output], expected)


def test_operators_keep_versions_and_options():
    source = _source(MODELS["residual"])
    kept = {}
    for segment in cut_into(source, 3):
        for op in segment.graph.operators:
            (name,) = (segment.graph.tensors[index].name for index in op.outputs)
            kept[name] = (op.name, op.version, dict(op.options), op.options_type)
    for op in source.graph.operators:
        (name,) = (source.graph.tensors[index].name for index in op.outputs)
        assert kept[name] == (op.name, op.version, dict(op.options), op.options_type)


def test_a_skip_goes_straight_to_its_reader():
    """Segments in between do not pass it on."""
    source = _source(MODELS["residual"])
    segments = cut_at(source, split_order(execution_order(source.graph), [1, 1, 1, 1, 4]))
    first = segments[0].graph.tensors[segments[0].graph.outputs[0]].name
    readers = [
        number
        for number, segment in enumerate(segments)
        if first in {segment.graph.tensors[index].name for index in segment.graph.inputs}
    ]
    assert readers == [1, 3, 4]
    assert all(
        first not in {s.graph.tensors[index].name for index in s.graph.outputs}
        for s in segments[1:]
    )


def test_tensors_keep_type_shape_and_quantisation():
    source = _source(MODELS["plain"])
    operators = {graph_op.index: graph_op for graph_op in source.graph.operators}
    order = iter(execution_order(source.graph))
    for segment in cut_into(source, 3):
        for op in segment.graph.operators:
            whole_op = operators[next(order)]
            for index, whole_index in zip(
                (*op.inputs, *op.outputs), (*whole_op.inputs, *whole_op.outputs), strict=True
            ):
                tensor, whole = segment.graph.tensors[index], source.graph.tensors[whole_index]
                assert (tensor.name, tensor.shape) == (whole.name, whole.shape)
                assert (tensor.type, tensor.quantization) == (whole.type, whole.quantization)
                np.testing.assert_array_equal(tensor.data, whole.data)


def test_names_of_the_files():
    sources = cut_into(_source(MODELS["plain"]), 2)
    assert [source.path for source in sources] == [
        "m_segment_0_of_2.tflite",
        "m_segment_1_of_2.tflite",
    ]
    assert [str(source.output) for source in sources] == [
        "m_segment_0_of_2_edgetpu.tflite",
        "m_segment_1_of_2_edgetpu.tflite",
    ]


def test_a_model_that_fits_is_one_segment():
    source = _source(MODELS["plain"])
    assert fewest_segments(source, CompileOptions()) == [source]


def test_same_bytes_each_time():
    graph = _source(MODELS["residual"]).graph
    assert segment_model(graph, [0, 1, 2]) == segment_model(graph, [0, 1, 2])
