"""A QUANTIZE behind a TILE of one pixel goes in front of it."""

from __future__ import annotations

import numpy as np

from compiler.frontend.functions_first import functions_first
from compiler.frontend.graph import Graph
from compiler.frontend.tflite_reader import read_model_bytes
from tests.model_builder import ModelBuilder


def repeated(height: int = 1, *, read_twice: bool = False) -> Graph:
    """A map of `height` rows of one pixel, three times as high, requantised."""
    builder = ModelBuilder("uint8", seed=1).input("x", (1, height, 1, 8))
    times = builder.constant(np.asarray((1, 3, 1, 1), np.int32), "times")
    builder._same("TILE", [builder.last, times], (1, 3 * height, 1, 8), {})
    tiled = builder.last
    builder.quantize(output=(0.5, 7))
    if read_twice:
        builder.output(builder.last, builder.relu(source=tiled).last)
    return read_model_bytes(builder.build(), "test")


def test_the_order_turns():
    graph = repeated()
    turned = functions_first(graph, {0, 1})
    first, second = turned.operators
    assert (first.name, second.name) == ("QUANTIZE", "TILE")
    assert (first.index, second.index) == (0, 1)
    assert first.inputs == graph.operators[0].inputs[:1]
    assert second.inputs == (first.outputs[0], graph.operators[0].inputs[1])
    assert second.outputs == graph.operators[1].outputs
    pixel, result = turned.tensor(first.outputs[0]), graph.tensor(second.outputs[0])
    assert pixel.shape == (1, 1, 1, 8)
    assert pixel.quantization == result.quantization


def test_what_stays_as_it_is():
    for graph, operators in (
        (repeated(2), {0, 1}),
        (repeated(), {0}),
        (repeated(), {1}),
        (repeated(read_twice=True), {0, 1, 2}),
    ):
        assert functions_first(graph, operators) is graph
