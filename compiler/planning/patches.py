"""What operators without a window do with maps: every tile works on its own pixels.

An operand that lies in a larger map (with a halo, or joined with others) is copied to a compact
buffer first, so that all operands of an operator have the same strides. Facts:
docs/format/elementwise.md, "Operands".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from math import prod

from ..fast_dataclass import dataclass
from ..frontend.graph import Operator
from .builder import PlanBuilder
from .map_layout import MapLayout, map_axis
from .plan import TILES, Step
from .refusal import Refusal
from .tiling import Interval, MapNeed, split

MAP_RANK = 4


@dataclass(frozen=True, slots=True)
class Patch:
    """A tile's own pixels in a buffer, in words: where the first one is, from one pixel to the
    next, from a row to the next, and the size of the tile's whole map."""

    offset: int
    pixel_words: int
    row_words: int
    map_words: int


@dataclass(frozen=True, slots=True)
class PatchClass:
    """Tiles with `height` x `width` own pixels that lie alike in every source and the target;
    words: of a pixel on these tiles (0: as many as everywhere)."""

    height: int
    width: int
    sources: tuple[Patch, ...]
    target: Patch
    tiles: int
    words: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class InteriorCopyStep(Step):
    """The own pixels of a map to a compact buffer, times an identity matrix. identity: scratch
    to make the program's identity line from, '' where it is there already."""

    classes: tuple[PatchClass, ...]
    channel_words: int
    input: str
    output: str
    identity: str

    @property
    def longest_loop(self) -> int:
        return most_pixels(self.classes) * self.channel_words


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelCopyStep(Step):
    """The only channel of every own pixel to all channels of a compact buffer. constants: scratch
    that the matrix in wide line `line` is made from."""

    classes: tuple[PatchClass, ...]
    channel_words: int
    input: str
    output: str
    constants: str

    @property
    def line(self) -> int:
        return self.lowest_line

    @property
    def longest_loop(self) -> int:
        return most_pixels(self.classes) * self.channel_words


@dataclass(frozen=True, slots=True)
class Operand:
    """A map ready to be read: a compact layout and its buffer; `made`: the step that wrote it;
    `copied`: the buffer is not the tensor's own; `pixel`: it holds one pixel, on every tile, that
    stands for all of the map's."""

    tensor: int
    layout: MapLayout
    buffer: str
    made: int
    copied: bool = False
    pixel: bool = False


def most_pixels(classes: Iterable[PatchClass]) -> int:
    """Pixels of the tile with most of them."""
    return max((one.height * one.width for one in classes), default=0)


def patch(layout: MapLayout, tile: int, corner: tuple[int, int]) -> Patch:
    """The pixels of one tile from a row and column of the picture on."""
    row = layout.row_words(tile)
    return Patch(
        layout.offset(tile, *corner),
        layout.pixel_words,
        row,
        row * layout.held_rows(tile),
    )


def patch_classes(sources: Sequence[MapLayout], target: MapLayout) -> tuple[PatchClass, ...]:
    """Tiles that own pixels of the target, which the sources hold, too, by equal geometry, in the
    order of their lowest tiles."""
    masks: dict[PatchClass, int] = {}
    for tile in range(TILES):
        height, width = target.own_size(tile)
        if height and width:
            corner = target.own_corner(tile)
            key = PatchClass(
                height,
                width,
                tuple(patch(source, tile, corner) for source in sources),
                patch(target, tile, corner),
                tiles=0,
            )
            masks[key] = masks.get(key, 0) | 1 << tile
    return tuple(replace(key, tiles=mask) for key, mask in masks.items())


