"""Map to channel blocks: every word arrives, whatever the split, and nothing waits for ever."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.lowering.lower import Lowering
from compiler.lowering.program import Flag, MeshMove, NarrowToWide, WideToNarrow
from compiler.lowering.relayout import lower_relayout
from compiler.planning.plan import Plan
from compiler.planning.pooling import RelayoutStep
from compiler.planning.tiling import length, split
from compiler.release import RELEASE_16

from .transfer_simulator import Simulator

PLACES = {"map": 0, "rows": 10_000, "blocks": 20_000, "fifos": 40_000, "identity": 40_010}


def program(height: int, width: int, pixel_words: int):
    """The step, and its instructions cut at the fences."""
    step = RelayoutStep(
        heights=tuple(map(length, split(0, height))),
        widths=tuple(map(length, split(0, width))),
        pixel_words=pixel_words,
        input="map",
        rows="rows",
        output="blocks",
        fifos="fifos",
        identity="identity",
        identity_line=2000,
        copy_line=1990,
    )
    lowering = Lowering(Plan(RELEASE_16, (), (), PLACES))
    lower_relayout(lowering, step)
    kinds = (MeshMove, NarrowToWide, WideToNarrow)
    phases = [[]]
    for instruction in lowering.program.instructions:
        if isinstance(instruction, kinds):
            phases[-1].append(instruction)
        elif phases[-1]:
            phases.append([])
    return step, [phase for phase in phases if phase]


def check(height: int, width: int, pixel_words: int) -> None:
    step, (_identity, *phases) = program(height, width, pixel_words)
    start = {Flag.SOUTH_IN: 1, Flag.NARROW_TO_WIDE: 1}
    machine = Simulator(start)
    for tile in range(16):
        top, left = split(0, height)[tile // 4][0], split(0, width)[tile % 4][0]
        address = PLACES["map"]
        for row in range(step.heights[tile // 4]):
            for column in range(step.widths[tile % 4]):
                for word in range(pixel_words):
                    machine.narrow[tile][address] = (top + row, left + column, word)
                    address += 1
    for phase in phases:
        machine.run(phase)
        machine.flags = [type(flags)(int) for flags in machine.flags]
    for tile in range(step.blocks.tiles):
        block = step.blocks.size(tile)
        for row in range(height):
            for column in range(width):
                first = PLACES["blocks"] + (row * width + column) * block
                got = [machine.narrow[tile][first + word] for word in range(block)]
                assert got == [(row, column, 16 * tile + word) for word in range(block)]


@pytest.mark.parametrize(
    ("height", "width", "pixel_words"),
    [
        (4, 4, 64),
        (3, 2, 256),
        (5, 5, 32),
        (7, 7, 20),
        (1, 1, 16),
        (6, 6, 1),
        (9, 5, 40),
        (7, 1, 16),
        (5, 2, 16),
    ],
)
def test_every_word_arrives(height, width, pixel_words):
    check(height, width, pixel_words)


@settings(derandomize=True, deadline=None, max_examples=12)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 90))
def test_every_word_arrives_for_any_map(height, width, pixel_words):
    check(height, width, pixel_words)


def test_equal_moves_of_several_tiles_are_one_instruction():
    _, (_, vertical, horizontal) = program(4, 4, 64)
    masks = [i.tiles for i in vertical if isinstance(i, MeshMove)]
    assert any(mask.bit_count() == 4 for mask in masks)
    assert len(masks) < 40
    assert len(horizontal) < 60


def test_tiles_without_pixels_send_nothing():
    step, (_, vertical, horizontal) = program(3, 2, 64)
    assert step.widths == (1, 0, 1, 0)
    assert step.heights == (1, 1, 1, 0)
    empty = 0xAAAA | 0xF000
    senders = [i.tiles for i in vertical if isinstance(i, MeshMove) and not i.destination.levels]
    assert all(not mask & empty for mask in senders)
    assert horizontal
