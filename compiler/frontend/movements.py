"""What the operators that move bytes do, as boxes of words: which words of which input go where.

Tensors are seen as pixels of a picture: rows, columns, and words of four channels; missing
dimensions are one. Operators that cut inside a word, or turn channels into pixels, are not
described. Reads the Graph level. Facts: docs/format/movement.md, "Moves".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import prod

from ..fast_dataclass import dataclass
from .graph import Graph, Operator
from .movement import WORD, Movement, Triple, integers_of, picture, size_of, words_of
from .repetitions import nearest, tile

_DIMENSIONS = 3


@dataclass(frozen=True, slots=True)
class Ranges:
    """First element, step and count of each of rows, columns and channels of the source, and
    which of them (0, 1, or None for none) the result's rows and columns are."""

    axes: tuple[Triple, Triple, Triple]
    order: tuple[int | None, int | None] = (0, 1)


def movements(graph: Graph, op: Operator) -> tuple[Movement, ...] | None:
    """The operator's boxes; None if it is none of those that move whole words."""
    describe = _DESCRIPTIONS.get(op.name)
    if describe is None:
        return None
    tensors = [t for t in (*op.inputs, *op.outputs) if t >= 0]
    moved = [t for t in tensors if not graph.tensors[t].is_constant]
    if any(picture(graph.tensors[t].shape) is None for t in moved):
        return None
    found = describe(graph, op)
    return None if found is None else tuple(found)


def _axis(rank: int, axis: int) -> int | None:
    """0 rows, 1 columns, 2 channels, None outside of them."""
    if not -rank <= axis < rank:
        return None
    place = axis % rank - rank + _DIMENSIONS
    return place if place >= 0 else None


# -- cutting ----------------------------------------------------------------------------------