def row_bands(
    classes: Sequence[PatchClass], most: int, row: int
) -> Iterator[tuple[PatchClass, ...]]:
    """The same pixels in bands of at most `most` words of every tile, at `row` words a row, or of
    one row if that has more; bands are of equal height, but for the last one."""
    height = max(tile_class.height for tile_class in classes)
    rows = -(-height // -(-height // max(most // row, 1)))
    for first in range(0, height, rows):
        yield tuple(
            replace(
                tile_class,
                height=min(rows, tile_class.height - first),
                sources=tuple(_below(source, first) for source in tile_class.sources),
                target=_below(tile_class.target, first),
            )
            for tile_class in classes
            if tile_class.height > first
        )


def _below(place: Patch, rows: int) -> Patch:
    return replace(place, offset=place.offset + rows * place.row_words)


def is_compact(layout: MapLayout) -> bool:
    """Whether every tile holds its own pixels and nothing else."""
    return not layout.has_halo and layout.pixel_words == layout.channel_words


def compact_operands(planner: PlanBuilder, op: Operator) -> list[Operand]:
    """All map inputs of the operator, copied where they are not compact."""
    tensors = dict.fromkeys(planner.dataflow.activations(op))
    operands = [compact_operand(planner, op, tensor) for tensor in tensors]
    return [settled(planner, operand) for operand in operands]


def compact_operand(planner: PlanBuilder, op: Operator, tensor: int) -> Operand:
    """A map (a source), copied if it is not compact; `settled` says where it is."""
    layout = planner.map_layout(op, tensor)
    rows, columns = planner.extent(planner.dataflow.source(op.outputs[0]))
    part = (rows, columns) != _extent(layout)
    if is_compact(layout) and not part:
        return Operand(tensor, layout, "", planner.birth(tensor))
    if part and not planner.is_exchanged(tensor):
        raise Refusal(op.index, f"{op.name} reads a part of a map that tiles have not exchanged")
    words, made = layout.channel_words, planner.now
    compact = MapLayout(map_axis(*rows, ()), map_axis(*columns, ()), words, words)
    return Operand(tensor, compact, copy_map(planner, op, tensor, compact), made, copied=True)


def held_apart(layout: MapLayout, target: MapLayout) -> bool:
    """Whether pixels of one tile in `target` are another tile's own in `layout`."""
    return (layout.rows.own, layout.columns.own) != (target.rows.own, target.columns.own)


def settled(planner: PlanBuilder, operand: Operand) -> Operand:
    """The operand with its buffer, which lives until now."""
    if operand.copied:
        return replace(operand, buffer=planner.keep(operand.buffer))
    return replace(operand, buffer=planner.consume(operand.tensor))


def copy_map(planner: PlanBuilder, op: Operator, tensor: int, target: MapLayout) -> str:
    """Add the step that copies what the tiles own of a layout out of a tensor (a source) that they
    hold, into a new buffer with that layout; the buffer."""
    layout = planner.map_layout(op, tensor)
    buffer = planner.scratch(f"{op.index} copy of {tensor}", target.words, rank=0)
    planner.add(
        InteriorCopyStep(
            ops=(op.index,),
            classes=patch_classes([layout], target),
            channel_words=layout.channel_words,
            input=planner.consume(tensor),
            output=buffer,
            identity=planner.identity(),
        )
    )
    return buffer


def same_maps(planner: PlanBuilder, op: Operator) -> None:
    """Refuse inputs of another shape than the output: nothing is broadcast."""
    flow = planner.dataflow
    for tensor in flow.activations(op):
        layout = planner.map_layout(op, tensor)
        if not is_same_map(planner, op, layout, planner.graph.tensor(tensor).shape[-1]):
            wanted = planner.map_shape(flow.source(op.outputs[0]))
            raise Refusal(
                op.index,
                f"{op.name} with an input that is spread over the output",
                actual=f"{layout.height}x{layout.width}",
                allowed="x".join(map(str, wanted)),
            )


def is_same_map(planner: PlanBuilder, op: Operator, layout: MapLayout, channels: int) -> bool:
    """Whether an operand has the rows and columns that the current plan makes of the output (a
    part of a map: at least these), and its channels."""
    output = planner.dataflow.source(op.outputs[0])
    if channels != planner.map_shape(output)[2]:
        return False
    pairs = list(zip(_extent(layout), planner.extent(output), strict=True))
    if planner.is_whole:
        return all(held == wanted for held, wanted in pairs)
    return all(held[0] <= wanted[0] and wanted[1] <= held[1] for held, wanted in pairs)


def _extent(layout: MapLayout) -> tuple[Interval, Interval]:
    """The rows and columns that all tiles together hold."""
    return (layout.rows.low, layout.rows.high), (layout.columns.low, layout.columns.high)


def own_part(planner: PlanBuilder, op: Operator, _tensor: int) -> MapNeed | None:
    """What an operator value by value needs of an operand: in a part of its result, that part; in
    the whole one, as everybody, its own pixels."""
    if planner.is_whole:
        return None
    rows, columns = planner.extent(planner.dataflow.source(op.outputs[0]))
    return MapNeed(split(*rows), split(*columns))


def maps_alike(planner: PlanBuilder, op: Operator) -> bool:
    """Whether the operator reads nothing but maps of the shape of its result."""
    graph = planner.graph
    shape = graph.tensor(op.outputs[0]).shape
    inputs = [graph.tensor(tensor) for tensor in op.inputs]
    alike = all(tensor.shape == shape and not tensor.is_constant for tensor in inputs)
    return alike and len(shape) == MAP_RANK and prod(shape[:-1]) > 1


def scratch_map(planner: PlanBuilder, op: Operator, name: str, layout: MapLayout) -> Operand:
    """A map of its own that the current step writes for later ones of the operator."""
    buffer = planner.scratch(planner.unused(f"{op.index} {name}"), layout.words, rank=0)
    return Operand(-1, layout, buffer, planner.now, copied=True)


def result_map(planner: PlanBuilder, op: Operator, operands: Sequence[Operand]) -> Operand:
    """The output, whose layout is set, written by the current step into the buffer of the operand
    (a copy counts as one) that was made last, is needed no more and has the same layout, else
    into a new one."""
    tensor = op.outputs[0]
    layout = planner.layouts[tensor]
    assert isinstance(layout, MapLayout)
    for operand in sorted(operands, key=lambda operand: -operand.made):
        free = operand.copied or planner.dies(operand.tensor, op)
        if free and _alike(operand.layout, layout):
            return Operand(tensor, layout, planner.take_over(tensor, operand.buffer), planner.now)
    return Operand(tensor, layout, planner.produce(tensor, layout.words), planner.now)


def _alike(a: MapLayout, b: MapLayout) -> bool:
    """Whether every pixel is at the same place in both maps."""
    same_words = (a.pixel_words, a.channel_words, a.channel_offset) == (
        b.pixel_words,
        b.channel_words,
        b.channel_offset,
    )
    return (
        same_words
        and a.words >= b.words
        and (a.rows.own, a.rows.held) == (b.rows.own, b.rows.held)
        and (a.columns.own, a.columns.held) == (b.columns.own, b.columns.held)
    )
