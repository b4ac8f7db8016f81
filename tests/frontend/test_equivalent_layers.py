"""Sums over channels and products with a constant for each channel become convolutions."""

from __future__ import annotations

import numpy as np
import pytest

from compiler.frontend.equivalent_layers import as_layers
from compiler.frontend.graph import Graph
from compiler.frontend.tflite_reader import read_model_bytes
from tests.model_builder import ModelBuilder


def picture() -> ModelBuilder:
    return ModelBuilder("int8", seed=3).input("x", (1, 9, 6, 4)).conv2d(12, 1)


def times(builder: ModelBuilder, shape: tuple[int, ...], *, equal: bool = False) -> ModelBuilder:
    codes = np.random.default_rng(2).integers(0, 100, shape)
    array = (0 * codes + 7 if equal else codes).astype(np.int8)
    factors = builder.constant(array, scales=[0.01], zero_points=[3])
    return builder.mul(factors, builder.last, activation="relu6")


def graph_of(builder: ModelBuilder) -> Graph:
    return read_model_bytes(builder.build(), "test")


def test_what_becomes_a_layer() -> None:
    graph = graph_of(times(picture(), (1, 1, 1, 12)))
    changed = as_layers(graph, {0, 1})
    layer = changed.operators[1]
    assert layer.name == "DEPTHWISE_CONV_2D"
    assert layer.inputs == (graph.operators[1].inputs[1], len(graph.tensors))
    assert layer.options["fused_activation_function"] == 3
    assert changed.tensors[-1].shape == (1, 1, 1, 12)
    assert as_layers(graph, {0}) is graph


@pytest.mark.parametrize(
    ("shape", "equal"), [((12,), True), ((6, 12), False), ((1, 9, 6, 12), False), ((), False)]
)
def test_what_stays(shape: tuple[int, ...], equal: bool) -> None:
    graph = graph_of(times(picture(), shape, equal=equal))
    assert as_layers(graph, {0, 1}) is graph
