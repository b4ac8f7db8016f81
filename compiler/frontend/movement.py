"""One box of words that an operator moves as it is.

Tensors are seen as pixels of a picture: rows, columns, and words of four channels; missing
dimensions are one. Reads the Graph level. Facts: docs/format/movement.md, "Moves".
"""

from __future__ import annotations

from math import prod

from ..fast_dataclass import dataclass
from .graph import Graph, Operator

WORD = 4
_DIMENSIONS = 3
Triple = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Movement:
    """Pixel (y, x), word w of the box at `target` of tensor `output` is pixel
    (start + stride * (y, x)), word of the box at `start` of tensor `source`. `size`: rows,
    columns and words; `swapped`: rows of the result are columns of the source; `spread`: rows and
    columns from a pixel to the next in the result."""

    source: int
    output: int
    size: Triple
    start: Triple = (0, 0, 0)
    target: Triple = (0, 0, 0)
    stride: tuple[int, int] = (1, 1)
    swapped: bool = False
    spread: tuple[int, int] = (1, 1)


def picture(shape: tuple[int, ...]) -> Triple | None:
    """Rows, columns, channels; None for several pictures."""
    padded = (1,) * _DIMENSIONS + shape
    if prod(padded[:-_DIMENSIONS]) != 1:
        return None
    rows, columns, channels = padded[-_DIMENSIONS:]
    return rows, columns, channels


def size_of(graph: Graph, tensor: int) -> Triple:
    """Rows, columns and channels of a tensor that is a picture."""
    size = picture(graph.tensors[tensor].shape)
    assert size is not None
    return size


def words_of(channels: int) -> int:
    """Words of that many channels."""
    return -(-channels // WORD)


def integers_of(graph: Graph, op: Operator, position: int) -> list[int] | None:
    """An input's numbers; None where it is no constant, or none of integers."""
    if position >= len(op.inputs) or op.inputs[position] < 0:
        return None
    data = graph.tensors[op.inputs[position]].data
    if data is None or data.dtype.kind not in "iu":
        return None
    return [int(value) for value in data.reshape(-1)]
