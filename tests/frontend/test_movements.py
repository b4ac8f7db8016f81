"""Operators that move words, as boxes."""

from __future__ import annotations

import pytest

from compiler.frontend.graph import Graph
from compiler.frontend.movement import Movement, picture
from compiler.frontend.movements import movements
from tests.mapping.graph_factory import GraphFactory


def described(name, sources, outputs, numbers=(), **options):
    """Movements of one operator; tensors are numbered sources first."""
    factory = GraphFactory()
    inputs = [factory.activation(*shape) for shape in sources]
    results = [factory.activation(*shape) for shape in outputs]
    constants = [factory.constant(list(values)) for values in numbers]
    split = name == "SPLIT"
    operands = [*constants, *inputs] if split else [*inputs, *constants]
    factory.op(name, operands, results, **options)
    graph: Graph = factory.graph(inputs, results)
    return movements(graph, graph.operators[0])


def test_pictures():
    assert picture((1, 4, 5, 6)) == (4, 5, 6)
    assert picture((6,)) == (1, 1, 6)
    assert picture((2, 4, 5, 6)) is None


def test_slices():
    numbers = [(0, 1, 2, 4), (1, 3, -1, 8)]
    (found,) = described("SLICE", [(1, 6, 7, 16)], [(1, 3, 5, 8)], numbers)
    assert found == Movement(0, 1, (3, 5, 2), start=(1, 2, 1))
    numbers = [(0, 1, 2, 2), (1, 3, 5, 8)]
    assert described("SLICE", [(1, 6, 7, 16)], [(1, 3, 5, 8)], numbers) is None


def test_strided_slices():
    numbers = [(0, 1, 0, 0), (1, 6, 7, 8), (1, 2, 3, 1)]
    (found,) = described("STRIDED_SLICE", [(1, 6, 7, 8)], [(1, 3, 3, 8)], numbers)
    assert found == Movement(0, 1, (3, 3, 2), start=(1, 0, 0), stride=(2, 3))


def test_splits():
    parts = [(1, 6, 7, 4)] * 3
    found = described("SPLIT", [(1, 6, 7, 12)], parts, [(3,)])
    assert [movement.start for movement in found] == [(0, 0, 0), (0, 0, 1), (0, 0, 2)]
    assert described("SPLIT", [(1, 6, 7, 6)], [(1, 6, 7, 3)] * 2, [(3,)]) is None


@pytest.mark.parametrize(
    ("axis", "output", "target"),
    [(1, (1, 4, 3, 8), (2, 0, 0)), (2, (1, 2, 6, 8), (0, 3, 0)), (3, (1, 2, 3, 16), (0, 0, 2))],
)
def test_joins(axis, output, target):
    first, second = described("CONCATENATION", [(1, 2, 3, 8)] * 2, [output], axis=axis)
    assert first == Movement(0, 2, (2, 3, 2))
    assert second == Movement(1, 2, (2, 3, 2), target=target)


def test_joins_inside_a_word():
    assert described("CONCATENATION", [(1, 2, 3, 6)] * 2, [(1, 2, 3, 12)], axis=3) is None


def test_transpositions():
    (found,) = described("TRANSPOSE", [(1, 2, 3, 8)], [(1, 3, 2, 8)], [(0, 2, 1, 3)])
    assert found == Movement(0, 1, (3, 2, 2), swapped=True)
    assert described("TRANSPOSE", [(1, 2, 3, 8)], [(1, 8, 3, 2)], [(0, 3, 2, 1)]) is None


def test_depth():
    found = described("SPACE_TO_DEPTH", [(1, 4, 6, 4)], [(1, 2, 3, 16)], block_size=2)
    assert found[3] == Movement(0, 1, (2, 3, 1), (1, 1, 0), (0, 0, 3), (2, 2))


def test_nearest_pixels():
    def resized(before, after, **options):
        size = (1, after, 1, 4)
        return described(
            "RESIZE_NEAREST_NEIGHBOR", [(1, before, 1, 4)], [size], [size[1:3]], **options
        )

    assert resized(3, 6) == (
        Movement(0, 1, (3, 1, 1), spread=(2, 1)),
        Movement(0, 1, (3, 1, 1), target=(1, 0, 0), spread=(2, 1)),
    )
    assert resized(6, 3) == (Movement(0, 1, (3, 1, 1), stride=(2, 1)),)
    assert resized(6, 3, half_pixel_centers=True) == (
        Movement(0, 1, (3, 1, 1), start=(1, 0, 0), stride=(2, 1)),
    )
    found = resized(3, 4)  # rows 0, 0, 1, 2
    assert [(m.target[0], m.start[0], m.size[0], m.stride[0]) for m in found] == [
        (0, 0, 2, 0),
        (2, 1, 1, 0),
        (3, 2, 1, 0),
    ]
    assert [m.start[0] for m in resized(4, 7, align_corners=True)] == [0, 1, 2, 3]


def test_tiles():
    (found,) = described("TILE", [(1, 1, 1, 8)], [(1, 4, 5, 8)], [(1, 4, 5, 1)])
    assert found == Movement(0, 1, (4, 5, 2), stride=(0, 0))
    found = described("TILE", [(1, 2, 1, 8)], [(1, 4, 5, 8)], [(1, 2, 5, 1)])
    assert found == (
        Movement(0, 1, (2, 5, 2), stride=(1, 0)),
        Movement(0, 1, (2, 5, 2), target=(2, 0, 0), stride=(1, 0)),
    )


def test_borders():
    (found,) = described("PAD", [(1, 2, 3, 3)], [(1, 5, 3, 3)], [(0, 0, 1, 2, 0, 0, 0, 0)])
    assert found == Movement(0, 1, (2, 3, 1), target=(1, 0, 0))
    assert described("PAD", [(1, 2, 3, 3)], [(1, 2, 3, 5)], [(0, 0, 0, 0, 0, 0, 0, 2)]) is None
