"""Well-formed files that say nonsense: one clear error for each rule of `validate`."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from compiler.errors import InvalidModelError, UnsupportedModelError
from compiler.frontend.tflite_reader import read_model_bytes
from tests.model_builder import ModelBuilder
from tests.tflite_writer import ModelSpec, OpSpec, TensorSpec, write_model


def _builder() -> ModelBuilder:
    """Tensors: 0 x, 1 weights, 2 bias, 3 conv, 4 pool, 5 shape, 6 reshape, 7 probabilities."""
    builder = ModelBuilder(seed=2).input("x", (1, 4, 4, 3)).conv2d(4, 3, activation="relu")
    return builder.max_pool_2d(2).reshape((1, 16)).softmax()


def _set_tensor(index: int, **values: object) -> Callable[[ModelSpec], None]:
    def change(spec: ModelSpec) -> None:
        for name, value in values.items():
            setattr(spec.tensors[index], name, value)

    return change


def _set_op(index: int, **values: object) -> Callable[[ModelSpec], None]:
    def change(spec: ModelSpec) -> None:
        for name, value in values.items():
            setattr(spec.operators[index], name, value)

    return change


def _set_model(**values: object) -> Callable[[ModelSpec], None]:
    def change(spec: ModelSpec) -> None:
        for name, value in values.items():
            setattr(spec, name, value)

    return change


def _set_option(index: int, **values: object) -> Callable[[ModelSpec], None]:
    def change(spec: ModelSpec) -> None:
        spec.operators[index].options.update(values)

    return change


def _reorder(spec: ModelSpec) -> None:
    spec.operators[0], spec.operators[1] = spec.operators[1], spec.operators[0]


def _unknown_options(spec: ModelSpec) -> None:
    spec.operators[1].options_type = "Conv2DOptions"
    spec.operators[1].options = {}


NONSENSE = {
    "old_schema": (_set_model(version=2), r"schema version .*\(found 2, allowed 3\)"),
    "no_subgraph": (_set_model(subgraphs=0), "the model has no subgraph"),
    "huge_shape": (_set_tensor(3, shape=(1, 65536, 65536, 4)), "too many elements"),
    "2_to_the_31": (_set_tensor(3, shape=(2**30, 2)), "too many elements.*2147483648"),
    "overflowing_shape": (_set_tensor(3, shape=[2**31 - 1] * 8), "too many elements"),
    "hidden_by_zero": (_set_tensor(3, shape=[0] + [2**31 - 1] * 3), "too many elements"),
    "negative_shape": (_set_tensor(3, shape=(1, -2, 4, 4)), "negative dimension"),
    "rank_100": (_set_tensor(3, shape=[1] * 100), "too many dimensions"),
    "no_elements": (_set_tensor(3, shape=(1, 0, 4, 4)), "the tensor has no elements"),
    "bad_signature": (
        _set_tensor(3, shape_signature=(1, -1)),
        "shape signature does not fit its shape",
    ),
    "dynamic_constant": (_set_tensor(1, shape=(-1, 3, 3, 3)), "does not fill its shape"),
    "short_constant": (_set_tensor(1, shape=(5, 3, 3, 3)), "found 108 bytes, allowed 135 bytes"),
    "long_constant": (_set_tensor(1, shape=(3, 3, 3, 3)), "found 108 bytes, allowed 81 bytes"),
    "constant_type": (_set_tensor(1, type=2), "found 108 bytes, allowed 432 bytes"),
    "empty_buffer": (_set_tensor(1, buffer=0), "reads a tensor which nothing writes"),
    "no_such_buffer": (_set_tensor(1, buffer=99), r"buffer that does not exist \(found 99"),
    "no_such_type": (_set_tensor(3, type=77), r"element type is not known \(found 77"),
    "negative_type": (_set_tensor(3, type=-1), "element type is not known"),
    "bad_name": (_set_tensor(3, name=b"\xc3\x28"), "not UTF-8"),
    "scale_zero": (_set_tensor(3, scales=[0.0]), r"not a positive number \(found 0.0"),
    "scale_negative": (_set_tensor(3, scales=[-0.5]), "not a positive number"),
    "scale_nan": (_set_tensor(3, scales=[math.nan]), r"not a positive number \(found nan"),
    "scale_infinite": (_set_tensor(3, scales=[math.inf]), "not a positive number"),
    "one_scale_nan": (_set_tensor(1, scales=[1.0, 1.0, 1.0, math.nan]), "not a positive"),
    "no_zero_points": (_set_tensor(3, zero_points=None), "1 scales, 0 zero points"),
    "zero_point_count": (_set_tensor(1, zero_points=[0]), "4 scales, 1 zero points"),
    "zero_point_range": (_set_tensor(3, zero_points=[128]), r"fit its type INT8 \(found 128"),
    "zero_point_huge": (_set_tensor(3, zero_points=[-(2**63)]), "zero point does not fit"),
    "channel_axis": (_set_tensor(1, axis=4), "quantised dimension does not exist"),
    "channel_axis_negative": (_set_tensor(1, axis=-1), "quantised dimension does not exist"),
    "channel_count": (_set_tensor(1, axis=1), r"do not fit dimension 1 .*\(found 4, allowed 3"),
    "input_range": (_set_op(0, inputs=[0, 1, 99]), r"input list .* does not exist \(found 99"),
    "input_below": (_set_op(0, inputs=[0, 1, -2]), r"operator 0 \(CONV_2D\).*found -2"),
    "output_range": (_set_op(0, outputs=[99]), "the output list names a tensor"),
    "output_absent": (_set_op(0, outputs=[-1]), "the output list names a tensor"),
    "graph_input_range": (_set_model(inputs=[99]), "graph's input list"),
    "graph_output_range": (_set_model(outputs=[-1]), "graph's output list"),
    "two_writers": (_set_op(1, outputs=[3]), "already written by operator 0"),
    "written_twice": (_set_op(0, outputs=[3, 3]), "already written by operator 0"),
    "written_constant": (_set_op(0, outputs=[2]), "already a constant"),
    "written_input": (_set_op(1, outputs=[0]), "already a graph input"),
    "input_twice": (_set_model(inputs=[0, 0]), "a graph input is already a graph input"),
    "constant_input": (_set_model(inputs=[0, 1]), "a graph input is already a constant"),
    "out_of_order": (_reorder, "which operator 1 writes later.*execution order"),
    "reads_itself": (_set_op(1, inputs=[4]), "which it writes itself"),
    "cycle": (_set_op(0, inputs=[6, 1, 2]), "which operator 2 writes later"),
    "unwritten_output": (
        lambda spec: (
            spec.outputs.append(len(spec.tensors))
            or spec.tensors.append(TensorSpec("loose", (1,), 9))
        ),
        "no operator writes this graph output",
    ),
    "code_range": (_set_op(0, code_index=50), "operator code that does not exist"),
    "unknown_operator": (_set_op(1, name=4000), "builtin operator number 4000 is not known"),
    "negative_operator": (_set_op(1, name=-3), "builtin operator number -3 is not known"),
    "nameless_custom": (
        _set_op(1, name="CUSTOM", options_type=""),
        "the custom operator has no name",
    ),
    "foreign_options": (_unknown_options, "options of another operator.*Conv2DOptions"),
    "padding": (_set_option(0, padding=7), "option padding has no such value"),
    "activation": (_set_option(0, fused_activation_function=-4), "fused_activation_function has"),
    "stride": (_set_option(0, stride_w=0), "option stride_w must be positive"),
    "negative_stride": (_set_option(0, stride_h=-1), "option stride_h must be positive"),
    "dilation": (_set_option(0, dilation_w_factor=0), "dilation_w_factor must be positive"),
    "filter": (_set_option(1, filter_height=0), "filter_height must be positive"),
    "no_conv_options": (_set_op(0, options_type=""), "stride_w must be positive"),
}


@pytest.mark.parametrize("kind", NONSENSE)
def test_nonsense(kind):
    change, text = NONSENSE[kind]
    spec = _builder().spec()
    change(spec)
    with pytest.raises(InvalidModelError, match=text) as caught:
        read_model_bytes(write_model(spec), "m.tflite")
    assert str(caught.value).startswith("m.tflite")


def test_several_subgraphs():
    spec = _builder().spec()
    spec.subgraphs = 2
    with pytest.raises(UnsupportedModelError, match=r"more than one subgraph \(found 2, allowed 1"):
        read_model_bytes(write_model(spec), "m.tflite")


def test_odd_but_valid_models_are_read():
    """What real converters write: unused tensors, states, an output that is an input."""
    spec = _builder().spec()
    spec.tensors += [TensorSpec(None, (1,), 9), TensorSpec("state", (1, 2), 0, is_variable=True)]
    spec.operators.append(OpSpec("TANH", [9], [10]))
    spec.tensors.append(TensorSpec("read", (1, 2), 0))
    spec.outputs += [0, 7, 10]
    spec.name = None
    graph = read_model_bytes(write_model(spec), "m.tflite")
    assert (graph.name, graph.tensors[8].name) == ("", "")
    assert graph.tensors[9].is_variable


def test_float_and_empty_models_are_read():
    builder = ModelBuilder().input("x", (1, 4), "float32")
    weights = builder.constant(np.ones((2, 4), np.float32), "weights")
    builder.op("FULLY_CONNECTED", [builder.last, weights, None], (1, 2), type="float32")
    graph = read_model_bytes(builder.build(), "m.tflite")
    assert graph.operators[0].inputs == (0, 1, -1)
    empty = read_model_bytes(write_model(ModelSpec()), "m.tflite")
    assert (empty.tensors, empty.operators) == ((), ())
