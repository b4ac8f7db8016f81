"""The plain half of `model_builder`: tensors, constants and operators of any kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from compiler.frontend.graph import TensorType
from compiler.frontend.operator_options import expected_table

from .tflite_writer import ModelSpec, OpSpec, TensorSpec, write_model

if TYPE_CHECKING:
    from typing_extensions import Self

Scale = tuple[float, int]
"""(scale, zero point)."""
ACTIVATIONS = {"none": 0, "relu": 1, "relu_n1_to_1": 2, "relu6": 3}
NUMPY: dict[str, type[np.generic]] = {
    "int8": np.int8,
    "uint8": np.uint8,
    "int32": np.int32,
    "int64": np.int64,
}
NUMPY |= {"float32": np.float32, "int16": np.int16, "bool": np.bool_}


@dataclass(frozen=True)
class Value:
    """A handle to a tensor: `spread` is the expected root mean square of its real values."""

    index: int
    shape: tuple[int, ...]
    type: str
    scale: float = 0.0
    zero_point: int = 0
    spread: float = 1.0

    @property
    def output(self) -> Scale:
        """For `output=` of a layer that must have the same quantisation."""
        return self.scale, self.zero_point


class GraphBuilder:
    """`type`: "int8" or "uint8" activations. `per_channel` weights: by default for int8 only."""

    def __init__(self, type: str = "int8", *, seed: int = 0, per_channel: bool | None = None):  # noqa: A002
        self.type = type
        self.per_channel = type == "int8" if per_channel is None else per_channel
        self.random = np.random.default_rng(seed)
        self.model = ModelSpec()
        self._last: Value | None = None
        self._outputs: list[int] = []

    @property
    def last(self) -> Value:
        """The newest result."""
        assert self._last is not None, "call input() first"
        return self._last

    def build(self) -> bytes:
        """The .tflite file; its outputs are those marked with `output()`, or the last result."""
        return write_model(self.spec())

    def spec(self) -> ModelSpec:
        """The model as plain values, to be edited before `write_model` (damaged models)."""
        self.model.outputs = self._outputs or [self.last.index]
        return self.model

    # Tensors

    def input(
        self,
        name: str,
        shape: Sequence[int],
        type: str = "",  # noqa: A002
        scale: float = 0.02,
        zero_point: int | None = None,
    ) -> Self:
        """A graph input of real values of about +-127 scales."""
        kind = type or self.type
        zero = middle(kind) if zero_point is None else zero_point
        quantised = kind in ("int8", "uint8", "int16")
        value = self._tensor(name, shape, kind, (scale, zero) if quantised else None, 74 * scale)
        self.model.inputs.append(value.index)
        return self._set(value)

    def output(self, *values: Value) -> Self:
        """Mark `values` (default: the last result) as graph outputs, in this order."""
        self._outputs += [value.index for value in values or (self.last,)]
        return self

    def constant(
        self,
        array: np.ndarray[Any, Any],
        name: str = "constant",
        *,
        scales: Sequence[float] = (),
        zero_points: Sequence[int] = (),
        axis: int = 0,
        spread: float = 1.0,
    ) -> Value:
        """A constant tensor; quantised where `scales` are given (several: per slice of `axis`)."""
        zeros = list(zero_points) or [0] * len(scales)
        kind = next(name for name, dtype in NUMPY.items() if array.dtype == dtype)
        self.model.buffers.append(np.ascontiguousarray(array).tobytes())
        buffer = len(self.model.buffers) - 1
        value = self._tensor(name, array.shape, kind, None, spread)
        spec = self.model.tensors[value.index]
        spec.buffer, spec.axis = buffer, axis
        if scales:
            spec.scales, spec.zero_points = list(scales), zeros
            value = Value(value.index, value.shape, kind, scales[0], zeros[0], spread)
        return value

    def _tensor(
        self, name: str, shape: Sequence[int], kind: str, scale: Scale | None, spread: float
    ) -> Value:
        sizes = tuple(int(size) for size in shape)
        spec = TensorSpec(name, sizes, TensorType[kind.upper()])
        if scale is not None:
            spec.scales, spec.zero_points = [scale[0]], [scale[1]]
        self.model.tensors.append(spec)
        return Value(len(self.model.tensors) - 1, sizes, kind, *(scale or (0.0, 0)), spread)

    def _set(self, value: Value) -> Self:
        self._last = value
        return self

    def _pick(self, source: Value | None) -> Value:
        return self.last if source is None else source

    # Any operator

    def op(
        self,
        name: str,
        inputs: Sequence[Value | None],
        shape: Sequence[int],
        *,
        type: str = "",  # noqa: A002
        output: Scale | None = None,
        options: dict[str, Any] | None = None,
        version: int = 1,
        spread: float = 1.0,
        more_outputs: int = 0,
        custom_options: bytes = b"",
    ) -> Self:
        """Any builtin operator (or, with an unknown lower-case name, a custom one).

        shape, type, output: of its result; `more_outputs` further results are like it and
        come right behind it (`Value`s with the next indices). None inputs are absent ones.
        """
        kind = type or self.type
        results = [
            self._tensor(f"{name.lower()}_{len(self.model.tensors)}", shape, kind, output, spread)
            for _ in range(1 + more_outputs)
        ]
        custom = name != name.upper()
        table = None if custom else expected_table(name)
        self.model.operators.append(
            OpSpec(
                name="CUSTOM" if custom else name,
                inputs=[-1 if value is None else value.index for value in inputs],
                outputs=[value.index for value in results],
                options_type=table.name if table else "",
                options=options or {},
                version=version,
                custom_code=name if custom else "",
                custom_options=custom_options,
            )
        )
        return self._set(results[0])


def middle(kind: str) -> int:
    return 128 if kind == "uint8" else 0


def pair(value: int | tuple[int, int]) -> tuple[int, int]:
    return value if isinstance(value, tuple) else (value, value)


def out_size(size: int, window: int, stride: int, padding: str) -> int:
    covered = size if padding == "same" else size - window + 1
    return -(-covered // stride)


def window(padding: str, stride_h: int, stride_w: int) -> dict[str, Any]:
    return {
        "padding": {"same": 0, "valid": 1}[padding],
        "stride_h": stride_h,
        "stride_w": stride_w,
    }
