"""A map that becomes a line of pixels: what the first tile of each row collects, and what tiles
hand on. The maps are those of vendor programs (heads of an SSD)."""

from __future__ import annotations

import pytest

from compiler.frontend.tflite_reader import read_model_bytes
from compiler.planning.line_reshape import LineReshapeStep
from compiler.planning.map_moves import MapMoveStep
from compiler.planning.pass_steps import CollectStep
from compiler.planning.planner import plan_region
from tests.model_builder import ModelBuilder


def reshaped(size: int, channels: int, shape: tuple[int, ...]) -> LineReshapeStep:
    builder = ModelBuilder("uint8").input("x", (1, size, size, 8)).conv2d(channels, 1)
    plan = plan_region(read_model_bytes(builder.reshape(shape).build(), "model"))
    (step,) = (step for step in plan.steps if isinstance(step, LineReshapeStep))
    return step


def words(step: LineReshapeStep) -> list[tuple[int, int, int]]:
    return [(h.start, h.end, h.words[1] - h.words[0]) for h in step.handed]


def test_whole_rows_travel() -> None:
    """[10, 10, 24] -> [600, 4]: 150 words a tile, rows of 60."""
    step = reshaped(10, 24, (1, 600, 1, 4))
    assert step.parts == ((0, 150), (150, 300), (300, 450), (450, 600))
    assert step.held == ((0, 180), (120, 300), (300, 480), (420, 600))
    assert words(step) == [(0, 1, 60), (2, 3, 60)]


def test_pixels_of_one_row_travel() -> None:
    """[2, 2, 24] -> [24, 4]: the second pixel of each row."""
    step = reshaped(2, 24, (1, 24, 1, 4))
    assert words(step) == [(0, 1, 6), (2, 3, 6)]
    assert step.held == ((0, 12), (6, 12), (12, 24), (18, 24))


def test_tiles_without_rows_collect_what_they_need() -> None:
    """[3, 3, 24] -> [54, 4]."""
    step = reshaped(3, 24, (1, 54, 1, 4))
    assert words(step) == [(0, 1, 18), (1, 2, 18), (2, 3, 18)]
    assert step.held[3] == (36, 54)


def test_a_row_of_pixels_is_cut_from_the_first_tile() -> None:
    """[5, 5, 552] -> [150, 92]."""
    step = reshaped(5, 552, (1, 150, 92))
    assert step.held == ((0, 3450), (1380, 2070), (2070, 2760), (2760, 3450))
    assert not step.handed
    assert [(last - first) // 23 for first, last in step.parts] == [38, 37, 38, 37]


@pytest.mark.parametrize(("kernel", "size"), [(3, 8), (1, 64)])
def test_others_travel_over_the_ring(kernel: int, size: int) -> None:
    """A line with a halo; more words than the first tile may collect."""
    builder = ModelBuilder("uint8").input("x", (1, size, size, 8)).conv2d(32, 1)
    builder.reshape((1, 1, size * size, 32))
    builder.conv2d(4, (1, kernel)) if kernel > 1 else builder.relu()
    plan = plan_region(read_model_bytes(builder.build(), "model"))
    assert not [step for step in plan.steps if isinstance(step, LineReshapeStep)]
    assert [step for step in plan.steps if isinstance(step, MapMoveStep)]


def test_lines_are_joined_end_to_end() -> None:
    """Two lines of 12 and 5 pixels: 5, 4, 4, 4 a tile."""
    builder = ModelBuilder("int8").input("x", (1, 4, 3, 8)).conv2d(8, 1, output=(0.05, 0))
    first = builder.reshape((1, 12, 8)).last
    builder.input("y", (1, 1, 5, 8)).conv2d(8, 1, output=(0.05, 0))
    builder.concatenation(first, builder.reshape((1, 5, 8)).last, axis=1)
    plan = plan_region(read_model_bytes(builder.build(), "model"))
    (step,) = (step for step in plan.steps if isinstance(step, CollectStep))
    copied = [[(c.width, c.tiles) for c in move.relayout.copies()] for move in step.moves]
    assert copied == [[(3, 0x1), (1, 0x2)], [(1, 0x8)]]
