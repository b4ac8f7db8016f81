"""UNIDIRECTIONAL_SEQUENCE_LSTM for `model_builder`."""

from __future__ import annotations

import numpy as np

from .model_builder import ModelBuilder
from .model_core import Value

CELL_SCALE = 2.0**-12
HIDDEN_SCALE = 1 / 128


def state(builder: ModelBuilder, name: str, units: int, kind: str, scale: tuple[float, int]):
    """A variable tensor."""
    value = builder._tensor(name, (1, units), kind, scale, 1.0)
    builder.model.tensors[value.index].is_variable = True
    return value


def add_lstm(
    builder: ModelBuilder,
    units: int,
    *,
    hidden: tuple[float, int] = (HIDDEN_SCALE, -1),
    cell_scale: float = CELL_SCALE,
    clip: float = 10.0,
    bias: bool = True,
    source: Value | None = None,
) -> ModelBuilder:
    """An LSTM over [1, steps, inputs], with random weights."""
    value = source or builder.last
    steps, inputs = value.shape[1:]
    matrices, biases = [], []
    for depth in [inputs] * 4 + [units] * 4:
        raw = builder.random.integers(-127, 128, (units, depth)).astype(np.int8)
        scale = float(np.float32(2.0 / 127 / np.sqrt(depth) * builder.random.uniform(0.5, 1.5)))
        matrices.append(builder.constant(raw, "weights", scales=[scale], zero_points=[0]))
    for gate in range(4):
        scale = float(np.float32(value.scale * matrices[gate].scale))
        real = builder.random.normal(0, 0.5 if bias else 0, units) / scale
        raw = np.rint(real).astype(np.int32)
        biases.append(builder.constant(raw, "bias", scales=[scale], zero_points=[0]))
    number = len(builder.model.tensors)
    states = (
        state(builder, f"hidden_{number}", units, "int8", hidden),
        state(builder, f"cell_{number}", units, "int16", (cell_scale, 0)),
    )
    options = {
        "fused_activation_function": 4,
        "cell_clip": clip,
        "proj_clip": 0.0,
        "time_major": False,
        "asymmetric_quantize_inputs": False,
        "diagonal_recurrent_tensors": False,
    }
    inputs_ = [value, *matrices, *[None] * 3, *biases, None, None, *states, *[None] * 4]
    return builder.op(
        "UNIDIRECTIONAL_SEQUENCE_LSTM",
        inputs_,
        (1, steps, units),
        output=hidden,
        options=options,
        version=3,
    )


def add_step(
    builder: ModelBuilder, step: int, *, keep: bool = False, source: Value | None = None
) -> ModelBuilder:
    """STRIDED_SLICE that takes one step (negative: from the end)."""
    value = source or builder.last
    end = [0, step + 1, 0]
    bounds = ([0, step, 0], end, [1, 1, 1])
    constants = [builder.constant(np.array(values, np.int32), "bound") for values in bounds]
    options = {
        "begin_mask": 5,
        "end_mask": 5 if step != -1 else 7,
        "ellipsis_mask": 0,
        "new_axis_mask": 0,
        "shrink_axis_mask": 0 if keep else 2,
    }
    units = value.shape[2]
    shape = (1, 1, units) if keep else (1, units)
    return builder.op(
        "STRIDED_SLICE", [value, *constants], shape, output=value.output, options=options
    )
