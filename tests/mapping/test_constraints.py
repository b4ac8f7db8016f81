"""Every constraint: an operator that keeps it, and one that breaks it with the right reason."""

from __future__ import annotations

import numpy as np
import pytest

from compiler.frontend.graph import Graph, Quantization, TensorType
from compiler.mapping.constraints import OPERATORS, Context, check_operator
from compiler.mapping.reasons import Reason, Status
from tests.mapping.graph_factory import (
    FLOAT32,
    INT8,
    PROBABILITY,
    UINT8,
    GraphFactory,
    one_operator,
)

IMAGE = (1, 8, 8, 4)
SYMMETRIC = Quantization((1 / 128,), (0,))


def check(graph: Graph, runtime: int = 14) -> Reason | None:
    return check_operator(graph, graph.operators[-1], Context(runtime))


def broken(graph: Graph, runtime: int = 14) -> str:
    reason = check(graph, runtime)
    return "" if reason is None else reason.constraint


def _conv(
    name: str = "CONV_2D",
    source: tuple[int, ...] = IMAGE,
    filters: tuple[int, ...] = (16, 3, 3, 4),
    result: tuple[int, ...] = (1, 8, 8, 16),
    **changes: object,
) -> Graph:
    factory = GraphFactory()
    inputs = [factory.activation(*source), factory.weights(*filters)]
    inputs.append(factory.constant(np.zeros(result[-1], np.int32)))
    output = factory.activation(*result)
    options = {"padding": 0, "stride_h": 1, "stride_w": 1, **changes}
    factory.op(name, inputs, [output], 1, **options)
    return factory.graph(inputs[:1], [output])


def _depthwise(**changes: object) -> Graph:
    return _conv("DEPTHWISE_CONV_2D", filters=(1, 3, 3, 4), result=IMAGE, **changes)


def _dense(result: tuple[int, ...] = (1, 10), weights: tuple[int, ...] = (10, 64)) -> Graph:
    return _conv("FULLY_CONNECTED", (1, 64), weights, result)


def _pool(result: tuple[int, ...] = (1, 4, 4, 4), **changes: object) -> Graph:
    options = {"filter_height": 2, "filter_width": 2, "stride_h": 2, "stride_w": 2, "padding": 1}
    return one_operator("AVERAGE_POOL_2D", [IMAGE], result, **(options | changes))


def _unary(name: str, shape: tuple[int, ...] = IMAGE, quantization: object = None) -> Graph:
    factory = GraphFactory()
    source = factory.activation(*shape)
    output = factory.activation(*shape, quantization=quantization or PROBABILITY)
    factory.op(name, [source], [output])
    return factory.graph([source], [output])


def _typed(name: str, before: TensorType, after: TensorType) -> Graph:
    factory = GraphFactory()
    source, output = factory.activation(1, 8, type=before), factory.activation(1, 8, type=after)
    factory.op(name, [source], [output])
    return factory.graph([source], [output])


def _quantised(scales: tuple[float, ...], points: tuple[int, ...]) -> Graph:
    return _unary("RELU", quantization=Quantization(scales, points))


def _concatenation(values: list[int], count: int = 2, axis: int = 3) -> Graph:
    factory = GraphFactory()
    zero = Quantization((0.5,), (3,))
    constant = factory.constant(np.full((1, 2, 2, 4), values[0], np.int8), INT8, zero)
    inputs = [factory.activation(1, 2, 2, 4) for _ in range(count - 1)]
    output = factory.activation(1, 2, 2, 4 * count)
    factory.op("CONCATENATION", [*inputs, constant], [output], axis=axis)
    return factory.graph(inputs, [output])


