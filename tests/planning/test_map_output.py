"""Map outputs: rectangles, alignment, and rounds of collected words."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.frontend.tflite_reader import read_model_bytes
from compiler.planning.map_output import COLLECTED_WORDS, LINE_WORDS, MapOutputStep, collect
from compiler.planning.planner import plan_region
from compiler.planning.tiling import length, split
from tests.model_builder import ModelBuilder

STABLE = settings(derandomize=True, deadline=None, max_examples=60)


def tile_words(height, width, pixel):
    return {
        4 * y + x: length(rows) * length(columns) * pixel
        for y, rows in enumerate(split(0, height))
        for x, columns in enumerate(split(0, width))
        if length(rows) * length(columns)
    }


def test_rounds_of_known_outputs():
    """33 x 33 pixels of 1, 5 and 9 words, as in known programs."""
    rounds = [
        [(batch.words, batch.left) for batch in collect(tile_words(33, 33, pixel))]
        for pixel in (1, 5, 9)
    ]
    assert rounds == [[(1089, 0)], [(4056, 5), (1389, 0)], [(4088, 1), (4048, 1), (1665, 0)]]


@STABLE
@given(st.integers(1, 70), st.integers(1, 70), st.integers(1, 20))
def test_rounds_carry_every_word_once(height, width, pixel):
    words = tile_words(height, width, pixel)
    batches = collect(words)
    collected = dict.fromkeys(words, 0)
    position = 0
    for batch in batches:
        for portion in batch.portions:
            assert portion.position == position
            assert portion.first == (collected[portion.tile] == 0)
            collected[portion.tile] += portion.words
            position += portion.words
            if collected[portion.tile] < words[portion.tile]:
                assert portion.words % LINE_WORDS == 0
        assert position <= COLLECTED_WORDS
        assert position == batch.words + batch.left
        position = batch.left
    assert collected == words
    assert all(batch.words % 8 == 0 for batch in batches[:-1])


def output_step(height, width, channels) -> MapOutputStep:
    builder = ModelBuilder().input("x", (1, height, width, 4)).conv2d(channels, 1)
    step = plan_region(read_model_bytes(builder.build(), "test")).steps[-1]
    assert isinstance(step, MapOutputStep)
    return step


def test_even_words_leave_without_collecting():
    step = output_step(7, 8, 8)
    assert step.batches == ()
    assert step.size == 7 * 8 * 8
    assert len(step.rectangles) == 2


def test_only_tiles_in_front_of_others_must_be_even():
    assert output_step(1, 2, 4).batches  # one word a tile
    assert not output_step(1, 2, 8).batches


def test_odd_words_are_collected():
    step = output_step(5, 5, 4)
    assert [batch.words for batch in step.batches] == [25]
    assert step.size == 104
