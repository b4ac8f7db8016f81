"""TILE and RESIZE_NEAREST_NEIGHBOR as boxes of words: pixels that are read again and again.

Reads the Graph level. Facts: docs/format/movement.md, "Moves".
"""

from __future__ import annotations

from itertools import pairwise
from math import floor, prod

from ..fast_dataclass import dataclass
from ..float32 import single
from .graph import Graph, Operator
from .movement import WORD, Movement, integers_of, size_of, words_of

_DIMENSIONS = 3
_MOST_BOXES = 4096


def tile(graph: Graph, op: Operator) -> list[Movement] | None:
    """A single row, column or word run is read again and again: stride 0."""
    multiples = integers_of(graph, op, 1)
    rank = len(graph.tensors[op.inputs[0]].shape)
    if multiples is None or len(multiples) != rank or min(multiples, default=0) < 1:
        return None
    times = [1] * _DIMENSIONS + multiples
    size = size_of(graph, op.inputs[0])
    down, right, deep = times[-_DIMENSIONS:]
    if prod(times[:-_DIMENSIONS]) != 1 or (deep > 1 and size[2] % WORD):
        return None
    (rows, high, down_step), (columns, wide, right_step) = (
        (1, count, 0) if length == 1 else (count, length, 1)
        for length, count in ((size[0], down), (size[1], right))
    )
    words = words_of(size[2])
    return [
        Movement(
            op.inputs[0],
            op.outputs[0],
            (high, wide, words),
            target=(row * high, column * wide, part * words),
            stride=(down_step, right_step),
        )
        for row in range(rows)
        for column in range(columns)
        for part in range(deep)
    ]


@dataclass(frozen=True, slots=True)
class _Run:
    """`count` numbers of the result, `spread` apart from `target` on, are those of the source
    `stride` apart from `start` on."""

    target: int
    spread: int
    count: int
    start: int
    stride: int


def nearest(graph: Graph, op: Operator) -> list[Movement] | None:
    """RESIZE_NEAREST_NEIGHBOR: every row and column of the result is one of the source."""
    source, result = size_of(graph, op.inputs[0]), size_of(graph, op.outputs[0])
    if source[2] != result[2]:
        return None
    rows, columns = (
        _runs(_sources(before, after, op), before)
        for before, after in zip(source[:2], result[:2], strict=True)
    )
    if len(rows) * len(columns) > _MOST_BOXES:
        return None
    return [
        Movement(
            op.inputs[0],
            op.outputs[0],
            (down.count, right.count, words_of(source[2])),
            (down.start, right.start, 0),
            (down.target, right.target, 0),
            (down.stride, right.stride),
            spread=(down.spread, right.spread),
        )
        for down in rows
        for right in columns
    ]


def _sources(before: int, after: int, op: Operator) -> list[int]:
    """Which of `before` each of `after` is, in the float32 arithmetic of TensorFlow Lite."""
    corners = bool(op.options.get("align_corners"))
    centers = bool(op.options.get("half_pixel_centers"))
    wide = (before - 1, after - 1) if corners and after > 1 else (before, after)
    scale = single(wide[0] / wide[1])
    shift = 0.5 if centers else 0.0
    places = (single(single(place + shift) * scale) for place in range(after))
    return [min(floor(place + 0.5 if corners else place), before - 1) for place in places]


def _runs(sources: list[int], before: int) -> list[_Run]:
    """As few as possible: all at equal steps; whole repetitions; or equal neighbours."""
    steps = {b - a for a, b in pairwise(sources)}
    if len(steps) <= 1:
        return [_Run(0, 1, len(sources), sources[0], steps.pop() if steps else 1)]
    times = len(sources) // before
    if times and sources == [place // times for place in range(len(sources))]:
        return [_Run(first, times, before, 0, 1) for first in range(times)]
    starts = [0, *(n for n in range(1, len(sources)) if sources[n] != sources[n - 1])]
    ends = [*starts[1:], len(sources)]
    return [_Run(a, 1, b - a, sources[a], 0) for a, b in zip(starts, ends, strict=True)]
