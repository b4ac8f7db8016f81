"""What is too much for a scratch buffer or a counter is done in pieces, exactly; a PAD in front of
a maximum is the maximum's own."""

from __future__ import annotations

import pytest

from compiler.emulator import CompiledModel, Device, random_inputs
from compiler.planning.map_moves import MapMoveStep
from compiler.planning.multiply import ProductStep
from compiler.planning.window_pool import WindowPoolStep
from tests.emulator.compiled import compile_bytes
from tests.model_builder import ModelBuilder

from .test_movement_emulation import check, steps_of


def squashed(kind: str) -> ModelBuilder:
    """x * LOGISTIC(x), read by a window."""
    builder = ModelBuilder(kind, seed=4).input("x", (1, 23, 18, 3)).conv2d(24, 3)
    value = builder.last
    builder = builder.logistic()
    return builder.mul(value, builder.last).conv2d(8, 3)


@pytest.mark.parametrize("kind", ["int8", "uint8"])
@pytest.mark.parametrize(("words", "products"), [(4096, 1), (300, 3), (1, 6)])
def test_products_in_bands(kind, words, products, monkeypatch):
    monkeypatch.setattr("compiler.planning.multiply.MOST_SPREAD", words)
    steps = steps_of(check(squashed(kind)), ProductStep)
    assert len(steps) == products
    rows = [max(part.height for part in step.classes) for step in steps]
    assert sum(rows) == 6


def test_bands_are_free_of_hazards(monkeypatch):
    monkeypatch.setattr("compiler.planning.multiply.MOST_SPREAD", 300)
    model = CompiledModel(compile_bytes(squashed("int8").build()))
    for run in model.run(random_inputs(model, 1), Device("concurrent")).runs:
        assert [str(hazard) for hazard in run.hazards] == []


@pytest.mark.parametrize("most", [7, 20])
def test_long_messages_are_cut(most, monkeypatch):
    whole = check(_reversed_picture())
    monkeypatch.setattr("compiler.planning.map_moves.MOST_WORDS", most)
    cut = check(_reversed_picture())
    messages = [
        [message.read.words for step in steps_of(steps, MapMoveStep) for message in step.messages]
        for steps in (whole, cut)
    ]
    assert sum(messages[0]) == sum(messages[1])
    assert max(messages[0]) > most >= max(messages[1])


def _reversed_picture() -> ModelBuilder:
    builder = ModelBuilder("uint8", seed=3).input("x", (1, 13, 9, 4)).conv2d(12, 1)
    return builder.transpose((0, 2, 1, 3)).conv2d(4, 1)


@pytest.mark.parametrize("kind", ["int8", "uint8"])
@pytest.mark.parametrize("border", [((1, 1), (1, 1)), ((0, 2), (1, 0)), ((3, 0), (0, 3))])
def test_padded_maxima(kind, border):
    """The border is the zero point, which may be the largest value in a window; a maximum with
    SAME padding over the same map has none."""
    builder = ModelBuilder(kind, seed=6).input("x", (1, 14, 11, 4)).conv2d(12, 3)
    trunk = builder.last
    builder = builder.pad([(0, 0), *border, (0, 0)]).max_pool_2d(3, stride=2)
    first = builder.last
    second = builder.max_pool_2d(3, stride=1, padding="same", source=trunk).last
    steps = check(builder.output(first, second))
    assert not steps_of(steps, MapMoveStep)
    assert len(steps_of(steps, WindowPoolStep)) == 2
