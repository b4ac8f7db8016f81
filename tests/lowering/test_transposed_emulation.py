"""TRANSPOSE_CONV on the emulator, exactly as the reference has it."""

from __future__ import annotations

import random

import numpy as np
import pytest

from compiler.frontend.tflite_reader import read_model_bytes
from compiler.planning.convolution import ConvolutionStep
from compiler.planning.pass_steps import PassInputStep
from compiler.planning.transposed_phases import phases
from tests.emulator.reference import Reference, counted
from tests.model_builder import ModelBuilder
from tests.spatial_passes import run_in_passes, small_plan

from .test_movement_emulation import check, steps_of

KINDS = ("int8", "uint8")
SIZES = (1, 2, 3, 4, 5, 6, 7, 9, 12, 13)


def picture(height: int, width: int, channels: int, kind: str = "int8", **more) -> ModelBuilder:
    return ModelBuilder(kind, seed=4, **more).input("x", (1, height, width, channels))


def drawn_model(seed: int) -> ModelBuilder:
    """A transposed convolution of a picture or a map, perhaps with a reader."""
    drawn = random.Random(seed)
    kind, per_channel = drawn.choice(["int8", "uint8"]), drawn.choice([None, False])
    height, width = drawn.choice(SIZES[1:]), drawn.choice(SIZES)
    builder = picture(
        height, width, drawn.choice([1, 3, 4, 7, 16, 24]), kind, per_channel=per_channel
    )
    if drawn.choice([True, False]):
        builder.conv2d(drawn.choice([1, 8, 12, 40, 72]), 3)
    kernel = tuple(drawn.choice([1, 2, 3, 4, 5, 7]) for _ in "hw")
    stride = tuple(drawn.choice([1, 2, 2, 3, 4]) for _ in "hw")
    size = None
    if drawn.choice([True, False, False]):
        size = height * stride[0] - stride[0] // 2, width * stride[1] - stride[1] // 2
    builder.transpose_conv(
        drawn.choice([1, 3, 4, 5, 16, 65, 70]),
        kernel,
        stride=stride,
        padding=drawn.choice(["same", "valid"]),
        size=size,
        bias=drawn.choice([True, False]),
    )
    reader = drawn.choice(["", "conv2d", "depthwise_conv2d", "relu", "transpose_conv"])
    if reader:
        arguments = {"relu": (), "depthwise_conv2d": (3,)}.get(reader, (6, 3))
        getattr(builder, reader)(*arguments)
    return builder


@pytest.mark.parametrize("seed", range(60))
def test_random_layers(seed):
    check(drawn_model(seed))


@pytest.mark.parametrize("seed", range(100, 106))
def test_units_side_by_side(seed):
    check(drawn_model(seed), concurrent=True)


@pytest.mark.parametrize(
    ("kernel", "stride", "steps"), [(3, 1, 1), (2, 2, 4), (3, 2, 4), (1, 3, 9), ((4, 1), (4, 1), 4)]
)
def test_a_step_for_each_phase(kernel, stride, steps):
    found = check(picture(6, 7, 8).transpose_conv(12, kernel, stride=stride))
    assert len(steps_of(found, ConvolutionStep)) == steps


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize(("kernel", "stride"), [(1, 2), (2, 2), (3, 2), (4, 2), (5, 3), (3, 1)])
def test_phases_cover_filter_and_result(kernel, stride, padding):
    builder = picture(5, 7, 4).transpose_conv(4, kernel, stride=stride, padding=padding)
    graph = read_model_bytes(builder.build(), "test")
    found = phases(graph, graph.operators[0])
    height, width = graph.tensor(graph.outputs[0]).shape[1:3]
    assert sum(phase.rows.count * phase.columns.count for phase in found) == height * width
    taps = sorted((y, x) for phase in found for y in phase.rows.taps for x in phase.columns.taps)
    assert taps == [(y, x) for y in range(kernel) for x in range(kernel)]


@pytest.mark.parametrize("stride", [2, 4])
def test_one_pixel_becomes_a_map(stride):
    trunk = picture(1, 1, 20).transpose_conv(24, 4, stride=stride, padding="valid")
    check(trunk.transpose_conv(8, 4).transpose_conv(3, 4))


def test_a_generator_of_pictures():
    builder = ModelBuilder("int8", seed=1).input("x", (1, 30)).fully_connected(4 * 4 * 96)
    trunk = builder.reshape((1, 4, 4, 96)).transpose_conv(24, 5)
    check(trunk.transpose_conv(3, 5).tanh())


def test_a_map_becomes_one_pixel():
    check(picture(3, 3, 8).transpose_conv(8, 3, size=(1, 1)).conv2d(5, 1))


def test_a_padded_pixel_becomes_a_map():
    borders = [(0, 0), (1, 1), (1, 1), (0, 0)]
    for kernel in (1, 2):
        check(picture(1, 1, 20).pad(borders).conv2d(8, kernel, padding="valid"))
        check(picture(1, 1, 20).conv2d(9, 1).pad(borders).conv2d(8, kernel, padding="valid"))


def test_a_segmentation_decoder():
    builder = picture(16, 20, 3, "uint8").conv2d(16, 3, stride=2, activation="relu")
    skip = builder.last
    up = builder.conv2d(24, 3, stride=2).transpose_conv(16, 2, output=skip.output).last
    check(builder.concatenation(up, skip).conv2d(16, 3).transpose_conv(5, 4))


@pytest.mark.parametrize("seed", range(6))
def test_spatial_passes(seed):
    drawn = random.Random(seed)
    height, width = drawn.randint(12, 24), drawn.randint(12, 24)
    builder = picture(height, width, drawn.choice([3, 8])).conv2d(drawn.choice([8, 24]), 3)
    builder.transpose_conv(drawn.choice([8, 24]), drawn.choice([2, 3, 4])).conv2d(8, 3)
    data = builder.build()
    whole = small_plan(read_model_bytes(data, "test"), 49152)
    words = max(whole.narrow[b.name] + b.words for b in whole.buffers)
    run = run_in_passes(data, 3 * words // 4)
    assert run.differing == 0
    assert run.count(PassInputStep) > 1


@pytest.mark.parametrize("seed", range(12))
def test_the_reference_is_tensorflow_lites(seed):
    interpreter = pytest.importorskip("ai_edge_litert.interpreter")
    drawn = random.Random(seed)
    builder = picture(drawn.choice([2, 5, 7]), drawn.choice([3, 4]), 8, drawn.choice(KINDS))
    kernel = drawn.choice([1, 2, 3, 4, 5]), drawn.choice([1, 2, 3, 4, 5])
    stride = drawn.choice([1, 2, 3]), drawn.choice([1, 2, 3])
    builder.transpose_conv(5, kernel, stride=stride, padding=drawn.choice(["same", "valid"]))
    data = builder.build()
    graph = read_model_bytes(data, "test")
    source = graph.tensor(graph.inputs[0])
    values = np.random.default_rng(seed).integers(0, 100, source.shape)
    values = values.astype(source.type.name.lower())
    model = interpreter.Interpreter(model_content=data)
    model.allocate_tensors()
    model.set_tensor(model.get_input_details()[0]["index"], values)
    model.invoke()
    wanted = counted(model.get_tensor(model.get_output_details()[0]["index"]))
    found = Reference(graph, {source.index: counted(values)}).run()[graph.outputs[0]]
    assert np.abs(found.astype(int) - wanted.astype(int)).max() <= 1
