"""Squares of differences of operands in two units: differences with 16 bits.

Adds `SquareStep`s and a sum of their results. Facts: docs/format/elementwise.md, "Composed
operators".
"""

from __future__ import annotations

import math

from ..fast_dataclass import dataclass
from ..float32 import single
from ..frontend.graph import Operator
from .builder import PlanBuilder
from .dataflow import scale, zero_point
from .elementwise import SUM_LINES, SUM_WORDS, SumStep, Term, add_sum, difference_weights, fused
from .patches import (
    Operand,
    PatchClass,
    most_pixels,
    patch_classes,
    result_map,
    row_bands,
    scratch_map,
)
from .plan import Step
from .requantization import Requantization, raw_bytes
from .wide_memory import top_line

LARGEST = 32767
"""Of a difference; its square stays below 2**31."""
FIFO_LINES = 8
"""Two slots of up to four lines."""
SPREAD = 4
MOST_WORDS = 1024
"""Words of a tile's pixels in a step, unless a single row has more."""
_BYTE = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class SquareStep(Step):
    """output = square(difference ** 2), for some rows. difference: the sum that gives 16-bit
    values, of at least 0, in scratch; spread: scratch with a result byte a word; identity:
    scratch to make the program's identity line from, '' where it is there already; line: the
    FIFO of one factor."""

    difference: SumStep
    output: str
    channel_words: int
    classes: tuple[PatchClass, ...]
    square: Requantization
    spread: str
    identity: str
    line: int

    @property
    def longest_loop(self) -> int:
        return SPREAD * most_pixels(self.classes) * self.channel_words


def add_squares(planner: PlanBuilder, op: Operator, first: Operand, second: Operand) -> None:
    """max(first - second, 0) ** 2 + max(second - first, 0) ** 2, of which one is 0."""
    weights, unit = difference_weights(planner, op)
    wide = Requantization(single(unit * single(1 / _unit(planner, op))), float(LARGEST), 0.0, 0)
    sides = []
    for name, sign in (("over", 1), ("under", -1)):
        side = scratch_map(planner, op, name, first.layout)
        signed = sign * weights[0], sign * weights[1]
        _add_bands(planner, op, (first, second, side), weights=signed, wide=wide)
        sides.append(side)
    point = zero_point(planner.graph.tensor(op.outputs[0]))
    add_sum(
        planner,
        op,
        sides,
        (1, 1),
        result_map(planner, op, sides),
        initial=-2 * point,
        requantization=raw_bytes(point),
    )


def _unit(planner: PlanBuilder, op: Operator) -> float:
    """Of the differences: the largest one, or one whose square is beyond the result's range, is
    32767 (float32)."""
    graph = planner.graph
    (a, b), output = (graph.tensor(tensor) for tensor in op.inputs), graph.tensor(op.outputs[0])
    rows = [(scale(t) * zero_point(t), scale(t) * (_BYTE - zero_point(t))) for t in (a, b)]
    largest = max(rows[0][0] + rows[1][1], rows[0][1] + rows[1][0])
    beyond = math.sqrt((_BYTE + 1 - zero_point(output)) * scale(output))
    return single(min(largest, beyond) / LARGEST)


def _add_bands(
    planner: PlanBuilder,
    op: Operator,
    maps: tuple[Operand, Operand, Operand],
    *,
    weights: tuple[int, int],
    wide: Requantization,
) -> None:
    first, second, side = maps
    names = zip(weights, op.inputs, strict=True)
    initial = -sum(weight * zero_point(planner.graph.tensor(name)) for weight, name in names)
    words = side.layout.channel_words
    classes = patch_classes([first.layout, second.layout], side.layout)
    row = words * max(tile_class.width for tile_class in classes)
    line = planner.block_line(SUM_LINES + FIFO_LINES, top_line(planner, op))
    unit = _unit(planner, op)
    for band in row_bands(classes, MOST_WORDS, row):
        size = words * most_pixels(band)
        difference = SumStep(
            ops=(op.index,),
            lowest_line=line,
            terms=(Term(first.buffer, weights[0]), Term(second.buffer, weights[1])),
            initial=initial,
            output=planner.scratch(planner.unused(f"{op.index} wide"), 2 * size, rank=0),
            channel_words=words,
            classes=band,
            requantization=wide,
            scratch=planner.scratch(planner.unused(f"{op.index} weights"), SUM_WORDS),
        )
        for operand in maps:
            planner.keep(operand.buffer)
        planner.add(
            SquareStep(
                ops=(op.index,),
                lowest_line=line,
                difference=difference,
                output=side.buffer,
                channel_words=words,
                classes=band,
                square=fused(planner, op, single(unit * unit)),
                spread=planner.scratch(
                    planner.unused(f"{op.index} spread"), SPREAD * size + 1, rank=0
                ),
                identity=planner.identity(),
                line=line + SUM_LINES,
            )
        )
