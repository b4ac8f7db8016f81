"""Operators on maps of one pixel that are no fully connected layers: the vector is shown to the
operator's family as a map of one pixel, on tile 0, and the result becomes a vector again.

Reads the Graph level through the planner, adds `MapMoveStep`s and what the family adds. Facts:
docs/format/movement.md, "Single pixels".
"""

from __future__ import annotations

from collections.abc import Iterator

from ..frontend.graph import Operator
from ..frontend.movement import picture
from .builder import PlanBuilder
from .family import Family
from .fully_connected import is_vector_layer
from .logistic import LOGISTIC, OUTPUT_SCALE
from .map_layout import MapLayout, map_axis
from .map_moves import MapMessage, Walk, add_move, boxes
from .refusal import Refusal
from .tiling import length
from .vectors import BLOCK_WORDS, Blocks, VectorLayout, is_private

_PIXEL = (1, 1)
_OPERATORS = frozenset(
    {
        "ADD",
        "AVERAGE_POOL_2D",
        "CONV_2D",
        "DEPTHWISE_CONV_2D",
        "L2_NORMALIZATION",
        "LOGISTIC",
        "MAXIMUM",
        "MAX_POOL_2D",
        "MINIMUM",
        "MUL",
        "PRELU",
        "QUANTIZE",
        "RELU",
        "RELU6",
        "RELU_N1_TO_1",
        "RSQRT",
        "SQUARED_DIFFERENCE",
        "SUB",
        "TANH",
        "TRANSPOSE_CONV",
    }
)
_ENLARGING = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV"})
"""Those whose result may be a map of several pixels (behind a PAD, or by their strides)."""


def is_single_pixel(planner: PlanBuilder, op: Operator) -> bool:
    """All operands are vectors on the tiles, the result is one, or a map made of one, and no
    other family computes it from vectors as they are."""
    size = picture(planner.graph.tensor(op.outputs[0]).shape)
    layouts = [planner.layouts.get(source) for source in planner.dataflow.activations(op)]
    if size is None or (size[:2] != _PIXEL and op.name not in _ENLARGING):
        return False
    if not layouts or not all(isinstance(layout, VectorLayout) for layout in layouts):
        return False
    if op.name == "LOGISTIC":
        return not _is_in_place(planner, op)
    return op.name != "CONV_2D" or not is_vector_layer(planner, op)


def _is_in_place(planner: PlanBuilder, op: Operator) -> bool:
    """Whether the vector's own LOGISTIC can have it."""
    layout = planner.layouts[planner.dataflow.source(op.inputs[0])]
    quantization = planner.graph.tensor(op.outputs[0]).quantization
    assert isinstance(layout, VectorLayout)
    return (
        layout.blocks.block == BLOCK_WORDS
        and is_private(planner, op)
        and quantization is not None
        and quantization.scales == (OUTPUT_SCALE,)
    )


def plan_single_pixel(planner: PlanBuilder, op: Operator) -> None:
    """Vectors to maps, the family's steps, a map of one pixel to a vector."""
    saved = {}
    for tensor in dict.fromkeys(planner.dataflow.activations(op)):
        layout, buffer = _pixel(planner, op, tensor)
        saved[tensor] = planner.show_as(tensor, layout, buffer)
    _family(planner, op).plan(planner, op)
    for tensor, shown in saved.items():
        planner.show_as(tensor, *shown)
    result = planner.dataflow.source(op.outputs[0])
    made = planner.layouts[result]
    if isinstance(made, MapLayout) and (made.height, made.width) == _PIXEL:
        blocks = Blocks(made.channel_words, made.channel_words)
        buffer = planner.consume(result)
        planner.record(result, VectorLayout(blocks, buffer, made.offset(0, 0, 0)))


def _family(planner: PlanBuilder, op: Operator) -> Family:
    others = (f for f in planner.families if f.name not in (SINGLE_PIXEL.name, LOGISTIC.name))
    for family in others:
        if op.name in family.operators and family.accepts(planner, op):
            return family
    raise Refusal(op.index, f"no planner takes this {op.name} of one pixel")


def _pixel(planner: PlanBuilder, op: Operator, tensor: int) -> tuple[MapLayout, str]:
    """The vector as a map of one pixel on tile 0, with the room around it that is read."""
    vector = planner.layouts[tensor]
    assert isinstance(vector, VectorLayout)
    words = vector.blocks.words
    need = planner.need(op, tensor)
    rows = map_axis(0, 1, [need.rows] if need else [])
    columns = map_axis(0, 1, [need.columns] if need else [])
    layout = MapLayout(rows, columns, words, words, behind=need.behind if need else 0)
    there = vector.blocks.tiles == 1 and not vector.offset and planner.owns(tensor, vector.buffer)
    if there and not layout.has_halo and not layout.behind:
        return layout, planner.keep(vector.buffer)
    buffer = planner.scratch(f"{op.index} pixel {tensor}", layout.words)
    place = layout.offset(0, 0, 0)
    messages = tuple(_messages(vector, planner.keep(vector.buffer), buffer, place))
    add_move(planner, op, messages)
    return layout, planner.keep(buffer)


def _messages(vector: VectorLayout, source: str, target: str, place: int) -> Iterator[MapMessage]:
    for box in boxes(vector):
        run = ((length(box.words), 1),)
        read, written = Walk(box.offset, run), Walk(place + box.words[0], run)
        yield MapMessage(box.tile, 0, source, target, read, written)


SINGLE_PIXEL = Family("single pixel", _OPERATORS, plan_single_pixel, accepts=is_single_pixel)
