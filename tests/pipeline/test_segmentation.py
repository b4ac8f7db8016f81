"""Where `--num_segments` cuts, against the cuts of the vendor's tool.

The models are rebuilt as lists of (operator, parameter bytes) from their architectures: bytes
of weights and int32 biases, in execution order.
"""

from __future__ import annotations

import itertools

import pytest

from compiler.errors import OptionError
from compiler.frontend.tflite_reader import read_model_bytes
from compiler.pipeline.segmentation import (
    cut_by_parameters,
    cut_model,
    execution_order,
    first_output,
    parameter_bytes,
)
from tests.model_builder import ModelBuilder

CLASSES = 91
EXTRA_LAYERS = [(256, 1), (512, 9), (128, 1), (256, 9), (128, 1), (256, 9), (64, 1), (128, 9)]
"""(output channels, filter taps) of the layers behind an SSD's backbone."""
EXTRA_NAMES = [
    "1_Conv2d_2_1x1_256",
    "2_Conv2d_2_3x3_s2_512",
    "1_Conv2d_3_1x1_128",
    "2_Conv2d_3_3x3_s2_256",
    "1_Conv2d_4_1x1_128",
    "2_Conv2d_4_3x3_s2_256",
    "1_Conv2d_5_1x1_64",
    "2_Conv2d_5_3x3_s2_128",
]


def _convolution(before: int, after: int, taps: int = 1) -> int:
    return before * after * taps + 4 * after


def _depthwise(channels: int) -> int:
    return 9 * channels + 4 * channels


def _extra(before: int) -> list[tuple[str, int]]:
    layers = []
    for name, (after, taps) in zip(EXTRA_NAMES, EXTRA_LAYERS, strict=True):
        layers.append((name, _convolution(before, after, taps)))
        before = after
    return layers


def _heads(features: list[int]) -> list[tuple[str, int]]:
    """Box and class predictors: 3 boxes on the first map, 6 on the others, a reshape each."""
    heads = []
    for channels, boxes in zip(features, [3, 6, 6, 6, 6, 6], strict=True):
        heads += [("box", _convolution(channels, 4 * boxes)), ("reshape", 16)]
        heads += [("class", _convolution(channels, CLASSES * boxes)), ("reshape", 12)]
    return heads


def _ssd_v1() -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
    widths = [32, 64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024]
    trunk = [("Conv2d_0", _convolution(3, 32, 9))]
    for number, (before, after) in enumerate(itertools.pairwise(widths), 1):
        trunk.append((f"Conv2d_{number}_depthwise", _depthwise(before)))
        trunk.append((f"Conv2d_{number}_pointwise", _convolution(before, after)))
    return trunk + _extra(1024), _heads([512, 1024, 512, 256, 256, 128])


def _ssd_v2() -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
    stages = [(1, 16, 1), (6, 24, 2), (6, 32, 3), (6, 64, 4), (6, 96, 3), (6, 160, 3), (6, 320, 1)]
    trunk, width, number = [("Conv", _convolution(3, 32, 9))], 32, 0
    for expansion, channels, repeats in stages:
        for repeat in range(repeats):
            inner = width * expansion
            block = f"expanded_conv_{number}" if number else "expanded_conv"
            if expansion > 1:
                trunk.append((f"{block}/expand", _convolution(width, inner)))
            trunk.append((f"{block}/depthwise", _depthwise(inner)))
            trunk.append((f"{block}/project", _convolution(inner, channels)))
            if repeat:
                trunk.append((f"{block}/add", 0))
            width, number = channels, number + 1
    trunk.append(("Conv_1", _convolution(320, 1280)))
    return trunk + _extra(1280), _heads([576, 1280, 512, 256, 256, 128])


VENDOR_CUTS = [
    (_ssd_v1, 2, ["Conv2d_13_pointwise"], [3228864, 3625892]),
    (
        _ssd_v1,
        3,
        ["Conv2d_13_depthwise", "1_Conv2d_2_1x1_256"],
        [2176192, 1315840, 3362724],
    ),
    (
        _ssd_v1,
        4,
        ["Conv2d_12_depthwise", "Conv2d_13_pointwise", "1_Conv2d_3_1x1_128"],
        [1634496, 1594368, 1510912, 2114980],
    ),
    (_ssd_v2, 2, ["1_Conv2d_2_1x1_256"], [2586688, 3526884]),
    (
        _ssd_v2,
        3,
        ["expanded_conv_16/project", "1_Conv2d_3_1x1_128"],
        [1843264, 1991168, 2279140],
    ),
    (
        _ssd_v2,
        4,
        ["expanded_conv_16/expand", "1_Conv2d_2_1x1_256", "1_Conv2d_3_1x1_128"],
        [1522304, 1064384, 1247744, 2279140],
    ),
]
"""(model, segments, last operator of each segment but the last, parameter bytes of each)."""


