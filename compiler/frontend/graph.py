"""Graph level: what the TensorFlow Lite file says, nothing more.

Written by `frontend.tflite_reader`, read by `mapping` and, for the outer model, by `emit`.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any

from ..errors import InternalError
from ..fast_dataclass import dataclass

if TYPE_CHECKING:
    import numpy as np


SIGNED_OFFSET = 128
"""The chip computes on unsigned bytes: an int8 value q is stored as q + 128."""


class TensorType(enum.IntEnum):
    """Element types, numbered as in the TFLite schema."""

    FLOAT32 = 0
    FLOAT16 = 1
    INT32 = 2
    UINT8 = 3
    INT64 = 4
    STRING = 5
    BOOL = 6
    INT16 = 7
    COMPLEX64 = 8
    INT8 = 9
    FLOAT64 = 10
    COMPLEX128 = 11
    UINT64 = 12
    RESOURCE = 13
    VARIANT = 14
    UINT32 = 15
    UINT16 = 16
    INT4 = 17
    BFLOAT16 = 18


@dataclass(frozen=True, slots=True)
class Quantization:
    """real = scale * (quantised - zero_point), per tensor or per slice of `axis`.

    `scales` are the file's float32 values, held exactly in Python floats.
    """

    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    axis: int = 0

    @property
    def per_channel(self) -> bool:
        return len(self.scales) > 1


@dataclass(frozen=True, slots=True, eq=False)
class Tensor:
    """One tensor. `data` is a read-only array of the constant's elements in `shape`
    (flat bytes where the stored size does not fit the shape), None for activations."""

    index: int
    name: str
    shape: tuple[int, ...]
    type: TensorType
    quantization: Quantization | None = None
    data: np.ndarray[Any, Any] | None = None
    is_variable: bool = False
    shape_signature: tuple[int, ...] = ()

    @property
    def is_constant(self) -> bool:
        return self.data is not None

    @property
    def is_dynamic(self) -> bool:
        return any(size < 0 for size in (*self.shape, *self.shape_signature))


@dataclass(frozen=True, slots=True, eq=False)
class Operator:
    """One operator. `name` is the BuiltinOperator's name (`CUSTOM` for custom ones);
    an absent optional input is -1; `options` holds every field of the builtin options
    table under its schema name (defaults filled in), `options_type` that table's name;
    `intermediates` are tensors that only give the quantisation of sums inside the operator
    (UNIDIRECTIONAL_SEQUENCE_LSTM has five)."""

    index: int
    name: str
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options_type: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    custom_code: str = ""
    custom_options: bytes = b""
    intermediates: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """Subgraph 0 of a model in execution order. `source` is the file name for messages."""

    source: str
    name: str
    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    def tensor(self, index: int) -> Tensor:
        return self.tensors[index]

    def producers(self) -> dict[int, int]:
        """Tensor index -> index of the operator that writes it."""
        return {t: op.index for op in self.operators for t in op.outputs}

    def consumers(self) -> dict[int, list[int]]:
        """Tensor index -> indices of the operators that read it, ascending."""
        out: dict[int, list[int]] = {}
        for op in self.operators:
            for t in sorted(set(op.inputs)):
                if t >= 0:
                    out.setdefault(t, []).append(op.index)
        return out

    def verify(self) -> None:
        """Raise InternalError unless indices are in range and each tensor has one writer."""
        count = len(self.tensors)
        written: set[int] = set()
        for i, tensor in enumerate(self.tensors):
            if tensor.index != i:
                raise InternalError(f"tensor {i} carries index {tensor.index}")
        for op in self.operators:
            for t in (*op.inputs, *op.outputs):
                if not -1 <= t < count:
                    raise InternalError(f"operator {op.index} names tensor {t} of {count}")
            for t in op.outputs:
                if t in written:
                    raise InternalError(f"tensor {t} is written twice")
                written.add(t)

    def text(self) -> str:
        """The level's printed form (`--dump-ir=graph`)."""
        lines = [f'graph "{self.name}"']
        for label, indices in (("inputs", self.inputs), ("outputs", self.outputs)):
            lines.append(f"  {label} " + " ".join(f"%{t}" for t in indices))
        for tensor in self.tensors:
            lines.append("  " + _tensor_text(tensor))
        for op in self.operators:
            lines.append("  " + _operator_text(op))
        return "\n".join(lines) + "\n"


def _tensor_text(tensor: Tensor) -> str:
    shape = "x".join(str(size) for size in tensor.shape) or "scalar"
    text = f"%{tensor.index} {tensor.type.name.lower()}[{shape}]"
    q = tensor.quantization
    if q is not None and q.per_channel:
        text += f" scales={len(q.scales)} axis={q.axis}"
    elif q is not None and q.scales:
        text += f" scale={q.scales[0]!r} zero_point={q.zero_points[0]}"
    if tensor.is_constant:
        text += " constant"
    if tensor.is_variable:
        text += " variable"
    return f'{text} "{tensor.name}"'


def _operator_text(op: Operator) -> str:
    results = ", ".join(f"%{t}" for t in op.outputs)
    operands = ", ".join(f"%{t}" if t >= 0 else "-" for t in op.inputs)
    options = " ".join(f"{k}={v}" for k, v in sorted(op.options.items()))
    name = f"CUSTOM:{op.custom_code}" if op.name == "CUSTOM" else op.name
    return f"#{op.index} {results} = {name}({operands}) {options}".rstrip()
