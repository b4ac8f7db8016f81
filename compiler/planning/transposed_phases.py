"""A transposed convolution as ordinary ones: outputs that are a stride apart read the same taps.

y = stride * input - before + tap, so the outputs of one remainder of (y + before) / stride are a
convolution of stride 1 with every stride-th tap, last tap first. Reads the Graph level. Facts:
docs/format/convolution.md, "Transposed convolutions".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

from ..fast_dataclass import dataclass
from ..frontend.graph import Graph, Operator
from .tiling import Interval, Window

SOURCE = 2
"""Operand that is the input."""
_SAME = 0
"""Padding.SAME of the schema."""


@dataclass(frozen=True, slots=True)
class AxisPhase:
    """Outputs `first`, `first + step`, ... of an axis, `count` in all. taps: places in the filter
    under the window's taps, in order; (): no weight reaches these outputs, and the window is one
    tap that weighs nothing."""

    first: int
    step: int
    count: int
    window: Window
    taps: tuple[int, ...]

    def inside(self, outputs: Interval) -> Interval:
        """Numbers of the phase's outputs among the outputs [a, b)."""
        low, high = outputs
        return -((self.first - low) // self.step), -((self.first - high) // self.step)


@dataclass(frozen=True, slots=True)
class Phase:
    """One of the convolutions."""

    rows: AxisPhase
    columns: AxisPhase

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of its outputs."""
        return self.rows.count, self.columns.count


def as_convolution(op: Operator) -> Operator:
    """The operator with the operands of a CONV_2D: input, filter, bias."""
    return replace(op, inputs=(op.inputs[SOURCE], op.inputs[1], *op.inputs[SOURCE + 1 :]))


def phases(graph: Graph, op: Operator) -> tuple[Phase, ...]:
    """The convolutions of a TRANSPOSE_CONV, by their first outputs."""
    size, kernel = graph.tensor(op.outputs[0]).shape[1:3], graph.tensor(op.inputs[1]).shape[1:3]
    axes = []
    for axis, letter in enumerate("hw"):
        stride = op.options.get(f"stride_{letter}", 1) or 1
        before = 0
        if op.options.get("padding", 0) == _SAME:
            inputs = -(-size[axis] // stride)
            before = max((inputs - 1) * stride + kernel[axis] - size[axis], 0) // 2
        axes.append(tuple(_axis_phases(size[axis], kernel[axis], stride, before)))
    return tuple(Phase(*pair) for pair in product(*axes))


def _axis_phases(outputs: int, kernel: int, stride: int, before: int) -> Iterator[AxisPhase]:
    for first in range(min(stride, outputs)):
        earlier, residue = divmod(first + before, stride)
        taps = tuple(reversed(range(residue, kernel, stride)))
        window = Window(len(taps), before=len(taps) - 1 - earlier) if taps else Window()
        yield AxisPhase(first, stride, -(-(outputs - first) // stride), window, taps)
