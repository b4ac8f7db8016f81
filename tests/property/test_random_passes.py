"""Random networks of convolutions, pools and activations on odd pictures, in spatial passes that
a small narrow memory asks for, compute what the reference says.

A small sample runs by default; EDGETPU_RANDOM_PASSES=300 asks for more.
"""

from __future__ import annotations

import os

from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.planning.refusal import Refusal
from tests.model_builder import ModelBuilder
from tests.spatial_passes import run_in_passes

EXAMPLES = int(os.environ.get("EDGETPU_RANDOM_PASSES", "15"))


@st.composite
def networks(draw: st.DrawFn) -> ModelBuilder:
    kind = draw(st.sampled_from(["int8", "uint8"]))
    height, width = draw(st.integers(20, 60)), draw(st.integers(20, 60))
    channels = draw(st.sampled_from([1, 2, 3, 4, 6, 8, 11, 12]))
    model = ModelBuilder(kind, seed=draw(st.integers(0, 9)))
    model = model.input("x", (1, height, width, channels))
    for _ in range(draw(st.integers(1, 5))):
        stride = draw(st.sampled_from([1, 1, 2]))
        kernel = draw(st.sampled_from([1, 3, 3, 5]))
        pool = draw(
            st.sampled_from(["", "", "", "max", "average", "gate", "function", "residual", "join"])
        )
        if pool == "gate":
            value = model.last
            model = model.mul(value, model.logistic(source=value).last)
        elif pool == "residual":
            value = model.last
            kernel = draw(st.sampled_from([1, 3, 5]))
            model = model.conv2d(8, kernel).conv2d(value.shape[3], 1)
            model = model.add(model.last, value)
        elif pool == "join" and model.last.shape[3] % 4 == 0:
            value = model.last
            model = model.conv2d(8, kernel, output=value.output)
            model = model.concatenation(value, model.last)
        elif pool == "function":
            model = draw(st.sampled_from([model.relu, model.tanh, model.quantize]))()
        elif pool in ("max", "average"):
            kernel, padding = draw(st.integers(2, 3)), draw(st.sampled_from(["same", "valid"]))
            build = model.max_pool_2d if pool == "max" else model.average_pool_2d
            model = build(kernel, stride=stride, padding=padding)
        elif draw(st.booleans()) and model.last.shape[3] > 1:
            model = model.depthwise_conv2d(kernel, stride=stride)
        else:
            outputs = draw(st.sampled_from([1, 3, 4, 8, 18, 24, 72]))
            model = model.conv2d(outputs, kernel, stride=stride)
        if min(model.last.shape[1:3]) < 3:
            break
    return model


@settings(derandomize=True, deadline=None, max_examples=EXAMPLES)
@given(networks(), st.integers(3, 9))
def test_random_passes_compute_the_reference(model: ModelBuilder, tenths: int) -> None:
    """The memory holds so many tenths of what the network would like."""
    data = model.build()
    wanted = _wanted_words(data)
    words = max(320, wanted * tenths // 10)
    try:
        run = run_in_passes(data, words)
    except Refusal as refusal:
        assert refusal.op is not None
        return
    assert run.differing == 0


def _wanted_words(data: bytes) -> int:
    from compiler.frontend.tflite_reader import read_model_bytes
    from tests.spatial_passes import small_plan

    plan = small_plan(read_model_bytes(data, "test"), 49152)
    return max(plan.narrow[b.name] + b.words for b in plan.buffers)
