"""Maps that fit into a tile, but have more pixels than a loop of an instruction counts."""

from __future__ import annotations

import pytest

from compiler.planning.pass_steps import PassInputStep
from tests.model_builder import ModelBuilder

from .test_movement_emulation import check, steps_of


@pytest.mark.parametrize("operator", ["relu", "logistic", "layer"])
def test_layers_run_in_spatial_passes(operator: str) -> None:
    """17956 pixels of a word on a tile."""
    builder = ModelBuilder("uint8", seed=2).input("x", (1, 536, 536, 1))
    if operator == "layer":
        builder.conv2d(2, 1)
    else:
        getattr(builder, operator)()
    assert steps_of(check(builder), PassInputStep)


def test_sums_have_a_loop_for_each_dimension() -> None:
    builder = ModelBuilder("uint8", seed=2).input("x", (1, 320, 420, 8))
    first = builder.last
    steps = check(builder.input("y", (1, 320, 420, 8)).add(first, builder.last))
    assert not steps_of(steps, PassInputStep)
