"""Blocks of vectors, and vectors from and to the host."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.frontend.tflite_reader import read_model_bytes
from compiler.planning.plan import TILES, WIDE_LINES
from compiler.planning.planner import plan_region
from compiler.planning.refusal import Refusal
from compiler.planning.vectors import Blocks, VectorInputStep, VectorOutputStep
from tests.model_builder import ModelBuilder


def dense(inputs: int, outputs: int = 8):
    model = ModelBuilder(seed=1).input("x", (1, inputs)).fully_connected(outputs)
    return plan_region(read_model_bytes(model.build(), "test"))


@settings(derandomize=True, deadline=None)
@given(st.integers(1, 4096))
def test_blocks_cover_the_vector_once(words):
    blocks = Blocks.spread(words)
    assert blocks.tiles <= TILES
    assert sum(blocks.size(tile) for tile in range(blocks.tiles)) == words
    masks = [mask for mask, _ in blocks.groups()]
    assert sum(masks) == blocks.mask
    for mask, size in blocks.groups():
        assert all(blocks.size(t) == size for t in range(TILES) if mask >> t & 1)


def test_a_short_vector_is_one_group():
    assert Blocks(3).groups() == ((1, 3),)


def test_input_and_output_steps():
    plan = dense(512, 100)
    first, last = plan.steps[0], plan.steps[-1]
    assert isinstance(first, VectorInputStep)
    assert isinstance(last, VectorOutputStep)
    assert (first.size, first.slot_lines, first.fifo_line) == (512, 2, WIDE_LINES - 4)
    assert (last.blocks.words, last.fifo_line) == (25, WIDE_LINES - 2)


def test_addresses_of_a_dense_model():
    plan = dense(256, 256)
    first = plan.steps[0]
    assert plan.narrow["0 vector"] == 0
    # Two slots of 64 words lie between the gathered vector and the tile's own block.
    assert plan.narrow[first.output] == 64 + 128
    assert plan.narrow[plan.steps[-1].input] == 64


@pytest.mark.parametrize("inputs", [65537, 70000])
def test_sizes_that_cannot_be_scattered(inputs):
    with pytest.raises(Refusal, match="scattered"):
        dense(inputs)