def _cut(source: int, output: int, ranges: Ranges, target: Triple = (0, 0, 0)) -> Movement | None:
    """One box out of a tensor; None where it begins inside a word or takes single channels."""
    (first, step, count) = ranges.axes[2]
    if step != 1 or first % WORD:
        return None
    axes, order = ranges.axes, ranges.order
    picked = [(0, 1, 1) if axis is None else axes[axis] for axis in order]
    swapped = order in ((1, 0), (None, 0), (1, None))
    left = [axes[axis][0] for axis in (0, 1)]
    return Movement(
        source,
        output,
        (picked[0][2], picked[1][2], words_of(count)),
        (left[0], left[1], first // WORD),
        target,
        (picked[0][1], picked[1][1]),
        swapped,
    )


def cut_ranges(graph: Graph, op: Operator) -> tuple[list[Triple], int] | None:
    """First element, step and count of each dimension of what a SLICE or STRIDED_SLICE reads, and
    the mask of the dimensions that the result lacks; None where they are not known, or not inside
    the input, or another shape than the result's."""
    found = _slice_ranges(graph, op) if op.name == "SLICE" else _strided_ranges(graph, op)
    if found is None:
        return None
    triples, shrunk = found
    lengths = graph.tensors[op.inputs[0]].shape
    shape = tuple(count for axis, (_, _, count) in enumerate(triples) if not shrunk >> axis & 1)
    if shape != graph.tensors[op.outputs[0]].shape or any(count < 1 for _, _, count in triples):
        return None
    for (first, step, count), length in zip(triples, lengths, strict=True):
        if first < 0 or first + step * (count - 1) >= length:
            return None
    return triples, shrunk


def _slice_ranges(graph: Graph, op: Operator) -> tuple[list[Triple], int] | None:
    begins, sizes = integers_of(graph, op, 1), integers_of(graph, op, 2)
    shape = graph.tensors[op.inputs[0]].shape
    if begins is None or sizes is None or not len(begins) == len(sizes) == len(shape):
        return None
    triples = [
        (first, 1, length - first if size < 0 else size)
        for first, size, length in zip(begins, sizes, shape, strict=True)
    ]
    return triples, 0


def _strided_ranges(graph: Graph, op: Operator) -> tuple[list[Triple], int] | None:
    given = [integers_of(graph, op, position) for position in (1, 2, 3)]
    shape = graph.tensors[op.inputs[0]].shape
    if any(values is None or len(values) != len(shape) for values in given):
        return None
    if op.options.get("ellipsis_mask") or op.options.get("new_axis_mask"):
        return None
    begins, ends, strides = (values for values in given if values is not None)
    masks = [int(op.options.get(f"{name}_mask", 0)) for name in ("begin", "end", "shrink_axis")]
    triples = []
    for axis, length in enumerate(shape):
        from_start, to_end, shrunk = (mask >> axis & 1 for mask in masks)
        if strides[axis] < 1:
            return None
        first = 0 if from_start else _inside(begins[axis], length)
        last = length if to_end else _inside(ends[axis], length)
        count = 1 if shrunk else max(-(-(last - first) // strides[axis]), 0)
        triples.append((first, strides[axis] if count > 1 else 1, count))
    return triples, masks[2]


def _inside(place: int, length: int) -> int:
    return min(max(place + length if place < 0 else place, 0), length)


def _sliced(graph: Graph, op: Operator) -> list[Movement] | None:
    found = cut_ranges(graph, op)
    if found is None:
        return None
    triples, shrunk = found
    kept = [axis for axis in range(len(triples)) if not shrunk >> axis & 1]
    rank = len(triples)
    padded = [(0, 1, 1)] * max(_DIMENSIONS - rank, 0) + triples[-_DIMENSIONS:]
    left = [axis - rank + _DIMENSIONS for axis in kept if axis - rank + _DIMENSIONS >= 0]
    if not left or left[-1] != _DIMENSIONS - 1:
        return None
    order: list[int | None] = [*[None] * (3 - len(left)), *left[:-1]]
    ranges = Ranges((padded[0], padded[1], padded[2]), (order[0], order[1]))
    movement = _cut(op.inputs[0], op.outputs[0], ranges)
    return None if movement is None else [movement]


def split_axis(graph: Graph, op: Operator) -> int | None:
    """What a SPLIT cuts: 0 rows, 1 columns, 2 channels, None: nothing of them."""
    axis = integers_of(graph, op, 0)
    if axis is None or len(axis) != 1:
        return None
    return _axis(len(graph.tensors[op.inputs[1]].shape), axis[0])


def _split(graph: Graph, op: Operator) -> list[Movement] | None:
    place, source = split_axis(graph, op), op.inputs[1]
    if place is None:
        return None
    found = []
    size = size_of(graph, source)
    for number, output in enumerate(op.outputs):
        axes = [(0, 1, count) for count in size]
        part = size[place] // len(op.outputs)
        axes[place] = (number * part, 1, part)
        movement = _cut(source, output, Ranges((axes[0], axes[1], axes[2])))
        if movement is None or size_of(graph, output) != tuple(count for _, _, count in axes):
            return None
        found.append(movement)
    return found


def _space_to_depth(graph: Graph, op: Operator) -> list[Movement] | None:
    block = int(op.options.get("block_size", 0))
    rows, columns, channels = size_of(graph, op.inputs[0])
    if block < 1 or channels % WORD or rows % block or columns % block:
        return None
    words = channels // WORD
    size = (rows // block, columns // block, words)
    return [
        Movement(
            op.inputs[0],
            op.outputs[0],
            size,
            (down, right, 0),
            (0, 0, (down * block + right) * words),
            (block, block),
        )
        for down in range(block)
        for right in range(block)
    ]


def _transpose(graph: Graph, op: Operator) -> list[Movement] | None:
    order = integers_of(graph, op, 1)
    shape = graph.tensors[op.inputs[0]].shape
    rank = len(shape)
    if not order or not rank or sorted(axis % rank for axis in order) != list(range(rank)):
        return None
    if order[-1] % rank != rank - 1:
        return None
    places = [axis % rank - rank + _DIMENSIONS for axis in order[-_DIMENSIONS:-1]]
    spatial = [place if place >= 0 else None for place in places]
    spatial = [*[None] * (2 - len(spatial)), *spatial]
    rows, columns, channels = size_of(graph, op.inputs[0])
    ranges = Ranges(((0, 1, rows), (0, 1, columns), (0, 1, channels)), (spatial[0], spatial[1]))
    movement = _cut(op.inputs[0], op.outputs[0], ranges)
    if movement is None or prod(movement.size[:2]) != rows * columns:
        return None
    return [movement]


# -- joining ----------------------------------------------------------------------------------


def _concatenation(graph: Graph, op: Operator) -> list[Movement] | None:
    if op.options.get("fused_activation_function"):
        return None
    axis = _axis(len(graph.tensors[op.outputs[0]].shape), int(op.options.get("axis", 0)))
    return None if axis is None else _joined(graph, op, axis)


def _pack(graph: Graph, op: Operator) -> list[Movement] | None:
    rank = len(graph.tensors[op.outputs[0]].shape)
    axis = _axis(rank, int(op.options.get("axis", 0)))
    if axis is None or axis == _DIMENSIONS - 1:
        return None
    if axis == 1 and any(size_of(graph, tensor)[0] != 1 for tensor in op.inputs):
        return None
    return _joined(graph, op, axis, packed=True)


def _joined(
    graph: Graph, op: Operator, axis: int, *, packed: bool = False
) -> list[Movement] | None:
    found, place = [], 0
    for tensor in op.inputs:
        if graph.tensors[tensor].is_constant:
            return None
        rows, columns, channels = size_of(graph, tensor)
        swapped = False
        if packed and axis == 1 and columns > 1:
            rows, columns, swapped = columns, rows, True
        elif axis == 2 and place % WORD:
            return None
        target = [0, 0, 0]
        target[axis] = place // WORD if axis == _DIMENSIONS - 1 else place
        found.append(
            Movement(
                tensor,
                op.outputs[0],
                (rows, columns, words_of(channels)),
                target=(target[0], target[1], target[2]),
                swapped=swapped,
            )
        )
        place += (rows, columns, channels)[axis]
    sizes = size_of(graph, op.outputs[0])
    return found if place == sizes[axis] else None


def _pad(graph: Graph, op: Operator) -> list[Movement] | None:
    amounts = integers_of(graph, op, 1)
    rank = len(graph.tensors[op.inputs[0]].shape)
    if amounts is None or len(amounts) != 2 * rank:
        return None
    pairs = [(0, 0)] * _DIMENSIONS + list(zip(amounts[::2], amounts[1::2], strict=True))
    rows, columns, channels = size_of(graph, op.inputs[0])
    (top, _), (left, _), (front, behind) = pairs[-_DIMENSIONS:]
    if any(before or after for before, after in pairs[:-_DIMENSIONS]) or front % WORD:
        return None
    if behind and channels % WORD:
        return None
    target = (top, left, front // WORD)
    size = (rows, columns, words_of(channels))
    return [Movement(op.inputs[0], op.outputs[0], size, target=target)]


_DESCRIPTIONS: dict[str, Callable[[Graph, Operator], list[Movement] | None]] = {
    "CONCATENATION": _concatenation,
    "PACK": _pack,
    "PAD": _pad,
    "SLICE": _sliced,
    "SPACE_TO_DEPTH": _space_to_depth,
    "SPLIT": _split,
    "STRIDED_SLICE": _sliced,
    "RESIZE_NEAREST_NEIGHBOR": nearest,
    "TILE": tile,
    "TRANSPOSE": _transpose,
}


def names() -> Iterator[str]:
    """Operators that may be described."""
    return iter(_DESCRIPTIONS)