GOOD = {
    "convolution": _conv(),
    "dilated convolution": _conv(dilation_h_factor=2, dilation_w_factor=2),
    "valid convolution": _conv(padding=1, result=(1, 6, 6, 16)),
    "strided convolution": _conv(stride_h=2, stride_w=2, result=(1, 4, 4, 16)),
    "RELU6 convolution": _conv(fused_activation_function=3),
    "depthwise": _depthwise(),
    "dense": _dense(),
    "pool": _pool(),
    "add": one_operator("ADD", [IMAGE, (1, 1, 1, 4)], IMAGE),
    "logistic": _unary("LOGISTIC"),
    "tanh": _unary("TANH", quantization=SYMMETRIC),
    "softmax": _unary("SOFTMAX", (1, 16384)),
    "mean": one_operator("MEAN", [IMAGE, [1, 2]], (1, 4)),
    "mean over z": one_operator("MEAN", [IMAGE, [-1]], (1, 8, 8)),
    "pad": one_operator("PAD", [IMAGE, [[0, 0], [1, 1], [1, 1], [0, 0]]], (1, 10, 10, 4)),
    "reshape": one_operator("RESHAPE", [IMAGE, [1, 256]], (1, 256)),
    "squeeze": one_operator("SQUEEZE", [(1, 1, 1, 8)], (1, 8)),
    "expand dims": one_operator("EXPAND_DIMS", [(1, 8), [1]], (1, 1, 8)),
    "concatenation": one_operator("CONCATENATION", [IMAGE, IMAGE], (1, 8, 8, 8), axis=3),
    "zero concatenation": _concatenation([3]),
    "split of one": one_operator("SPLIT", [[0], IMAGE], IMAGE),
    "strided slice": one_operator("STRIDED_SLICE", [IMAGE, [0] * 4, [8] * 4, [1, 2, 2, 1]], IMAGE),
    "resize": one_operator("RESIZE_BILINEAR", [IMAGE, [16, 16]], (1, 16, 16, 4), version=3),
    "tile": one_operator("TILE", [(1, 1, 1, 4), [1, 8, 8, 1]], IMAGE),
    "pack": one_operator("PACK", [(1, 8), (1, 8)], (1, 8, 2), axis=2),
    "prelu": one_operator("PRELU", [IMAGE, [[[1, 2, 3, 4]]]], IMAGE),
    "space to depth": one_operator("SPACE_TO_DEPTH", [IMAGE], (1, 4, 4, 16), block_size=2),
    "requantise": _typed("QUANTIZE", UINT8, INT8),
}


@pytest.mark.parametrize("name", GOOD)
def test_supported(name: str) -> None:
    reason = check(GOOD[name])
    assert reason is None, str(reason)


BAD = {
    "three_innermost_dimensions": _unary("RELU", (2, 8, 8, 4)),
    "quantised_data_types": _typed("RELU", FLOAT32, FLOAT32),
    "known_operator": _typed("LEAKY_RELU", INT8, INT8),
    "known_version": one_operator("RELU", [IMAGE], IMAGE, version=99),
    "operand_count": one_operator("CONV_2D", [IMAGE], IMAGE),
    "quantised_on_both_sides": _typed("QUANTIZE", FLOAT32, INT8),
    "static_shape": _unary("RELU", (1, -1, 8, 4)),
    "has_activation": one_operator("RELU", [[1, 2]], (1, 2)),
    "per_tensor_activations": _quantised((0.5, 0.25), (0, 0)),
    "valid_quantisation": _quantised((0.0,), (0,)),
    "constant_parameters": one_operator("RESHAPE", [IMAGE, (1, 2)], (1, 256)),
    "same_type": _typed("RELU", INT8, UINT8),
    "image_operands": _conv(filters=(16, 36)),
    "matching_filter": _conv(filters=(16, 3, 3, 2)),
    "clamping_activation": _conv(fused_activation_function=4),
    "positive_strides": _conv(stride_h=0),
    "fitting_output": _conv(result=(1, 7, 8, 16)),
    "square_dilation": _conv(dilation_h_factor=2, dilation_w_factor=1),
    "whole_depth_multiplier": _conv("DEPTHWISE_CONV_2D", filters=(1, 3, 3, 6), result=(1, 8, 8, 6)),
    "default_weight_format": _conv("FULLY_CONNECTED", (1, 64), (10, 64), (1, 10), weights_format=1),
    "one_dimensional_output": _dense((2, 10)),
    "matching_matrix": _dense(weights=(10, 63)),
    "one_dimensional_input": _unary("SOFTMAX", (4, 16)),
    "at_most_16384_elements": _unary("SOFTMAX", (1, 16385)),
    "no_fused_activation": _pool(fused_activation_function=1),
    "image_shape": one_operator("MAX_POOL_2D", [(8, 8, 4)], (8, 8, 4)),
    "positive_window": _pool(filter_width=0),
    "broadcastable": one_operator("ADD", [IMAGE, (1, 1, 1, 3)], IMAGE),
    "output_from_0_to_1": _unary("LOGISTIC", quantization=SYMMETRIC),
    "output_from_minus_1_to_1": _unary("TANH"),
    "readable_axes": one_operator("MEAN", [IMAGE, [4]], (1, 4)),
    "no_batch_reduction": one_operator("SUM", [IMAGE, [0]], IMAGE),
    "depth_reduction_of_whole_words": one_operator("MEAN", [(1, 8, 8, 3), [3]], (1, 8, 8)),
    "no_batch_padding": one_operator("PAD", [IMAGE, [[1, 0], [0, 0], [0, 0], [0, 0]]], IMAGE),
    "same_size": one_operator("RESHAPE", [IMAGE, [1, 255]], (1, 255)),
    "no_batch_concatenation": one_operator("CONCATENATION", [IMAGE, IMAGE], IMAGE, axis=0),
    "zero_constant_input": _concatenation([4]),
    "no_batch_packing": one_operator("PACK", [(8, 8, 4)], IMAGE, axis=0),
    "no_new_axes": one_operator(
        "STRIDED_SLICE", [IMAGE, [0] * 4, [8] * 4, [1] * 4], IMAGE, new_axis_mask=1
    ),
    "enlarged_at_most_twice": one_operator("RESIZE_BILINEAR", [IMAGE, [17, 16]], (1, 17, 16, 4)),
    "image_to_image": one_operator("RESIZE_NEAREST_NEIGHBOR", [IMAGE, [8, 8]], (1, 8, 8, 5)),
    "no_batch_tiling": one_operator("TILE", [IMAGE, [2, 1, 1, 1]], IMAGE),
    "one_dimensional_alpha": one_operator("PRELU", [IMAGE, [[[1] * 4, [2] * 4]]], IMAGE),
    "same_shape": one_operator("RELU", [IMAGE], (1, 8, 4, 8)),
    "positive_block_size": one_operator("SPACE_TO_DEPTH", [IMAGE], IMAGE, block_size=0),
}


