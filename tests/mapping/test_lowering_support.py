"""What the code generator lowers today: each limit kept and broken, and branches."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from compiler.frontend.graph import Graph, Quantization
from compiler.mapping.partition import Partition, partition
from compiler.mapping.reasons import Status
from tests.mapping.graph_factory import INT8, PROBABILITY, UINT8, GraphFactory


def run(factory: GraphFactory, *inputs: int) -> Partition:
    """The partition of a graph whose output is the last operator's result."""
    result = partition(factory.graph(list(inputs), [*factory.operators[-1].outputs]), 14)
    result.verify()
    return result


def refused(result: Partition) -> dict[int, str]:
    return {op: reason.constraint for op, reason in result.reasons.items()}


def _pool(factory: GraphFactory, source: int, window: int, stride: int, out: int) -> int:
    depth = factory.tensors[source].shape[3]
    result = factory.activation(1, out, out, depth)
    sizes = {"filter_height": window, "filter_width": window}
    strides = {"stride_h": stride, "stride_w": stride}
    factory.op("AVERAGE_POOL_2D", [source], [result], padding=1, **sizes, **strides)
    return result


def _dense(factory: GraphFactory, source: int, outputs: int) -> int:
    length = int(np.prod(factory.tensors[source].shape))
    result = factory.activation(1, outputs)
    weights = factory.weights(outputs, length)
    factory.op("FULLY_CONNECTED", [source, weights, -1], [result])
    return result


def _reshape(factory: GraphFactory, source: int, *shape: int) -> int:
    result = factory.activation(*shape, quantization=factory.tensors[source].quantization)
    factory.op("RESHAPE", [source, factory.constant(list(shape))], [result])
    return result


def _probability(factory: GraphFactory, name: str, source: int) -> int:
    shape = factory.tensors[source].shape
    result = factory.activation(*shape, quantization=PROBABILITY)
    factory.op(name, [source], [result])
    return result


def test_a_classifier_is_one_chain() -> None:
    factory = GraphFactory()
    image = factory.activation(1, 32, 32, 3, type=UINT8, quantization=Quantization((0.5,), (131,)))
    signed = factory.activation(1, 32, 32, 3)
    factory.op("QUANTIZE", [image], [signed])
    features = factory.conv(factory.conv(signed, 16, 3, 2), 128, 1)
    vector = _reshape(factory, _pool(factory, features, 16, 1, 1), 1, 128)
    _probability(factory, "SOFTMAX", _dense(factory, vector, 1001))
    result = run(factory, image)
    assert refused(result) == {}
    assert result.mapped == tuple(range(7))
    assert result.inputs == (image,)
    assert result.outputs == (factory.operators[-1].outputs[0],)


def test_branches_are_mapped() -> None:
    factory = GraphFactory()
    image = factory.activation(1, 16, 16, 4)
    trunk = factory.conv(image, 4)
    left, right = factory.conv(trunk, 4), factory.conv(trunk, 4)
    both = factory.activation(1, 16, 16, 4)
    factory.op("ADD", [left, right], [both])
    result = run(factory, image)
    assert result.mapped == (0, 1, 2, 3)
    assert result.outputs == (both,)
    assert refused(result) == {}


def test_a_branch_whose_end_is_not_lowered_leaves_the_chip() -> None:
    factory = GraphFactory()
    image = factory.activation(1, 16, 16, 4)
    trunk = factory.conv(image, 4)
    left, right = factory.conv(trunk, 4), factory.unary("LEAKY_RELU", trunk)
    both = factory.activation(1, 16, 16, 4)
    factory.op("ADD", [left, right], [both])
    result = run(factory, image)
    assert result.mapped == (0, 1)
    assert result.outputs == (trunk, left)
    assert result.status(3) is Status.MORE_THAN_ONE_SUBGRAPH


def test_model_outputs_may_be_read_on_the_chip() -> None:
    factory = GraphFactory()
    image = factory.activation(1, 16, 16, 4)
    first = factory.conv(image, 4)
    second = factory.conv(first, 4)
    result = partition(factory.graph([image], [first, second]), 14)
    assert result.mapped == (0, 1)
    assert result.outputs == (first, second)


def test_several_inputs_and_branches_of_one() -> None:
    factory = GraphFactory()
    image, other = factory.activation(1, 16, 16, 4), factory.activation(1, 16, 16, 4)
    left, right = factory.conv(image, 4), factory.conv(image, 4)
    both = factory.activation(1, 16, 16, 4)
    factory.op("ADD", [left, other], [both])
    result = partition(factory.graph([image, other], [right, both]), 14)
    assert result.mapped == (0, 1, 2)
    assert result.inputs == (image, other)


