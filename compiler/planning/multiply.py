"""MUL of two maps, value by value: one operand byte by byte, the other through wide memory.

Facts: docs/format/elementwise.md, "Products".
"""

from __future__ import annotations

from ..fast_dataclass import dataclass
from ..frontend.graph import Operator
from .builder import PlanBuilder
from .dataflow import scale, zero_point
from .elementwise import fused
from .family import Family
from .map_layout import MapLayout
from .patches import (
    Operand,
    PatchClass,
    compact_operands,
    patch_classes,
    result_buffer,
    same_maps,
)
from .plan import Step
from .refusal import Refusal
from .requantization import Requantization, single
from .wide_memory import top_line

FIFO_LINES = 8
"""Lines kept free for the second operand, of which two are used."""
SPREAD = 4
"""Words a word becomes while each of its bytes is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductStep(Step):
    """output = clamp(multiplier * (first - zero) * (second - zero)) + zero point.

    spread: scratch with one result byte a word; identity: scratch to make the program's identity
    line from, '' where it is there already; line: the second operand's two-line FIFO.
    """

    first: str
    second: str
    zeros: tuple[int, int]
    output: str
    spread: str
    channel_words: int
    classes: tuple[PatchClass, ...]
    requantization: Requantization
    identity: str
    line: int


def plan_product(planner: PlanBuilder, op: Operator) -> None:
    """Copies of operands that are not compact, then the product."""
    same_maps(planner, op)
    output = planner.lay_out_map(op.outputs[0])
    if output.pixel_words != output.channel_words:
        raise Refusal(op.index, f"{op.name} writes a part of a joint map")
    operands = compact_operands(planner, op)
    add_product(planner, op, (operands[0], operands[-1]), (op.inputs[0], op.inputs[1]))


def add_product(
    planner: PlanBuilder,
    op: Operator,
    operands: tuple[Operand, Operand],
    names: tuple[int, int],
) -> None:
    """The step that multiplies two operands of one compact layout, tensors `names` of the graph;
    the output's layout is set."""
    tensors = [planner.graph.tensor(tensor) for tensor in names]
    line = planner.block_line(FIFO_LINES, top_line(planner, op))
    compact = operands[0].layout
    output = planner.layouts[op.outputs[0]]
    assert isinstance(output, MapLayout)
    planner.add(
        ProductStep(
            ops=(op.index,),
            lowest_line=line,
            first=operands[0].buffer,
            second=operands[1].buffer,
            zeros=(zero_point(tensors[0]), zero_point(tensors[1])),
            output=result_buffer(planner, op, operands),
            spread=planner.scratch(f"{op.index} spread", SPREAD * compact.words + 1, rank=0),
            channel_words=output.channel_words,
            classes=patch_classes([compact], output),
            requantization=fused(planner, op, single(scale(tensors[0]) * scale(tensors[1]))),
            identity=planner.identity(),
            line=line,
        )
    )


def is_product(planner: PlanBuilder, op: Operator) -> bool:
    """Two maps, which may be the same one."""
    tensors = planner.dataflow.activations(op)
    return len(tensors) == 2 and all(
        isinstance(planner.layouts.get(tensor), MapLayout) for tensor in tensors
    )


PRODUCT = Family("product", frozenset({"MUL"}), plan_product, accepts=is_product)
