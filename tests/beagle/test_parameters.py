"""Parameter data: layouts against their definitions, and vendor blobs byte for byte."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.beagle.parameter_data.layout import (
    bias_header,
    depthwise_groups,
    matrix_rows,
    scale_header,
    zero_point_header,
)
from compiler.beagle.parameter_data.lstm import empty_sequence
from compiler.beagle.parameters import (
    PackingRules,
    elementwise_constants,
    pack_layer,
    pack_layers,
)
from compiler.errors import UnsupportedModelError
from compiler.frontend.graph import Graph, Operator, Quantization, Tensor, TensorType
from compiler.planning.caching_selection import select_cached
from compiler.planning.parameter_placement import longest_first, total_lines
from compiler.planning.schedule import schedule

from ..corpus_paths import pairs, require_corpus
from ..vendor_layers import VendorLayers, vendor_layers

STABLE = settings(derandomize=True, deadline=None, max_examples=40)


# -- layouts ----------------------------------------------------------------------------


def matrix_by_definition(weights, zeros, headers, packed, run):
    """docs/format/parameters.md, "Matrix rows", one byte after the other."""
    outputs, height, width, inputs = weights.shape
    unit = 16 if packed else 64
    most = min(64, -(-outputs // 4) * 4)
    taps = [(y, x) for y in range(height) for x in range(width)]
    runs = range(0, -(-inputs // 4), run)
    steps = [(y, x, first + g) for first in runs for y, x in taps for g in range(run)]

    row_bytes = -(-4 * most // unit) * unit

    def padded(row):
        return row + bytes(row_bytes - len(row))

    data = b""
    for first in range(0, outputs, 64):
        real = min(64, outputs - first)
        lanes = -(-real // 4) * 4
        for header in headers:
            values = [int(v) for v in header.values[first : first + real]]
            values += [header.fill] * (lanes - real) + [header.beyond] * (most - lanes)
            data += padded(np.array(values, "<i4").tobytes())
        for y, x, g in steps:
            row = bytearray()
            for output in range(first, first + lanes):
                for channel in range(4 * g, 4 * g + 4):
                    if output >= outputs:
                        row.append(zeros[0])
                    elif channel >= inputs:
                        row.append(zeros[output])
                    else:
                        row.append(weights[output, y, x, channel])
            data += padded(bytes(row))
    return data + bytes(-len(data) % 64)


def header_set(outputs, seed):
    random = np.random.default_rng(seed)
    return [
        scale_header(random.random(outputs, np.float32)),
        bias_header(random.integers(-(2**31), 2**31, outputs).astype(np.int32)),
        zero_point_header(random.integers(0, 256, outputs)),
    ]


@STABLE
@given(
    st.tuples(
        st.sampled_from([1, 3, 4, 5, 17, 63, 64, 65, 128, 131]),
        st.integers(1, 3),
        st.integers(1, 3),
        st.integers(1, 9),
    ),
    st.integers(1, 3),
    st.integers(0, 3),
)
def test_matrix_rows_follow_the_definition(shape, run, header_count):
    groups = -(-shape[3] // 4)
    run = run if groups % run == 0 else groups
    random = np.random.default_rng(shape[0])
    weights = random.integers(0, 256, shape, dtype=np.uint8)
    zeros = random.integers(0, 256, shape[0], dtype=np.uint8)
    headers = header_set(shape[0], 1)[:header_count]
    for packed in (False, True) if shape[0] <= 4 else (False,):
        data, lanes = matrix_rows(weights, zeros, headers, packed=packed, run=run)
        assert data == matrix_by_definition(weights, zeros, headers, packed, run)
        assert lanes == (4 if packed else -(-min(shape[0], 64) // 16) * 16)


@STABLE
@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 11), st.integers(0, 3))
def test_depthwise_groups_follow_the_definition(height, width, channels, header_count):
    random = np.random.default_rng(channels)
    weights = random.integers(0, 256, (height, width, channels), dtype=np.uint8)
    zeros = random.integers(0, 256, channels, dtype=np.uint8)
    headers = header_set(channels, 2)[:header_count]
    data = b""
    for first in range(0, channels, 4):
        present = range(first, min(first + 4, channels))
        for header in headers:
            values = [int(header.values[c]) for c in present]
            data += np.array(values + [header.fill] * (4 - len(values)), "<i4").tobytes()
        for y in range(height):
            for x in range(width):
                for c in range(first, first + 4):
                    zero = zeros[c] if c in present else zeros[first]
                    row = bytearray([zero] * 4)
                    if c in present:
                        row[c - first] = weights[y, x, c]
                    data += row
    assert depthwise_groups(weights, zeros, headers) == data + bytes(-len(data) % 64)


def test_unused_lanes_of_the_scale_vector_hold_one():
    header = scale_header(np.full(66, 0.5, np.float32))
    weights = np.zeros((66, 1, 1, 4), np.uint8)
    data, _ = matrix_rows(weights, np.zeros(66, np.uint8), [header])
    second = np.frombuffer(data, "<f4", 64, offset=256 * 2)
    assert second[:4].tolist() == [0.5] * 4
    assert second[4:].tolist() == [1.0] * 60


# -- operators --------------------------------------------------------------------------


def tensor(index, shape, kind=TensorType.INT8, data=None, scales=(0.5,)):
    quantization = Quantization(tuple(scales), (0,) * len(scales))
    return Tensor(index, f"t{index}", tuple(shape), kind, quantization, data)


def one_op(name, tensors, inputs, options=None):
    op = Operator(0, name, 1, tuple(inputs), (len(tensors) - 1,), options=options or {})
    return Graph("model.tflite", "main", tuple(tensors), (op,), (0,), (len(tensors) - 1,)), op


def convolution(outputs, inputs, bias=True, side=8, per_channel=True):
    random = np.random.default_rng(0)
    weights = random.integers(-127, 128, (outputs, 1, 1, inputs)).astype(np.int8)
    scales = tuple(float(np.float32(0.01 * (1 + i))) for i in range(outputs))
    biases = np.arange(outputs, dtype=np.int32) if bias else np.zeros(outputs, np.int32)
    return one_op(
        "CONV_2D",
        [
            tensor(0, (1, side, side, inputs)),
            tensor(1, weights.shape, data=weights, scales=scales if per_channel else (0.01,)),
            tensor(2, (outputs,), TensorType.INT32, biases),
            tensor(3, (1, side, side, outputs), scales=(0.25,)),
        ],
        (0, 1, 2),
    )


def test_per_channel_convolution_has_three_headers_and_signed_weights_shifted():
    graph, op = convolution(16, 4)
    (segment,) = pack_layer(graph, op)
    assert (segment.kind, segment.lanes) == ("convolution", 16)
    assert segment.headers == ("scale", "bias", "zero_point")
    rows = np.frombuffer(segment.data, "<u4").reshape(4, 16)
    factors = np.float32(0.5) * np.float32(0.01 * 3) * np.float32(4)
    assert rows[0, 2:3].view("<f4")[0] == factors
    assert rows[1].tolist() == list(range(16))
    assert rows[2].tolist() == [128] * 16
    stored = graph.tensor(1).data.reshape(16, 4).astype(np.int16) + 128
    assert rows[3].tobytes() == stored.astype(np.uint8).tobytes()


def test_zero_bias_is_left_out_unless_the_rules_keep_it():
    graph, op = convolution(16, 4, bias=False)
    assert pack_layer(graph, op)[0].headers == ("scale", "zero_point")
    kept = pack_layer(graph, op, rules=PackingRules(keep_zero_bias=True))
    assert kept[0].headers == ("scale", "bias", "zero_point")


def test_at_most_four_outputs_are_packed_and_one_position_is_fully_connected():
    (packed,) = pack_layer(*convolution(3, 8))
    assert (packed.kind, packed.lanes, packed.rows) == ("depthwise", 64, 2)
    (vector,) = pack_layer(*convolution(130, 8, side=1))
    assert (vector.kind, vector.blocks) == ("fully_connected", 3)


def test_softmax_tables_cover_the_tiles_and_mask_absent_channels():
    graph, op = one_op("SOFTMAX", [tensor(0, (1, 1001)), tensor(1, (1, 1001))], (0,), {"beta": 2.0})
    addends, again, factors, mask = pack_layer(graph, op)
    assert addends == again
    assert addends.spread == (16,) * 15 + (11,)
    last = np.frombuffer(addends.data, "<u4").reshape(251, 16)[-1]
    assert last[:4].tolist() == [0, 0x80000000, 0x80000000, 0x80000000]
    values = np.frombuffer(factors.data, "<f4").reshape(251, 16)
    assert values[0, :5].tolist() == [1.0, 1.0, 1.0, 1.0, 0.0]
    assert values[-1, 1] == np.finfo(np.float32).max
    assert np.frombuffer(mask.data, "<f4").tolist() == [1.0] + [0.0] * 15
    whole, op = one_op("SOFTMAX", [tensor(0, (1, 1000)), tensor(1, (1, 1000))], (0,))
    assert pack_layer(whole, op) == ()


def test_elementwise_constants_are_unsigned_and_negated_for_sub():
    data = np.array([-128, 0, 127], np.int8)
    parts = [tensor(0, (1, 1, 1, 3)), tensor(1, (3,), data=data), tensor(2, (1, 1, 1, 3))]
    graph, op = one_op("MUL", parts, (0, 1))
    assert elementwise_constants(graph, op) == bytes([0, 128, 255]) + bytes(61)
    graph, op = one_op("SUB", parts, (0, 1))
    values = np.frombuffer(elementwise_constants(graph, op), "<i4")
    assert values.tolist() == [0, -128, -255] + [0] * 13


@pytest.mark.parametrize(
    "broken",
    [
        {"index": 1, "data": None},
        {"index": 1, "type": TensorType.FLOAT32},
        {"index": 1, "shape": (16, 1, 1, 5)},
        {"index": 1, "shape": (16, 4)},
        {"index": 1, "quantization": None},
        {"index": 1, "quantization": Quantization((0.1, 0.2), (0, 0))},
        {"index": 1, "quantization": Quantization((0.1,), (300,))},
        {"index": 2, "type": TensorType.INT64},
        {"index": 2, "data": np.zeros(3, np.int32)},
        {"index": 3, "quantization": Quantization((0.0,), (0,))},
        {"index": 3, "quantization": Quantization((float("nan"),), (0,))},
    ],
)
def test_odd_weights_are_refused_by_name(broken):
    graph, op = convolution(16, 4)
    tensors = list(graph.tensors)
    tensors[broken["index"]] = replace(tensors[broken["index"]], **broken)
    with pytest.raises(UnsupportedModelError) as caught:
        pack_layer(replace(graph, tensors=tuple(tensors)), op)
    assert "operator 0 CONV_2D" in str(caught.value)


def test_four_megabytes_pack_quickly():
    graph, op = convolution(2048, 2048)
    start = time.perf_counter()
    (segment,) = pack_layer(graph, op)
    assert len(segment.data) > 4 << 20
    assert time.perf_counter() - start < 1


# -- vendor files -------------------------------------------------------------------------

OTHER_ORDER = {"movenet_single_pose_lightning_ptq_edgetpu"}
"""Two of four branches that tie come in the other order."""


def selection(layers: VendorLayers, segments):
    """The cached and streamed layers. Only the number of lines that the run left to this
    model is taken from the file: the smallest that gives its number of cached bytes."""
    chosen = select_cached(segments)
    wanted = len(layers.cached)
    if sum(len(segments[i].data) for i in chosen.cached) == wanted:
        return chosen
    for small_sort in (30, 6):
        order = longest_first(segments, range(len(segments)), small_sort)
        total, top = 0, sum(map(total_lines, segments))
        while total <= top:
            left, size, step = total, 0, top
            for index in order:
                lines = total_lines(segments[index])
                if lines <= left:
                    left -= lines
                    size += len(segments[index].data)
                else:
                    step = min(step, lines - left)
            if size == wanted:
                found = select_cached(segments, total=total, small_sort=small_sort)
                if b"".join(segments[i].data for i in found.cached) == layers.cached:
                    return found
            total += step
    return chosen


def constant_operands(graph, op):
    """What the host sends to narrow memory; for an LSTM the vendor sends the first content of
    its output, which nothing reads."""
    if op.name == "UNIDIRECTIONAL_SEQUENCE_LSTM":
        return empty_sequence(graph, op)
    return elementwise_constants(graph, op)


@pytest.mark.parametrize("pair", [p for p in pairs() if p.source] or [None], ids=str)
def test_vendor_parameters_are_reproduced(pair):
    require_corpus()
    layers = vendor_layers(pair)
    if layers is None:
        pytest.skip("the file holds no parameters")
    order = schedule(layers.graph, layers.mapped).operators
    segments = pack_layers(layers.graph, order, layers.rules)
    if pair.name in OTHER_ORDER:
        assert all(segment.data in layers.cached for segment in segments)
        assert sum(len(segment.data) for segment in segments) == len(layers.cached)
        return
    chosen = selection(layers, segments)
    cached = b"".join(segments[i].data for i in chosen.cached)
    streamed = b"".join(segments[i].data for i in chosen.streamed)
    constants = b"".join(constant_operands(layers.graph, op) for op in order)
    assert cached == layers.cached
    assert streamed + constants == layers.streamed