@pytest.mark.parametrize(
    ("name", "other", "wanted"),
    [
        ("ADD", (1, 16, 16, 4), ""),
        ("SUB", (1, 16, 16, 4), ""),
        ("ADD", (1, 1, 1, 4), ""),
        ("ADD", (1, 1, 16, 4), ""),
        ("MUL", (4,), ""),
        ("MUL", (1, 16, 16, 1), ""),
        ("SUB", (1, 1, 1, 1), "repeated_pixels"),
    ],
)
def test_operands_of_two_maps(name: str, other: tuple[int, ...], wanted: str) -> None:
    factory = GraphFactory()
    image, second = factory.activation(1, 16, 16, 4), factory.activation(*other)
    output = factory.activation(1, 16, 16, 4)
    factory.op(name, [factory.conv(image, 4), second], [output])
    assert refused(run(factory, image, second)).get(1, "") == wanted


@pytest.mark.parametrize(
    ("values", "wanted"),
    [([3], ""), ([3] * 4, ""), ([3, 3, 4, 3], ""), ([[[[3]], [[4]]] * 8], "repeated_pixels")],
)
@pytest.mark.parametrize("name", ["ADD", "MUL", "SUB"])
def test_operands_of_numbers(name: str, values: list[int], wanted: str) -> None:
    factory = GraphFactory()
    image = factory.activation(1, 16, 16, 4)
    number = factory.constant(values, type=INT8, quantization=Quantization((0.5,), (1,)))
    output = factory.activation(1, 16, 16, 4)
    factory.op(name, [factory.conv(image, 4), number], [output])
    assert refused(run(factory, image)).get(1, "") == wanted


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("MAXIMUM", "one_unit"), ("MINIMUM", "one_unit"), ("SQUARED_DIFFERENCE", "")],
)
def test_one_unit(name: str, wanted: str) -> None:
    factory = GraphFactory()
    image = factory.activation(1, 16, 16, 4)
    operands = [factory.conv(image, 4), factory.conv(image, 4)]
    output = factory.activation(1, 16, 16, 4, quantization=Quantization((0.123,), (7,)))
    factory.op(name, operands, [output])
    assert refused(run(factory, image)).get(2, "") == wanted
    other = factory.activation(1, 16, 16, 4, quantization=Quantization((0.123,), (7,)))
    result = factory.activation(1, 16, 16, 4, quantization=Quantization((0.123,), (7,)))
    factory.op(name, [operands[0], other], [result])
    assert refused(run(factory, image, other)).get(3, "") == wanted


@pytest.mark.parametrize(
    "quantization",
    [
        None,
        Quantization((0.5, 0.5, 0.5, 0.5), (1, 1, 1, 1)),
        Quantization((float("nan"),), (1,)),
        Quantization((0.5,), (200,)),
    ],
)
def test_constants_without_a_meaning(quantization: Quantization | None) -> None:
    factory = GraphFactory()
    image = factory.activation(1, 16, 16, 4)
    numbers = factory.constant([1, 2, 3, 4], type=INT8, quantization=quantization)
    output = factory.activation(1, 16, 16, 4)
    factory.op("ADD", [factory.conv(image, 4), numbers], [output])
    assert refused(run(factory, image)).get(1, "") == "quantised_constant"


def test_what_follows_an_operator_on_the_cpu_is_a_later_subgraph() -> None:
    factory = GraphFactory()
    image = factory.activation(1, 16, 16, 4)
    factory.conv(factory.unary("LEAKY_RELU", factory.conv(image, 4)), 4)
    result = run(factory, image)
    assert result.mapped == (0,)
    assert refused(result) == {1: "known_operator", 2: "first_subgraph"}
    assert result.status(2) is Status.MORE_THAN_ONE_SUBGRAPH


def test_an_operator_not_lowered_at_the_start_does_not_stop_the_rest() -> None:
    factory = GraphFactory()
    image = factory.activation(1, 16, 16, 4)
    factory.conv(factory.conv(factory.unary("LEAKY_RELU", image), 4), 4)
    assert run(factory, image).mapped == (1, 2)


def test_a_subset_that_moves_nothing_is_no_program() -> None:
    factory = GraphFactory()
    image = factory.activation(1, 16, 16, 4)
    renamed = _reshape(factory, image, 16, 16, 4)
    factory.conv(_reshape(factory, factory.unary("LEAKY_RELU", renamed), 1, 16, 16, 4), 4)
    result = run(factory, image)
    assert result.mapped == (2, 3)
    assert refused(result) == {0: "part_of_a_program", 1: "known_operator"}


def test_nothing_is_mapped() -> None:
    factory = GraphFactory()
    image = factory.activation(1, 16, 16, 4)
    factory.unary("LEAKY_RELU", image)
    result = run(factory, image)
    assert (result.mapped, result.inputs, result.outputs, result.kept) == ((), (), (), ())


