"""Which reductions run over rows and columns, and what their results look like."""

from __future__ import annotations

import pytest

from compiler.frontend.reductions import reduced_picture, reduced_sides
from tests.mapping.graph_factory import GraphFactory


@pytest.mark.parametrize(
    ("source", "axes", "result", "sides", "size"),
    [
        ((1, 6, 7, 5), [1, 2], (1, 5), (True, True), (1, 1, 5)),
        ((1, 6, 7, 5), [-2, -3], (1, 1, 1, 5), (True, True), (1, 1, 5)),
        ((1, 6, 7, 5), [1], (1, 7, 5), (True, False), (1, 7, 5)),
        ((1, 6, 7, 5), [2], (1, 6, 1, 5), (False, True), (6, 1, 5)),
        ((1, 6, 7, 5), [2], (1, 6, 5), (False, True), None),
        ((1, 7, 5), [1], (1, 5), (False, True), (1, 1, 5)),
        ((1, 6, 7, 5), [0, 1], (7, 5), (True, False), (1, 7, 5)),
        ((1, 6, 7, 5), [3], (1, 6, 7), None, None),
        ((2, 6, 7, 5), [1], (2, 7, 5), None, None),
    ],
)
def test_reductions(source, axes, result, sides, size):
    factory = GraphFactory()
    image = factory.activation(*source)
    output = factory.activation(*result)
    factory.op("MEAN", [image, factory.constant(axes)], [output])
    graph = factory.graph([image], [output])
    assert reduced_sides(graph, graph.operators[0]) == sides
    assert reduced_picture(graph, graph.operators[0]) == size
