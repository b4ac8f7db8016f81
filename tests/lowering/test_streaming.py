"""Models that compute the same whether their parameters are cached, on other tiles, or streamed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from compiler.driver import PlannedModel, compile_graph, plan_model
from compiler.emulator import CompiledModel, Device, random_inputs
from compiler.frontend.tflite_reader import read_model_bytes
from compiler.lowering.lower import lower
from compiler.options import CompileOptions
from compiler.planning.parameter_placement import place_parameters
from compiler.planning.plan import TILES, WIDE_LINES, Piece
from compiler.release import RELEASE_15, RELEASE_16
from tests.emulator.compiled import faults

from ..model_builder import ModelBuilder

TOKEN = 0x1234


def convolutions(kind: str, *, per_channel: bool) -> bytes:
    """Image input, dense, depthwise and packed convolutions, several blocks of outputs."""
    model = ModelBuilder(kind, seed=3, per_channel=per_channel).input("x", (1, 12, 12, 3))
    model = model.conv2d(24, 3).depthwise_conv2d(3).conv2d(72, 1)
    return model.depthwise_conv2d(3, stride=2).conv2d(3, 3).build()


def deep_convolution(kind: str) -> bytes:
    """Weights that pass through wide memory chunk by chunk."""
    model = ModelBuilder(kind, seed=5).input("x", (1, 8, 8, 3)).conv2d(64, 3).conv2d(96, 3)
    return model.conv2d(8, 1).build()


def dense(inputs: int, *outputs: int, kind: str = "int8", softmax: bool = False) -> bytes:
    model = ModelBuilder(kind, seed=7).input("x", (1, inputs))
    for count in outputs:
        model = model.fully_connected(count)
    return (model.softmax() if softmax else model).build()


MODELS = {
    "int8 per channel": convolutions("int8", per_channel=True),
    "int8 per tensor": convolutions("int8", per_channel=False),
    "uint8": convolutions("uint8", per_channel=False),
    "chunks int8": deep_convolution("int8"),
    "chunks uint8": deep_convolution("uint8"),
    "one tile": dense(256, 40),
    "blocks": dense(256, 200, 100),
    "blocks uint8": dense(256, 150, kind="uint8"),
    "vector of one chunk": dense(256, 128, 64),
    "prime": dense(256, 232, 72),
    "classifier": dense(256, 997, softmax=True),
    "whole words": dense(256, 1024, kind="uint8", softmax=True),
}


def planned(data: bytes, options: CompileOptions) -> PlannedModel:
    model = plan_model(read_model_bytes(data, "model"), options)
    assert len(model.plans) == 1, model.partition.text()
    assert len(model.partition.mapped) == len(model.graph.operators), model.partition.text()
    return model


def with_placement(model: PlannedModel, placement: tuple[tuple[Piece, ...], ...]) -> PlannedModel:
    return replace(model, plans=(replace(model.plans[0], placement=placement),))


def run(model: PlannedModel, options: CompileOptions, seed: int = 0) -> list[np.ndarray]:
    compiled = CompiledModel(compile_graph(model, TOKEN, options))
    result = compiled.run(random_inputs(compiled, seed), Device())
    return list(result.outputs.values())


def elsewhere(model: PlannedModel) -> tuple[tuple[Piece, ...], ...]:
    """A valid placement in which no layer is on the tile of its outputs."""
    plan = model.plans[0]
    tops = [0] * TILES
    moved = []
    for pieces in plan.placement:
        row = []
        for piece in pieces:
            tile = (piece.tile + 5) % TILES
            row.append(replace(piece, tile=tile, address=tops[tile]))
            tops[tile] += piece.lines
        moved.append(tuple(row))
    return tuple(moved)


@pytest.mark.parametrize("release", [RELEASE_16, RELEASE_15], ids=lambda release: release.name)
@pytest.mark.parametrize("name", MODELS)
def test_streamed_equals_cached(name, release):
    options = CompileOptions(release=release)
    model = planned(MODELS[name], options)
    cached = run(model, options)
    assert any(np.unique(output).size > 3 for output in cached)
    layers = len(model.plans[0].segments)
    streamed = with_placement(model, ((),) * layers)
    for ours, theirs in zip(run(streamed, options), cached, strict=True):
        assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("name", MODELS)
def test_parameters_on_other_tiles(name):
    options = CompileOptions()
    model = planned(MODELS[name], options)
    moved = with_placement(model, elsewhere(model))
    for ours, theirs in zip(run(moved, options), run(model, options), strict=True):
        assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("name", ["blocks", "chunks uint8"])
def test_no_hazards(name):
    options = CompileOptions()
    model = planned(MODELS[name], options)
    layers = len(model.plans[0].segments)
    for placement in (((),) * layers, elsewhere(model)):
        compiled = CompiledModel(compile_graph(with_placement(model, placement), TOKEN, options))
        assert faults(compiled.run(random_inputs(compiled, 0), Device("concurrent"))) == []


@pytest.mark.parametrize("name", ["uint8", "chunks int8", "classifier"])
def test_every_second_layer_streamed(name):
    options = CompileOptions()
    model = planned(MODELS[name], options)
    plan = model.plans[0]
    for parity in (0, 1):
        cached = [i for i in range(len(plan.segments)) if i % 2 == parity]
        placement = place_parameters(plan.segments, plan.capacity, cached=cached)
        mixed = with_placement(model, placement)
        for ours, theirs in zip(run(mixed, options), run(model, options), strict=True):
            assert np.array_equal(ours, theirs)


def test_streamed_bytes_are_the_layers_in_order():
    options = CompileOptions()
    model = planned(MODELS["blocks"], options)
    plan = replace(model.plans[0], placement=((),) * len(model.plans[0].segments))
    assert lower(plan).parameters == b"".join(segment.data for segment in plan.segments)


def test_a_model_larger_than_the_chip():
    """Nine matrices of about 256 lines on each of 16 tiles: one has to be streamed."""
    data = dense(1024, *[1024] * 9)
    options = CompileOptions()
    model = planned(data, options)
    plan = model.plans[0]
    streamed = [i for i, pieces in enumerate(plan.placement) if not pieces]
    assert streamed
    assert all(piece.address + piece.lines <= plan.capacity for p in plan.placement for piece in p)
    assert plan.capacity < WIDE_LINES
    compiled = CompiledModel(compile_graph(model, TOKEN, options))
    device = Device()
    inputs = random_inputs(compiled, 0)
    first = compiled.run(inputs, device)
    again = compiled.run(inputs, device)
    assert first.runs[0].streamed_bytes == sum(len(plan.segments[i].data) for i in streamed)
    assert again.runs[0].kept_bytes and not again.runs[0].loaded_bytes
    for name, output in first.outputs.items():
        assert np.array_equal(output, again.outputs[name])