def _after_conv(channels: int, more: Callable[[GraphFactory, int], object], size: int = 16) -> str:
    """Constraint that refuses the last operator behind a convolution, "" if it is mapped."""
    factory = GraphFactory()
    image = factory.activation(1, size, size, 4)
    more(factory, factory.conv(image, channels))
    return refused(run(factory, image)).get(len(factory.operators) - 1, "")


@pytest.mark.parametrize(
    ("window", "stride", "out", "size", "wanted"),
    [
        (16, 1, 1, 16, ""),
        (16, 16, 1, 16, ""),
        (4, 4, 4, 16, ""),
        (2, 2, 8, 16, ""),
        (32, 1, 1, 32, ""),
        (3, 2, 7, 16, ""),
        (4, 4, 3, 12, ""),
        (2, 2, 6, 12, ""),
        (13, 4, 1, 16, ""),
    ],
)
def test_pools(window: int, stride: int, out: int, size: int, wanted: str) -> None:
    assert _after_conv(64, lambda f, t: _pool(f, t, window, stride, out), size) == wanted


@pytest.mark.parametrize(("channels", "wanted"), [(1024, ""), (1088, ""), (96, ""), (3, "")])
def test_channels_of_a_pool(channels: int, wanted: str) -> None:
    assert _after_conv(channels, lambda f, t: _pool(f, t, 16, 1, 1)) == wanted


def test_a_pool_of_the_host_input() -> None:
    factory = GraphFactory()
    image = factory.activation(1, 16, 16, 64)
    _pool(factory, image, 16, 1, 1)
    assert refused(run(factory, image)) == {}


@pytest.mark.parametrize(
    ("axes", "shape", "wanted"),
    [
        ([1, 2], (1, 64), ""),
        ([-2, -3], (1, 1, 1, 64), ""),
        ([1], (1, 16, 64), ""),
        ([3], (1, 16, 16, 1), ""),
        ([3], (1, 16, 16), "rows_columns_or_channels"),
        ([1, 2, 3], (1, 1), "rows_columns_or_channels"),
    ],
)
def test_mean(axes: list[int], shape: tuple[int, ...], wanted: str) -> None:
    def mean(factory: GraphFactory, source: int) -> None:
        result = factory.activation(*shape)
        factory.op("MEAN", [source, factory.constant(axes)], [result])

    assert _after_conv(64, mean) == wanted


def test_reshape_that_moves_data() -> None:
    assert _after_conv(4, lambda f, t: _reshape(f, t, 1, 1024)) == ""
    assert _after_conv(4, lambda f, t: _reshape(f, t, 1, 32, 8, 4)) == ""
    assert _after_conv(6, lambda f, t: _reshape(f, t, 1, 512, 3)) == ""
    assert _after_conv(6, lambda f, t: _reshape(f, t, 1, 24, 16, 4)) == "same_layout"
    assert _after_conv(260, lambda f, t: _reshape(f, t, 1, 66560)) == "same_layout"
    assert _after_conv(4, lambda f, t: _reshape(f, t, 1, 1, 16, 16, 4)) == ""


def test_reshape_of_the_host_input_moves_nothing() -> None:
    factory = GraphFactory()
    source = factory.activation(1, 96, 64)
    factory.conv(_reshape(factory, source, 1, 96, 64, 1), 8, 3, 2)
    assert run(factory, source).mapped == (0, 1)


def test_quantize_that_changes_values() -> None:
    def requantise(scale: float, point: int) -> Callable[[GraphFactory, int], None]:
        def add(factory: GraphFactory, source: int) -> None:
            shape = factory.tensors[source].shape
            new = Quantization((scale,), (point,))
            factory.op("QUANTIZE", [source], [factory.activation(*shape, quantization=new)])

        return add

    assert _after_conv(4, requantise(0.5, 3)) == ""
    assert _after_conv(4, requantise(0.5, 4)) == ""
    assert _after_conv(4, requantise(0.25, 3)) == ""
    assert _after_conv(4, requantise(0.25, 3), size=1) == ""


@pytest.mark.parametrize(
    ("length", "wanted"),
    [(256, ""), (1024, ""), (250, ""), (16384, ""), (65544, "vector_in_blocks")],
)
def test_dense_from_the_host(length: int, wanted: str) -> None:
    factory = GraphFactory()
    vector = factory.activation(1, length)
    _dense(factory, vector, 10)
    assert refused(run(factory, vector)).get(0, "") == wanted


@pytest.mark.parametrize(
    ("length", "wanted"),
    [
        (1001, ""),
        (1024, ""),
        (256, ""),
        (10, ""),
        (1002, ""),
        (1025, ""),
    ],
)
def test_softmax(length: int, wanted: str) -> None:
    factory = GraphFactory()
    vector = factory.activation(1, 256)
    _probability(factory, "SOFTMAX", _dense(factory, vector, length))
    assert next(iter(refused(run(factory, vector)).values()), "") == wanted


