"""The windows of pools and reductions over rows and columns, and what becomes of their sums.

Reads the Graph level through the planner. Facts: docs/format/pooling.md.
"""

from __future__ import annotations

from ..float32 import single
from ..frontend.graph import Operator
from ..frontend.movement import picture
from ..frontend.reductions import REDUCTIONS, reduced_picture, reduced_sides
from .builder import PlanBuilder
from .convolution import ConvolutionWindow
from .dataflow import scale, zero_point
from .refusal import Refusal
from .requantization import Requantization, activation_range, requantization
from .tiling import Interval, Window, same_padding

_SAME = 0
"""Padding.SAME of the schema."""
MOST_LINES = 1800
"""Wide lines a pool may fill with pixel planes."""


def takes_maximum(op: Operator) -> bool:
    """Whether the result is the largest value of a window (a REDUCE_MIN's of a negated one), not
    a sum."""
    return op.name in ("MAX_POOL_2D", "REDUCE_MAX", "REDUCE_MIN")


def pool_window(planner: PlanBuilder, op: Operator) -> ConvolutionWindow:
    """The windows along rows and columns, with their padding and that of a fused PAD."""
    if op.name in REDUCTIONS:
        return _reduction_window(planner, op)
    size, result = (planner.graph.tensor(t).shape[1:3] for t in (op.inputs[0], op.outputs[0]))
    pad = planner.dataflow.pads.get(op.inputs[0])
    axes = []
    for axis, (letter, name) in enumerate((("h", "height"), ("w", "width"))):
        kernel, stride = op.options[f"filter_{name}"], op.options[f"stride_{letter}"]
        before = pad.before[axis] if pad else 0
        if op.options.get("padding", 0) == _SAME:
            before += same_padding(size[axis], result[axis], kernel, stride, 1)
        axes.append(Window(kernel, stride, 1, before))
    return ConvolutionWindow(*axes)


def _reduction_window(planner: PlanBuilder, op: Operator) -> ConvolutionWindow:
    source = picture(planner.graph.tensor(op.inputs[0]).shape)
    sides = reduced_sides(planner.graph, op)
    if source is None or sides is None:
        raise Refusal(op.index, f"{op.name} over other axes than rows and columns")
    kernels = (size if side else 1 for side, size in zip(sides, source[:2], strict=True))
    return ConvolutionWindow(*map(Window, kernels))


def output_size(planner: PlanBuilder, op: Operator) -> tuple[int, int]:
    """Rows and columns of the result, whatever its shape where it has one of each."""
    if op.name in REDUCTIONS:
        result = reduced_picture(planner.graph, op)
        return (0, 0) if result is None else result[:2]
    height, width = planner.graph.tensor(op.outputs[0]).shape[1:3]
    return height, width


def output_extent(planner: PlanBuilder, op: Operator) -> tuple[Interval, Interval]:
    """Rows and columns of the result that the planner's operators make."""
    if not planner.is_whole:
        return planner.extent(planner.dataflow.source(op.outputs[0]))
    height, width = output_size(planner, op)
    return (0, height), (0, width)


def pools_by_parts(planner: PlanBuilder, op: Operator) -> bool:
    """Whether the operator can run on a part of its map: a pool with more than one result."""
    return op.name not in REDUCTIONS and output_size(planner, op) != (1, 1)


def covers_map(planner: PlanBuilder, op: Operator) -> bool:
    """Whether one window is the whole map."""
    size = picture(planner.graph.tensor(op.inputs[0]).shape)
    if size is None or output_size(planner, op) != (1, 1):
        return False
    window = pool_window(planner, op)
    read = window.rows.reads((0, 1)), window.columns.reads((0, 1))
    return read == ((0, size[0]), (0, size[1]))


def pool_scaling(planner: PlanBuilder, op: Operator, count: int) -> Requantization:
    """Sum of `count` pixels -> average or sum; a maximum takes bytes as they are."""
    limits = activation_range(op.options.get("fused_activation_function", 0))
    if limits is None:
        raise Refusal(op.index, f"{op.name} with this fused activation is unknown")
    source, output = (planner.graph.tensor(t) for t in (op.inputs[0], op.outputs[0]))
    if not takes_maximum(op):
        share = single(1 / (1 if op.name == "SUM" else count))
        return requantization(single(scale(source) * share), output, limits)
    if (scale(source), zero_point(source)) != (scale(output), zero_point(output)):
        raise Refusal(op.index, f"{op.name} that changes the quantisation is not derived")
    same = requantization(scale(source), output, limits)
    zero = same.zero_point
    clamp_max, clamp_min = (single(limit + zero) for limit in (same.clamp_max, same.clamp_min))
    return Requantization(1.0, clamp_max, clamp_min, 0)


def plane_block(planner: PlanBuilder, op: Operator, lines: int) -> int:
    """First of `lines` wide lines for pixel planes."""
    if lines > MOST_LINES:
        raise Refusal(op.index, f"{op.name} fills too many lines", actual=lines, allowed=MOST_LINES)
    return planner.block_line(lines)
