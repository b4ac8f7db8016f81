"""FULLY_CONNECTED, SOFTMAX and LOGISTIC: constants, lines and refusals."""

from __future__ import annotations

import numpy as np
import pytest

from compiler.float32 import single
from compiler.frontend.tflite_reader import read_model_bytes
from compiler.planning.fully_connected import FullyConnectedStep, GatherStep
from compiler.planning.logistic import LogisticStep
from compiler.planning.planner import Region, plan_region
from compiler.planning.pooling import RelayoutStep
from compiler.planning.refusal import Refusal
from compiler.planning.requantization import clamps
from compiler.planning.softmax import SoftmaxStep
from compiler.planning.softmax_area import input_words, work_words
from compiler.planning.vector_copy import VectorCopyStep
from compiler.planning.wide_memory import IDENTITY_LINE
from tests.model_builder import ModelBuilder


def planned(builder: ModelBuilder):
    return plan_region(read_model_bytes(builder.build(), "test"))


def vector(size: int = 64, **more) -> ModelBuilder:
    return ModelBuilder(seed=1, **more).input("x", (1, size))


def pooled() -> ModelBuilder:
    builder = ModelBuilder("uint8", seed=1).input("x", (1, 16, 16, 4))
    return builder.conv2d(64, 3).mean()


def only(plan, kind):
    (step,) = (step for step in plan.steps if isinstance(step, kind))
    return step


def test_constants_are_float32_arithmetic():
    rng = np.random.default_rng(0)
    for scale, zero in zip(rng.uniform(1e-4, 1, 200).astype(np.float32), range(200), strict=True):
        inverse = np.float32(1) / scale
        high = np.float32(np.float32(255 - zero) * scale) * inverse
        low = np.float32(np.float32(-zero) * scale) * inverse
        assert clamps(float(scale), zero) == (float(high), float(low))
        assert single(1 / float(scale)) == float(inverse)


def test_a_relu_is_a_clamp():
    free, clamped = (
        only(planned(vector().fully_connected(8, activation=a)), FullyConnectedStep)
        for a in ("none", "relu")
    )
    assert free.output_scaling.clamp_min < 0
    assert clamped.output_scaling.clamp_min == 0.0


def test_reserved_lines_of_a_resident_layer():
    step = only(planned(vector().fully_connected(8)), FullyConnectedStep)
    # Two chunks of 32 lines, and twice the header with a chunk behind it.
    assert step.lowest_line == 2080 - (64 + 2 * len(step.headers) + 32)


def test_one_block_a_tile():
    plan = planned(vector().fully_connected(130))
    assert only(plan, GatherStep).readers == 0b111
    step = only(plan, FullyConnectedStep)
    (pieces,) = (plan.placement[i] for i in step.segments)
    assert [piece.tile for piece in pieces] == [0, 1, 2]


@pytest.mark.parametrize("elements", [1, 2, 3, 10, 64, 65, 100, 1000, 1001, 1003])
def test_softmax_buffers(elements):
    plan = planned(pooled().fully_connected(elements).softmax())
    step = only(plan, SoftmaxStep)
    assert step.masked == (elements % 4 != 0)
    sizes = {buffer.name: buffer.words for buffer in plan.buffers}
    assert sizes[step.work] == work_words(elements)
    assert sizes[step.input] == input_words(elements)
    if step.masked:
        assert step.result == step.work
        assert step.result_offset + 16 <= work_words(elements)
    else:
        assert step.result != step.work
    assert step.identity == ""
    assert not step.identity_late
    assert len(step.segments) == (0 if elements % 4 == 0 else 3 + (elements > 64))


def test_softmax_input_lies_behind_its_work_area():
    plan = planned(pooled().fully_connected(1001).softmax())
    step = only(plan, SoftmaxStep)
    assert plan.narrow[step.work] == 0
    assert plan.narrow[step.input] == 3 * 251


def test_without_a_relayout_the_identity_is_made():
    plan = planned(vector().fully_connected(10).softmax())
    assert only(plan, SoftmaxStep).identity in plan.narrow
    plan = planned(vector().fully_connected(10).logistic())
    assert only(plan, LogisticStep).identity in plan.narrow


def test_logistic_moves_the_identity_below_everything():
    plan = planned(pooled().fully_connected(10).logistic())
    relayout, step = only(plan, RelayoutStep), only(plan, LogisticStep)
    assert relayout.identity_line == step.identity_line == plan.capacity
    assert step.identity_line < IDENTITY_LINE
    others = [s.lowest_line for s in plan.steps if s not in (relayout, step)]
    assert step.identity_line == min(others) - 1


def test_only_one_logistic_uses_the_moved_identity():
    builder = pooled()
    trunk = builder.last
    builder.fully_connected(10).logistic()
    left = builder.last
    builder.fully_connected(12, source=trunk).logistic().output(left, builder.last)
    plan = planned(builder)
    first, second = (step for step in plan.steps if isinstance(step, LogisticStep))
    assert only(plan, RelayoutStep).identity_line == first.identity_line
    assert first.identity == ""
    assert second.identity != ""


def test_values_that_something_else_needs_are_not_overwritten():
    for elements in (12, 13):
        builder = vector().fully_connected(elements)
        logits = builder.last
        plan = planned(builder.softmax().output(logits, builder.last))
        copy = only(plan, VectorCopyStep)
        assert only(plan, SoftmaxStep).input == copy.output != copy.input


def test_softmax_of_several_vectors():
    graph = read_model_bytes(vector().fully_connected(12).reshape((3, 4)).softmax().build(), "test")
    region = Region(tuple(op.index for op in graph.operators), graph.inputs, graph.outputs)
    with pytest.raises(Refusal, match="several vectors"):
        plan_region(graph, region)


def test_more_outputs_than_tiles_hold():
    with pytest.raises(Refusal, match="outputs"):
        planned(vector().fully_connected(65540))