@pytest.mark.parametrize("pooled", [True, False])
def test_logistic(pooled: bool) -> None:
    factory = GraphFactory()
    source = factory.activation(1, 8, 8, 4) if pooled else factory.activation(1, 256)
    vector = _pool(factory, factory.conv(source, 64), 8, 1, 1) if pooled else source
    _probability(factory, "LOGISTIC", _dense(factory, vector, 10))
    assert refused(run(factory, source)) == {}


@pytest.mark.parametrize(
    ("width", "channels", "wanted"),
    [
        (8, 3, ""),
        (9, 3, ""),
        (9, 4, ""),
        (8, 6, ""),
        (8, 66, "picture_from_host"),
        (7, 8, ""),
    ],
)
def test_pictures_from_the_host(width: int, channels: int, wanted: str) -> None:
    factory = GraphFactory()
    image = factory.activation(1, 8, width, channels)
    factory.conv(image, 8)
    assert refused(run(factory, image)).get(0, "") == wanted


def test_softmax_of_the_host_input() -> None:
    factory = GraphFactory()
    vector = factory.activation(1, 1024)
    _probability(factory, "SOFTMAX", vector)
    assert refused(run(factory, vector)) == {}


def _convolution(
    name: str, shape: tuple[int, ...], kernel: int, outputs: int, **options: int
) -> str:
    factory = GraphFactory()
    image = factory.activation(*shape)
    is_depthwise = name == "DEPTHWISE_CONV_2D"
    filters = (1, kernel, kernel, outputs) if is_depthwise else (outputs, kernel, kernel, shape[3])
    result = factory.activation(*shape[:3], outputs)
    factory.op(name, [image, factory.weights(*filters), -1], [result], padding=0, **options)
    return refused(run(factory, image)).get(0, "")


def test_convolutions() -> None:
    dilated = {"dilation_h_factor": 2, "dilation_w_factor": 2}
    assert _convolution("CONV_2D", (1, 8, 8, 3), 3, 8) == ""
    assert _convolution("CONV_2D", (1, 8, 8, 3), 3, 8, **dilated) == ""
    assert _convolution("CONV_2D", (1, 1, 1, 64), 3, 8) == ""
    assert _convolution("CONV_2D", (1, 1, 1, 64), 1, 8) == ""
    assert _convolution("DEPTHWISE_CONV_2D", (1, 8, 8, 8), 3, 8) == ""
    assert _convolution("DEPTHWISE_CONV_2D", (1, 8, 8, 1), 7, 8) == ""
    assert _convolution("DEPTHWISE_CONV_2D", (1, 8, 8, 4), 3, 8) == ""
    assert _convolution("DEPTHWISE_CONV_2D", (1, 8, 8, 4096), 1, 8192) == "dense_multiplier"
    assert _convolution("DEPTHWISE_CONV_2D", (1, 1, 1, 8), 1, 8) == ""


def test_split_into_parts() -> None:
    factory = GraphFactory()
    image = factory.activation(1, 8, 8, 4)
    parts = [factory.activation(1, 8, 8, 2) for _ in range(2)]
    factory.op("SPLIT", [factory.constant([3]), image], parts)
    assert refused(run(factory, image)) == {}
    factory = GraphFactory()
    rows_of_values = factory.activation(8, 6)
    parts = [factory.activation(8, 2) for _ in range(3)]
    factory.op("SPLIT", [factory.constant([1]), rows_of_values], parts)
    assert refused(run(factory, rows_of_values)) == {0: "words_or_one_part"}
    factory = GraphFactory()
    image = factory.activation(1, 8, 8, 4)
    rows = [factory.activation(1, 4, 8, 4) for _ in range(2)]
    factory.op("SPLIT", [factory.constant([1]), image], rows)
    assert not refused(run(factory, image))


def test_the_reason_reads_well() -> None:
    factory = GraphFactory()
    vector = factory.activation(1, 64)
    _dense(factory, vector, 65540)
    text = str(run(factory, vector).reasons[0])
    assert text == (
        "A fully connected layer, or a convolution of one pixel, is lowered for up to 65536 inputs "
        "and up to 65536 outputs (found 65540 values, allowed up to 65536). Tensor 't1'."
    )


def test_two_inputs() -> None:
    factory = GraphFactory()
    one, two = factory.activation(1, 8, 8, 4), factory.activation(1, 8, 8, 4)
    result = factory.activation(1, 8, 8, 4)
    factory.op("ADD", [one, two], [result])
    graph: Graph = factory.graph([one, two], [result])
    assert partition(graph, 14).mapped == (0,)