@pytest.mark.parametrize("name", BAD)
def test_refused(name: str) -> None:
    reason = check(BAD[name])
    assert reason is not None
    assert reason.constraint == name
    assert reason.message.endswith(".") and reason.message[0].isupper()


def test_every_constraint_is_tried() -> None:
    named = {check.name for rule in OPERATORS.values() for check in rule.constraints}
    tried_below = {
        "quantised_filter",
        "filter_quantisation",
        "depthwise_without_dilation",
        "reduction_over_x_and_y",
        "padding_of_x_and_y",
        "no_relayout",
        "unit_strides",
        "no_batch_split",
        "plain_lstm",
    }
    assert named - set(BAD) == tried_below


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("three_innermost_dimensions", Status.UNSUPPORTED_RANK),
        ("quantised_data_types", Status.UNSUPPORTED_DATA_TYPE),
        ("known_operator", Status.NOT_SUPPORTED),
        ("known_version", Status.UNSUPPORTED_VERSION),
        ("quantised_on_both_sides", Status.UNSPECIFIED),
        ("constant_parameters", Status.NOT_CONSTANT),
        ("one_dimensional_output", Status.TWO_DIMENSIONAL_OUTPUT),
        ("enlarged_at_most_twice", Status.UNSPECIFIED),
    ],
)
def test_status(name: str, status: Status) -> None:
    reason = check(BAD[name])
    assert reason is not None and reason.status is status


def test_rank_comes_before_data_type_before_operator() -> None:
    factory = GraphFactory()
    source = factory.activation(2, 8, 8, 4, type=FLOAT32)
    output = factory.activation(1, 8, 8, 4, type=FLOAT32)
    factory.op("LEAKY_RELU", [source], [output])
    assert broken(factory.graph([source], [output])) == "three_innermost_dimensions"
    assert broken(_typed("LEAKY_RELU", FLOAT32, FLOAT32)) == "quantised_data_types"
    assert broken(one_operator("LEAKY_RELU", [IMAGE], IMAGE, version=99)) == "known_operator"


