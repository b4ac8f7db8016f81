"""Operands of ADD, SUB and MUL in one layout: maps as they are, constants from the host, and
what is repeated over the rows or columns of the result.

Reads the Graph level through the planner, adds copies, moves, gathers and inputs. Facts:
docs/format/elementwise.md, "Repeated operands".
"""

from __future__ import annotations

from dataclasses import replace

from ..frontend.graph import Operator
from ..frontend.movement import Movement, picture, words_of
from .builder import PlanBuilder
from .constant_map import bring_values, values_of
from .constant_number import constant_number
from .fully_connected import add_gather
from .map_layout import MapLayout, map_layout
from .map_moves import Placed, add_move, movement_messages
from .patches import (
    ChannelCopyStep,
    InteriorCopyStep,
    Operand,
    Patch,
    compact_operand,
    is_same_map,
    patch_classes,
    settled,
)
from .refusal import Refusal
from .tiling import GRID
from .vectors import VectorLayout
from .wide_memory import top_line

Size = tuple[int, int, int]
_GATHER_LINES = 6
CHANNEL_LINES = 1
CHANNEL_WORDS = 4
"""The matrix that brings byte 0 of a word to all four lanes."""


def map_operands(planner: PlanBuilder, op: Operator) -> list[Operand]:
    """All inputs of the operator, in order, with the layout of a compact map of the result's
    size, or as one pixel that stands for all (`Operand.pixel`)."""
    flow = planner.dataflow
    size = planner.map_shape(flow.source(op.outputs[0]))
    sources = [flow.source(tensor) for tensor in op.inputs]
    names = dict(zip(sources, op.inputs, strict=True))
    found = {source: _operand(planner, op, names[source], size) for source in names}
    operands = {source: settled(planner, operand) for source, operand in found.items()}
    return [operands[source] for source in sources]


def whole_operands(planner: PlanBuilder, op: Operator) -> list[Operand]:
    """As `map_operands`, every operand a whole map."""
    operands = map_operands(planner, op)
    done = {operand: _repeated_pixel(planner, op, operand) for operand in dict.fromkeys(operands)}
    return [settled(planner, done[operand]) for operand in operands]


def _operand(planner: PlanBuilder, op: Operator, tensor: int, size: Size) -> Operand:
    source = planner.dataflow.source(tensor)
    if planner.graph.tensor(tensor).is_constant:
        return _constant(planner, op, tensor, size)
    layout = planner.layouts.get(source)
    if isinstance(layout, VectorLayout):
        found = (1, 1, planner.graph.tensor(tensor).shape[-1])
        _check(op, found, size)
        return _vector(planner, op, tensor, layout, size)
    layout = planner.map_layout(op, tensor)
    found = layout.height, layout.width, planner.graph.tensor(tensor).shape[-1]
    if is_same_map(planner, op, layout, found[2]):
        return compact_operand(planner, op, source)
    if found == (*size[:2], 1):
        return _one_channel(planner, op, source, layout, size)
    _check(op, found, size)
    return _repeated(planner, op, tensor, layout, size)


def _check(op: Operator, found: Size, size: Size) -> None:
    if found[2] == size[2] and found[0] in (1, size[0]) and found[1] in (1, size[1]):
        return
    raise Refusal(
        op.index,
        f"{op.name} with an input that is repeated in this way",
        actual="x".join(map(str, found)),
        allowed="x".join(map(str, size)),
    )


def _compact(size: Size) -> MapLayout:
    return map_layout(size[0], size[1], words_of(size[2]), ())


def _vector(
    planner: PlanBuilder, op: Operator, tensor: int, layout: VectorLayout, size: Size
) -> Operand:
    """All of it on every tile with pixels."""
    compact, made = _compact(size), planner.now
    planner.keep(layout.buffer)
    tiles = 0
    for tile_class in patch_classes([compact], compact):
        tiles |= tile_class.tiles
    top = planner.block_line(_GATHER_LINES) + _GATHER_LINES
    buffer = add_gather(planner, op, layout, tiles, top)
    return Operand(tensor, compact, buffer, made, copied=True, pixel=True)


def _constant(planner: PlanBuilder, op: Operator, tensor: int, size: Size) -> Operand:
    """From the host: a pixel for every tile if it is one, else a map of the result's size."""
    shape = picture(planner.graph.tensor(tensor).shape)
    if shape is None:
        raise Refusal(op.index, f"{op.name} with a constant of several pictures")
    if constant_number(planner.graph, op) is None and shape != (*size[:2], 1):
        _check(op, shape, size)
    pixel = shape[:2] == (1, 1) != size[:2]
    rows, columns = (GRID, GRID) if pixel else size[:2]
    layout, made = map_layout(rows, columns, words_of(size[2]), ()), planner.now
    values = values_of(planner.graph.tensor(tensor), (rows, columns, size[2]))
    buffer = bring_values(planner, op, values, layout)
    return Operand(tensor, _compact(size), buffer, made, copied=True, pixel=pixel)


def _repeated(
    planner: PlanBuilder, op: Operator, tensor: int, layout: MapLayout, size: Size
) -> Operand:
    """One row or column, moved to every row or column."""
    compact, made = _compact(size), planner.now
    buffer = planner.scratch(f"{op.index} repeated {tensor}", compact.words, rank=0)
    movement = Movement(
        tensor,
        op.outputs[0],
        (*size[:2], compact.channel_words),
        stride=(int(layout.height > 1), int(layout.width > 1)),
    )
    source = Placed(layout, planner.consume(tensor))
    add_move(planner, op, tuple(movement_messages(movement, source, Placed(compact, buffer))))
    return Operand(tensor, compact, buffer, made, copied=True)


def _one_channel(
    planner: PlanBuilder, op: Operator, tensor: int, layout: MapLayout, size: Size
) -> Operand:
    """The channel of every pixel, written to all channels."""
    compact, made = _compact(size), planner.now
    line = planner.block_line(CHANNEL_LINES, top_line(planner, op))
    buffer = planner.scratch(f"{op.index} channels of {tensor}", compact.words, rank=0)
    planner.add(
        ChannelCopyStep(
            ops=(op.index,),
            lowest_line=line,
            small=CHANNEL_LINES,
            classes=patch_classes([layout], compact),
            channel_words=compact.channel_words,
            input=planner.consume(tensor),
            output=buffer,
            constants=planner.scratch(planner.unused(f"{op.index} ones"), CHANNEL_WORDS),
        )
    )
    return Operand(tensor, compact, buffer, made, copied=True)


def _repeated_pixel(planner: PlanBuilder, op: Operator, operand: Operand) -> Operand:
    """A whole map of an operand that is one pixel."""
    if not operand.pixel:
        return operand
    layout, made = operand.layout, planner.now
    buffer = planner.scratch(f"{op.index} repeated {operand.tensor}", layout.words, rank=0)
    pixel = Patch(0, 0, 0, layout.channel_words)
    planner.add(
        InteriorCopyStep(
            ops=(op.index,),
            classes=tuple(
                replace(tile_class, sources=(pixel,))
                for tile_class in patch_classes([layout], layout)
            ),
            channel_words=layout.channel_words,
            input=planner.keep(operand.buffer),
            output=buffer,
            identity=planner.identity(),
        )
    )
    return replace(operand, buffer=buffer, made=made, pixel=False)
