"""RSQRT: y = 1 / sqrt(x), value by value.

The table takes arguments of at least 1, which the argument becomes as a 16-bit value first.
Facts: docs/format/activation.md, "RSQRT".
"""

from __future__ import annotations

import math

from ..fast_dataclass import dataclass
from ..float32 import single
from ..frontend.graph import Operator
from ..frontend.inverse_roots import argument_factor
from .builder import PlanBuilder
from .composed import is_composed
from .dataflow import scale, zero_point
from .family import Family
from .patches import (
    Operand,
    PatchClass,
    compact_operands,
    maps_alike,
    most_pixels,
    own_part,
    patch_classes,
    result_map,
    row_bands,
    same_maps,
)
from .plan import Step
from .refusal import Refusal
from .requantization import Requantization, clamps

TABLE_UNIT = math.sqrt(2) / 65535
"""Of the table's result: 65535 / sqrt(2 x)."""
HIGHEST = 65535.0
MOST_WORDS = 4096
"""Words of a tile's pixels in a step, unless a single row has more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RootStep(Step):
    """output = result(65535 / sqrt(2 * argument(input - input_zero))), for some rows.

    arguments, roots: scratch of two words a word; identity: scratch to make the program's
    identity line from, '' where it is there already.
    """

    input: str
    output: str
    input_zero: int
    channel_words: int
    classes: tuple[PatchClass, ...]
    argument: Requantization
    result: Requantization
    arguments: str
    roots: str
    identity: str

    @property
    def longest_loop(self) -> int:
        return most_pixels(self.classes) * self.channel_words


def plan_root(planner: PlanBuilder, op: Operator) -> None:
    """The steps for bands of rows, behind a copy if the map is not compact."""
    factor = argument_factor(planner.graph, op)
    if factor is None:
        raise Refusal(op.index, "RSQRT whose largest value is a small part of the result's range")
    same_maps(planner, op)
    planner.lay_out_map(op.outputs[0])
    (operand,) = compact_operands(planner, op)
    target = result_map(planner, op, [operand])
    classes = patch_classes([operand.layout], target.layout)
    row = max(tile_class.width for tile_class in classes) * operand.layout.channel_words
    for band in row_bands(classes, MOST_WORDS, row):
        _add_step(planner, op, (operand, target), band, factor)


def _add_step(
    planner: PlanBuilder,
    op: Operator,
    maps: tuple[Operand, Operand],
    band: tuple[PatchClass, ...],
    factor: int,
) -> None:
    operand, target = maps
    words = operand.layout.channel_words
    size = 2 * words * most_pixels(band)
    source, output = (planner.graph.tensor(t) for t in (op.inputs[0], op.outputs[0]))
    unit = single(TABLE_UNIT * math.sqrt(factor / scale(source)))
    zero = zero_point(output)
    planner.add(
        RootStep(
            ops=(op.index,),
            input=planner.keep(operand.buffer),
            output=planner.keep(target.buffer),
            input_zero=zero_point(source),
            channel_words=words,
            classes=band,
            argument=Requantization(float(factor), HIGHEST, 1.0, 0),
            result=Requantization(
                single(unit * single(1 / scale(output))), *clamps(scale(output), zero), zero
            ),
            arguments=planner.scratch(planner.unused(f"{op.index} arguments"), size, rank=0),
            roots=planner.scratch(planner.unused(f"{op.index} roots"), size, rank=0),
            identity=planner.identity(),
        )
    )


INVERSE_ROOT = Family(
    "inverse root",
    frozenset({"RSQRT"}),
    plan_root,
    accepts=is_composed,
    needs=own_part,
    by_parts=maps_alike,
)