@pytest.mark.parametrize(
    ("graph", "name", "runtimes"),
    [
        (_depthwise(dilation_h_factor=2, dilation_w_factor=2), "depthwise_without_dilation", 11),
        (GOOD["mean over z"], "reduction_over_x_and_y", 12),
        (one_operator("PAD", [IMAGE, [[0, 0]] * 3 + [[0, 4]]], IMAGE), "padding_of_x_and_y", 12),
        (one_operator("SQUEEZE", [(1, 8, 1, 4)], (1, 8, 4)), "no_relayout", 12),
        (GOOD["strided slice"], "unit_strides", 13),
        (GOOD["requantise"], "runtime_has_operator", 11),
        (GOOD["pack"], "runtime_has_operator", 12),
        (one_operator("TRANSPOSE", [IMAGE, [0, 2, 1, 3]], IMAGE), "runtime_has_operator", 13),
    ],
)
def test_runtime_range(graph: Graph, name: str, runtimes: int) -> None:
    """The constraint `name` binds up to the runtime version `runtimes`."""
    for runtime in range(10, 15):
        assert broken(graph, runtime) == (name if runtime <= runtimes else ""), runtime


def test_newer_runtime_is_the_hint() -> None:
    reason = check(GOOD["pack"], 12)
    assert reason is not None
    assert "-m 13" in str(reason)
    assert reason.status is Status.NOT_SUPPORTED


def test_filter_of_wrong_type_and_without_scale() -> None:
    for type_, quantization, wanted in (
        (FLOAT32, None, "quantised_filter"),
        (INT8, None, "filter_quantisation"),
        (INT8, Quantization((0.5, 0.5), (0, 0)), "filter_quantisation"),
        (INT8, Quantization((0.0,), (0,)), "filter_quantisation"),
        (INT8, Quantization((0.5,) * 16, (0,) * 16), ""),
    ):
        factory = GraphFactory()
        source = factory.activation(*IMAGE)
        filters = factory.constant(np.ones((16, 3, 3, 4), np.int8), type_, quantization)
        output = factory.activation(1, 8, 8, 16)
        factory.op("CONV_2D", [source, filters, -1], [output])
        assert broken(factory.graph([source], [output])) == wanted


def test_split_over_the_batch() -> None:
    factory = GraphFactory()
    axis, source = factory.constant([0]), factory.activation(*IMAGE)
    outputs = [factory.activation(*IMAGE) for _ in range(2)]
    factory.op("SPLIT", [axis, source], outputs)
    assert broken(factory.graph([source], outputs)) == "no_batch_split"


def test_lstm_with_peepholes() -> None:
    for peepholes, wanted in ((False, ""), (True, "plain_lstm")):
        factory = GraphFactory()
        source = factory.activation(1, 28, 28)
        inputs = [source] + [factory.weights(20, 28) for _ in range(8)] + [-1] * 15
        inputs[9] = factory.weights(20) if peepholes else -1
        inputs[19] = factory.activation(
            1, 20, type=TensorType.INT16, quantization=SYMMETRIC, is_variable=True
        )
        output = factory.activation(1, 28, 20)
        factory.op("UNIDIRECTIONAL_SEQUENCE_LSTM", inputs, [output])
        assert broken(factory.graph([source], [output])) == wanted


def test_int16_is_only_for_state() -> None:
    assert broken(_typed("RELU", TensorType.INT16, TensorType.INT16)) == "quantised_data_types"


@pytest.mark.parametrize("scale", [float("nan"), float("inf"), -1.0])
def test_scale_that_is_no_scale(scale: float) -> None:
    assert broken(_quantised((scale,), (0,))) == "valid_quantisation"


@pytest.mark.parametrize("points", [(-129,), (128,), (), (0, 0)])
def test_zero_point_out_of_range(points: tuple[int, ...]) -> None:
    assert broken(_quantised((0.5,), points)) == "valid_quantisation"


def test_batch_in_the_signature_does_not_matter() -> None:
    factory = GraphFactory()
    source = factory.activation(1, 8, shape_signature=(-1, 8))
    output = factory.unary("RELU", source)
    assert check(factory.graph([source], [output])) is None


def test_no_operands_at_all() -> None:
    """Whatever a hostile file says, every known operator answers with a reason."""
    for name in OPERATORS:
        for inputs, outputs in ((0, 1), (1, 0), (9, 1)):
            factory = GraphFactory()
            sources = [factory.activation() for _ in range(inputs)]
            results = [factory.activation(quantization=PROBABILITY) for _ in range(outputs)]
            factory.op(name, sources, results)
            check(factory.graph(sources, results))
