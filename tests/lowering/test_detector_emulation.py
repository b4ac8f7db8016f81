"""Heads of detectors on the emulator: predictors, RESHAPE, CONCATENATION and LOGISTIC, exactly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from compiler.driver import compile_graph, plan_model
from compiler.emulator.model import CompiledModel, random_inputs
from compiler.frontend.equivalent_layers import as_layers
from compiler.frontend.joined_outputs import split_outputs
from compiler.frontend.padded_groups import pad_groups
from compiler.frontend.tflite_reader import read_model_bytes
from compiler.options import CompileOptions
from compiler.planning.collected_map import MapCollectionStep
from compiler.planning.convolution import HaloStep
from compiler.planning.fully_connected import FullyConnectedStep, GatherStep
from compiler.planning.line_reshape import LineReshapeStep
from compiler.planning.pass_steps import CollectStep
from compiler.planning.planner import plan_region
from compiler.planning.pointwise import PointwiseStep
from compiler.planning.schedule import schedule
from tests.emulator.reference import Reference, counted
from tests.model_builder import ModelBuilder

from .test_movement_emulation import check, steps_of


def detector(kind: str, classes: int, sizes: tuple[int, ...], anchors: tuple[int, ...]):
    """Maps of the given sizes, halved until they fit, and predictors on each of them."""
    size = 4 * sizes[0]
    builder = ModelBuilder(kind, seed=5).input("x", (1, size, size, 3))
    boxes, scores, total = [], [], 0
    for wanted, count in zip(sizes, anchors, strict=True):
        while size > wanted:
            builder, size = builder.conv2d(16, 3, stride=2), -(-size // 2)
        trunk, kernel = builder.last, 3 if size > 1 else 1
        pixels = size * size * count
        box = builder.conv2d(4 * count, kernel, source=trunk).reshape((1, pixels, 1, 4))
        boxes.append(box.last)
        score = builder.conv2d(classes * count, kernel, source=trunk)
        scores.append(score.reshape((1, pixels, classes)).last)
        builder = builder.conv2d(16, 1, source=trunk)
        total += pixels
    box = builder.concatenation(*boxes, axis=1).reshape((1, total, 4)).last
    return builder.output(box, builder.concatenation(*scores, axis=1).logistic().last)


@pytest.mark.parametrize(
    ("kind", "classes", "sizes", "anchors"),
    [
        ("uint8", 91, (6, 3, 1), (3, 6, 6)),
        ("int8", 90, (5, 3), (2, 6)),
        ("uint8", 3, (8, 4), (9, 2)),
        ("int8", 1, (6, 2), (4, 1)),
    ],
)
def test_detectors(kind, classes, sizes, anchors):
    plan = check(detector(kind, classes, sizes, anchors))
    assert steps_of(plan, LineReshapeStep)
    assert steps_of(plan, CollectStep)
    assert steps_of(plan, PointwiseStep)


@pytest.mark.parametrize("kind", ["uint8", "int8"])
def test_groups_are_filled_up(kind):
    builder = ModelBuilder(kind, seed=5).input("x", (1, 4, 4, 4)).conv2d(6, 1)
    graph = read_model_bytes(builder.reshape((1, 32, 3)).build(), "test")
    assert pad_groups(graph, {0}) is graph
    padded = pad_groups(graph, {0, 1})
    padded.verify()
    (before, after) = (g.operators[0] for g in (graph, padded))
    old, new = graph.tensor(before.inputs[1]).data, padded.tensor(after.inputs[1]).data
    assert new.shape == (8, 1, 1, 4)
    assert (new[[0, 1, 2, 4, 5, 6]] == old).all()
    assert padded.tensor(after.outputs[0]).shape == (1, 4, 4, 8)
    quantization = padded.tensor(after.inputs[1]).quantization
    assert len(quantization.scales) in (1, 8)
    assert (new[[3, 7]] == quantization.zero_points[0]).all()


def test_groups_are_filled_up_before_they_are_requantised():
    builder = ModelBuilder("uint8", seed=5).input("x", (1, 4, 4, 4)).conv2d(6, 1)
    graph = read_model_bytes(builder.quantize().reshape((1, 32, 3)).build(), "test")
    assert pad_groups(graph, {0, 2}) is graph
    padded = pad_groups(graph, {0, 1, 2})
    padded.verify()
    assert [padded.tensor(op.outputs[0]).shape for op in padded.operators[:2]] == [(1, 4, 4, 8)] * 2
    check(builder)


@pytest.mark.parametrize(
    ("shape", "output"),
    [
        ((10, 10, 24), (1, 600, 1, 4)),
        ((5, 5, 276), (1, 75, 92)),
        ((3, 3, 24), (1, 54, 1, 4)),
        ((2, 2, 24), (1, 24, 1, 4)),
        ((1, 3, 16), (1, 12, 1, 4)),
        ((7, 1, 8), (1, 1, 7, 8)),
        ((1, 9, 8), (1, 9, 1, 8)),
        ((6, 13, 3), (1, 78, 3)),
        ((2, 11, 12), (1, 66, 1, 4)),
        ((9, 1, 4), (1, 3, 1, 12)),
    ],
)
def test_maps_become_lines(shape, output):
    builder = ModelBuilder("uint8", seed=3).input("x", (1, *shape[:2], 8)).conv2d(shape[2], 1)
    plan = check(builder.reshape(output), concurrent=True)
    assert steps_of(plan, LineReshapeStep)


@pytest.mark.parametrize(
    ("size", "output"),
    [
        (36, (1, 9, 4)),
        (552, (1, 6, 92)),
        (552, (1, 138, 1, 4)),
        (24, (1, 6, 1, 4)),
        (92, (1, 2, 46)),
    ],
)
@pytest.mark.parametrize("requantised", [False, True])
def test_vectors_become_lines(size, output, requantised):
    builder = ModelBuilder("uint8", seed=3).input("x", (1, 2, 2, 8)).conv2d(32, 2, padding="valid")
    builder.conv2d(size, 1)
    if requantised:
        builder.quantize()
    plan = check(builder.reshape(output), concurrent=True)
    assert steps_of(plan, LineReshapeStep)
    assert steps_of(plan, FullyConnectedStep)
    assert bool(steps_of(plan, PointwiseStep)) == requantised


def test_predictors_of_one_pixel_share_what_they_read():
    builder = ModelBuilder("uint8", seed=3).input("x", (1, 2, 2, 8)).conv2d(32, 3, stride=2)
    trunk = builder.last
    lines = [
        builder.conv2d(channels, 1, source=trunk).quantize().reshape(shape).last
        for channels, shape in ((24, (1, 6, 1, 4)), (546, (1, 6, 91)))
    ]
    plan = check(builder.output(*lines), concurrent=True)
    assert [(step.readers, step.again) for step in steps_of(plan, GatherStep)] == [
        (0x1FF, False),
        (0x1FF, True),
    ]


@pytest.mark.parametrize("kind", ["uint8", "int8"])
@pytest.mark.parametrize(
    ("size", "kernel", "stride", "left"),
    [
        ((2, 2), 3, 2, (2, 2)),
        ((1, 1), 3, 1, (1, 1)),
        ((1, 4), 3, 4, (1, 3)),
        ((3, 2), 5, 3, (3, 2)),
    ],
)
def test_a_filter_beyond_the_map_is_cut(kind, size, kernel, stride, left):
    builder = ModelBuilder(kind, seed=3).input("x", (1, 8, 8, 8))
    builder.conv2d(16, (9 - size[0], 9 - size[1]), padding="valid").conv2d(8, kernel, stride=stride)
    graph = as_layers(read_model_bytes(builder.build(), "test"), {0, 1})
    assert graph.tensor(graph.operators[1].inputs[1]).shape == (8, *left, 16)
    check(builder, concurrent=True)


def in_file_order(graph, operators, parked):
    found = schedule(graph, operators, parked)
    return replace(found, operators=tuple(sorted(found.operators, key=lambda op: op.index)))


def test_a_halo_is_filled_before_other_layers_run(monkeypatch):
    monkeypatch.setattr("compiler.planning.planner.schedule", in_file_order)
    builder = ModelBuilder("uint8", seed=3).input("x", (1, 10, 10, 16))
    trunk = builder.last
    small = builder.conv2d(8, 1).last
    large = builder.conv2d(64, 1, source=trunk).last
    builder.conv2d(8, 3, stride=2, source=small)
    plan = check(builder.output(large, builder.last), concurrent=True)
    assert steps_of(plan, HaloStep)


@pytest.mark.parametrize("along", ["rows", "columns"])
def test_lines_of_any_length_are_joined(along):
    builder = ModelBuilder("int8", seed=3).input("x", (1, 9, 9, 8))
    trunk, parts = builder.last, []
    for stride, channels in ((1, 12), (2, 24), (3, 8), (5, 16)):
        builder.conv2d(channels, 3, stride=stride, source=trunk, output=(0.05, 3))
        pixels = builder.last.shape[1] ** 2 * channels // 4
        parts.append(builder.reshape((1, pixels, 1, 4)).last)
        if along == "columns":
            parts[-1] = builder.reshape((1, 1, pixels, 4)).last
    builder.concatenation(*parts, axis=1 if along == "rows" else 2)
    assert steps_of(check(builder, concurrent=True), CollectStep)


@pytest.mark.parametrize("kind", ["uint8", "int8"])
@pytest.mark.parametrize("limit", [0, 200])
def test_outputs_in_parts(kind, limit, monkeypatch):
    monkeypatch.setattr("compiler.frontend.joined_outputs.LONGEST_LINE", limit)
    builder = detector(kind, 21, (7, 4), (3, 2))
    graph = read_model_bytes(builder.build(), "test")
    plan = plan_region(graph)
    assert [output.tensor for output in plan.joined] == list(graph.outputs)[
        0 if limit == 0 else 1 :
    ]
    assert all(op < len(graph.operators) for step in plan.steps for op in step.ops)
    check(builder)


def test_short_outputs_leave_as_a_whole():
    graph = read_model_bytes(detector("int8", 21, (7, 4), (3, 2)).build(), "test")
    operators = range(len(graph.operators))
    assert split_outputs(graph, operators, graph.outputs) is None
    assert not plan_region(graph).joined


def test_an_output_that_is_read_is_one_piece(monkeypatch):
    monkeypatch.setattr("compiler.frontend.joined_outputs.LONGEST_LINE", 0)
    builder = ModelBuilder("int8", seed=5).input("x", (1, 4, 4, 4)).conv2d(8, 1)
    maps = [builder.last, builder.max_pool_2d(1).last]
    lines = [builder.reshape((1, 16, 8), source=map_).last for map_ in maps]
    joined = builder.concatenation(*lines, axis=1).last
    builder = builder.output(joined, builder.relu(source=joined).last)
    graph = read_model_bytes(builder.build(), "test")
    assert split_outputs(graph, range(len(graph.operators)), graph.outputs) is None


def test_an_output_that_the_cpu_reads_leaves_in_parts(monkeypatch):
    """The scores, for an operator that stays on the CPU."""
    monkeypatch.setattr("compiler.frontend.joined_outputs.LONGEST_LINE", 0)
    builder = ModelBuilder("int8", seed=5).input("x", (1, 4, 4, 4)).conv2d(8, 1)
    trunk = builder.last
    scale = builder.conv2d(8, 3).last.output
    maps = [builder.last, builder.conv2d(8, 1, source=trunk, output=scale).last]
    lines = [builder.reshape((1, 16, 8), source=map_).last for map_ in maps]
    scores = builder.concatenation(*lines, axis=1).last
    builder = builder.dequantize()
    graph = read_model_bytes(builder.build(), "test")
    model = plan_model(graph, CompileOptions())
    assert list(model.partition.reasons) == [len(graph.operators) - 1]
    assert [output.tensor for output in model.plans[0].joined] == [scores.index]
    compiled = CompiledModel(compile_graph(model, 1, CompileOptions()))
    inputs = random_inputs(compiled, seed=1)
    result = compiled.run(inputs)
    expected = Reference(graph, {graph.inputs[0]: counted(inputs["x"])}).run()
    name = graph.tensor(scores.index).name
    np.testing.assert_array_equal(counted(result.tensors[name]), expected[scores.index])


def test_parts_of_one_pixel(monkeypatch):
    """Maps of one pixel are lines of their own."""
    monkeypatch.setattr("compiler.frontend.joined_outputs.LONGEST_LINE", 0)
    builder = detector("uint8", 21, (6, 3, 1), (3, 6, 6))
    graph = read_model_bytes(builder.build(), "test")
    plan = plan_region(graph)
    assert [output.tensor for output in plan.joined] == list(graph.outputs)
    sizes = [[(part.rows, part.columns, part.groups) for part in o.parts] for o in plan.joined]
    assert sizes == [[(6, 6, 3), (3, 3, 6), (6, 1, 1)], [(6, 6, 3), (3, 3, 6), (1, 6, 1)]]
    check(builder)


@pytest.mark.parametrize("kind", ["uint8", "int8"])
@pytest.mark.parametrize("size", [(2, 2), (3, 3), (4, 2), (1, 4)])
def test_a_map_is_collected_for_a_layer_of_one_pixel(kind, size):
    builder = ModelBuilder(kind, seed=3).input("x", (1, *size, 8)).conv2d(20, 1)
    plan = check(builder.conv2d(12, size, padding="valid").conv2d(80, 1), concurrent=True)
    assert steps_of(plan, MapCollectionStep)


def test_a_vector_is_gathered_before_other_layers_run(monkeypatch):
    monkeypatch.setattr("compiler.planning.planner.schedule", in_file_order)
    builder = ModelBuilder("uint8", seed=3).input("x", (1, 2, 2, 16))
    trunk = builder.last
    pixel = builder.conv2d(32, 2, padding="valid").last
    large = builder.conv2d(80, 1, source=trunk).last
    builder.conv2d(100, 1, source=pixel)
    plan = check(builder.output(large, builder.last), concurrent=True)
    gathers = steps_of(plan, GatherStep)
    assert [(step.early, step.again) for step in gathers] == [(True, False), (False, True)]