@pytest.mark.parametrize(("model", "segments", "last", "sizes"), VENDOR_CUTS)
def test_object_detectors_are_cut_as_the_vendor_does(model, segments, last, sizes):
    trunk, heads = model()
    operators = trunk + heads
    bytes_of = [size for _, size in operators]
    counts = cut_by_parameters(bytes_of, segments, len(trunk))
    ends = [sum(counts[: i + 1]) for i in range(segments)]
    assert [operators[end - 1][0] for end in ends[:-1]] == last
    assert [sum(bytes_of[end - n : end]) for n, end in zip(counts, ends, strict=True)] == sizes


def _lines(before: int, after: int) -> int:
    """Wide lines of a 3x3 layer, int8 per channel: two header lines a block."""
    return -(-after // 64) * (9 * -(-before // 4) + 2)


VENDOR_SWEEP = {
    (32, 2): (0.0208, 0.0542),
    (172, 2): (0.293, 0.8547),
    (302, 2): (0.8508, 2.51),
    (442, 2): (1.73, 5.13),
    (562, 2): (2.82, 8.38),
    (702, 2): (4.29, 12.78),
    (32, 3): (0.0208, 0.0181, 0.0361),
    (172, 3): (0.293, 0.2849, 0.5698),
    (302, 3): (0.8508, 0.8374, 1.67),
    (442, 3): (1.73, 1.71, 3.42),
    (562, 3): (2.82, 2.79, 5.59),
    (702, 3): (4.29, 4.26, 8.52),
    (32, 4): (0.0027, 0.0181, 0.0181, 0.0361),
    (172, 4): (0.0081, 0.2849, 0.2849, 0.5698),
    (302, 4): (0.0134, 0.8374, 0.8374, 1.67),
    (442, 4): (0.0188, 1.71, 1.71, 3.42),
    (562, 4): (0.0242, 2.79, 2.79, 5.59),
    (702, 4): (0.0295, 4.26, 4.26, 8.52),
}
"""(channels, segments) -> MiB of on-chip and off-chip parameters of each segment, as the vendor's
tool printed them for five 3x3 layers of equal width behind an image of 3 channels."""


@pytest.mark.parametrize(("width", "segments"), VENDOR_SWEEP)
def test_convolution_chains_are_cut_as_the_vendor_does(width, segments):
    layers = [(3, width)] + 4 * [(width, width)]
    sizes = [_convolution(before, after, 9) for before, after in layers]
    counts = cut_by_parameters(sizes, segments, 4)
    starts = [sum(counts[:i]) for i in range(segments)]
    found = [
        sum(_lines(*layer) for layer in layers[start : start + count]) * 256 / 2**20
        for start, count in zip(starts, counts, strict=True)
    ]
    assert found == pytest.approx(VENDOR_SWEEP[width, segments], abs=0.011)


def _graph(builder: ModelBuilder):
    return read_model_bytes(builder.build(), "m.tflite")


def _branches() -> ModelBuilder:
    """A trunk of three layers with a head on the first and the last."""
    builder = ModelBuilder().input("x", (1, 8, 8, 4)).conv2d(4, 1)
    trunk = builder.last
    head = builder.conv2d(8, 1).last  # operator 1: a head, listed before the trunk goes on
    builder.conv2d(4, 1, source=trunk).conv2d(4, 1)
    return builder.output(head, builder.last)


def test_operators_nobody_reads_come_last():
    graph = _graph(_branches())
    order = execution_order(graph)
    assert order == [0, 2, 1, 3]
    assert first_output(graph, order) == 2


def test_a_chain_keeps_its_order():
    builder = ModelBuilder().input("x", (1, 8, 8, 4))
    for _ in range(6):
        builder.conv2d(4, 1)
    graph = _graph(builder)
    assert execution_order(graph) == list(range(6))
    assert parameter_bytes(graph) == [4 * 4 + 4 * 4] * 6
    assert cut_model(graph, 3) == [[0, 1], [2, 3], [4, 5]]


def test_an_operator_that_reads_a_tensor_twice_is_ready_once():
    builder = ModelBuilder().input("x", (1, 8, 8, 4)).conv2d(4, 1)
    builder.add(builder.last, builder.last).conv2d(4, 1)
    assert execution_order(_graph(builder)) == [0, 1, 2]


def test_custom_operators_count_as_nothing():
    builder = ModelBuilder().input("x", (1, 8, 8, 4)).conv2d(4, 1)
    weights = builder.constant(builder.random.integers(0, 9, (100,)).astype("int8"))
    builder.op("mine", [builder.last, weights], (1, 8, 8, 4), output=(0.1, 0))
    assert parameter_bytes(_graph(builder))[1] == 0


def test_a_layer_over_the_share_gets_a_segment_of_its_own():
    assert cut_by_parameters([10, 1000, 10, 10], 4, 3) == (1, 1, 1, 1)
    assert cut_by_parameters([1000, 10, 10], 2, 2) == (1, 2)


def test_more_segments_than_operators_are_refused():
    builder = ModelBuilder().input("x", (1, 8, 8, 4)).conv2d(4, 1).conv2d(4, 1)
    assert cut_model(_graph(builder), 2) == [[0], [1]]
    with pytest.raises(OptionError, match="allowed 1 to 2"):
        cut_model(_graph(builder), 3)
