"""MUL of two operands, value by value: one operand byte by byte, the other through wide memory.

Facts: docs/format/elementwise.md, "Products".
"""

from __future__ import annotations

from ..fast_dataclass import dataclass
from ..float32 import single
from ..frontend.graph import Operator
from .builder import PlanBuilder
from .constant_number import has_numbers
from .dataflow import scale, zero_point
from .elementwise import fused
from .family import Family
from .map_layout import MapLayout
from .map_operands import map_operands
from .patches import Operand, PatchClass, maps_alike, own_part, patch_classes, result_map, row_bands
from .plan import Step
from .refusal import Refusal
from .requantization import Requantization
from .tiling import length
from .vectors import VectorLayout
from .wide_memory import top_line

FIFO_LINES = 8
"""Lines kept free for the second operand, of which two are used."""
SPREAD = 4
"""Words a word becomes while each of its bytes is one."""
MOST_SPREAD = 4096
"""Words of that scratch, unless a single row of a tile's pixels takes more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductStep(Step):
    """output = clamp(multiplier * (first - zero) * (second - zero)) + zero point, for some rows.

    second_pixel: the second operand is one pixel, for all of the first's;
    spread: scratch with one result byte a word; identity: scratch to make the program's identity
    line from, '' where it is there already; line: the second operand's two-line FIFO.
    """

    first: str
    second: str
    zeros: tuple[int, int]
    output: str
    second_pixel: bool = False
    spread: str
    channel_words: int
    classes: tuple[PatchClass, ...]
    requantization: Requantization
    identity: str
    line: int


def plan_product(planner: PlanBuilder, op: Operator) -> None:
    """Copies of operands that are not compact, then the product."""
    writes_whole_words(planner, op)
    first, second = map_operands(planner, op)
    names = op.inputs[0], op.inputs[1]
    if first.pixel:
        first, second, names = second, first, (names[1], names[0])
    add_product_of(planner, op, (first, second), names)


def writes_whole_words(planner: PlanBuilder, op: Operator) -> None:
    """Lay the output out; refuse a part of a joint map."""
    output = planner.lay_out_map(op.outputs[0])
    if output.pixel_words != output.channel_words:
        raise Refusal(op.index, f"{op.name} writes a part of a joint map")


def add_product_of(
    planner: PlanBuilder,
    op: Operator,
    operands: tuple[Operand, Operand],
    names: tuple[int, int],
) -> None:
    """The step for the operator's result, of tensors `names` of the graph."""
    first, second = (planner.graph.tensor(tensor) for tensor in names)
    add_product(
        planner,
        op,
        operands,
        result_map(planner, op, [operand for operand in operands if not operand.pixel]),
        zeros=(zero_point(first), zero_point(second)),
        requantization=fused(planner, op, single(scale(first) * scale(second))),
    )


def add_product(
    planner: PlanBuilder,
    op: Operator,
    operands: tuple[Operand, Operand],
    target: Operand,
    *,
    zeros: tuple[int, int],
    requantization: Requantization,
) -> None:
    """The steps that multiply two operands of one compact layout, of which the second may be
    one pixel, with these zero points, for `op`: one for each band of rows."""
    line = planner.block_line(FIFO_LINES, top_line(planner, op))
    compact = operands[0].layout
    pixels = max(map(length, compact.columns.held))
    row = SPREAD * pixels * compact.pixel_words
    classes = patch_classes([compact], target.layout)
    for band in row_bands(classes, MOST_SPREAD, row):
        rows = max(tile_class.height for tile_class in band)
        spread = planner.unused(f"{op.index} spread")
        planner.add(
            ProductStep(
                ops=(op.index,),
                lowest_line=line,
                first=planner.keep(operands[0].buffer),
                second=planner.keep(operands[1].buffer),
                zeros=zeros,
                output=planner.keep(target.buffer),
                second_pixel=operands[1].pixel,
                spread=planner.scratch(spread, row * rows + 1, rank=0),
                channel_words=target.layout.channel_words,
                classes=band,
                requantization=requantization,
                identity=planner.identity(),
                line=line,
            )
        )


def is_product(planner: PlanBuilder, op: Operator) -> bool:
    """Two operands on the chip, which may be the same one, or one and a constant of several
    numbers."""
    tensors = planner.dataflow.activations(op)
    return (len(tensors) == 2 or has_numbers(planner.graph, op)) and all(
        isinstance(planner.layouts.get(tensor), MapLayout | VectorLayout) for tensor in tensors
    )


PRODUCT = Family(
    "product",
    frozenset({"MUL"}),
    plan_product,
    accepts=is_product,
    needs=own_part,
    by_parts=maps_alike,
)
