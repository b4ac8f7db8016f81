"""RESHAPE into a map: every tile sends its words straight to the tiles that own them in the new
shape. Pixels keep their channels, or are whole words in the source.

Reads the Graph level through the planner, adds a step of `map_moves.py`. Facts:
docs/format/movement.md, "Reshaping".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..fast_dataclass import dataclass
from ..frontend.graph import Operator
from ..frontend.movement import picture
from .builder import PlanBuilder
from .family import Family
from .map_layout import MapLayout
from .map_moves import Layout, MapMessage, Walk, add_move, boxes, result_of, source_of
from .tiling import length
from .vectors import VectorLayout

WORD_CHANNELS = 4


@dataclass(frozen=True, slots=True)
class _Run:
    """`words` words from `first` on, in the order of the tensor, side by side in a tile's buffer
    from `offset` on."""

    first: int
    words: int
    tile: int
    offset: int


@dataclass(frozen=True, slots=True)
class _Copies:
    """Words that leave one buffer for another: from where to where, and levels (count, step of
    the source, step of the target), innermost first."""

    source: int
    target: int
    levels: tuple[tuple[int, int, int], ...]

    @property
    def walks(self) -> tuple[Walk, Walk]:
        """How they are read, and how written."""
        read = tuple((count, step) for count, step, _ in self.levels)
        written = tuple((count, step) for count, _, step in self.levels)
        return Walk(self.source, read), Walk(self.target, written)


def is_reshape(planner: PlanBuilder, op: Operator) -> bool:
    """A map or a vector on the tiles becomes a map."""
    source, output = (picture(planner.graph.tensor(t).shape) for t in (op.inputs[0], op.outputs[0]))
    layout = planner.layouts.get(planner.dataflow.source(op.inputs[0]))
    if source is None or output is None or not isinstance(layout, MapLayout | VectorLayout):
        return False
    whole = source[2] % WORD_CHANNELS == 0 or source[2] == output[2]
    return output[:2] != (1, 1) and whole and _words(source) == _words(output)


def _words(size: tuple[int, int, int]) -> int:
    return size[0] * size[1] * -(-size[2] // WORD_CHANNELS)


def plan_reshape(planner: PlanBuilder, op: Operator) -> None:
    """For every two tiles with words for each other, as few messages as possible."""
    source, target = source_of(planner, op.inputs[0]), result_of(planner, op.outputs[0])
    pairs: dict[tuple[int, int], list[_Copies]] = {}
    for here, there, first, words in _common(_runs(source.layout), _runs(target.layout)):
        start, end = here.offset + first - here.first, there.offset + first - there.first
        pair = pairs.setdefault((there.tile, here.tile), [])
        pair.append(_Copies(start, end, ((words, 1, 1),)))
    messages = (
        MapMessage(sender, reader, source.buffer, target.buffer, *copies.walks)
        for (reader, sender), pair in sorted(pairs.items())
        for copies in _joined(_joined(pair))
    )
    add_move(planner, op, tuple(messages))


def _runs(layout: Layout) -> list[_Run]:
    """What the tiles hold, in the order of the tensor: parts of rows, or pixels, or blocks."""
    return sorted(_unsorted_runs(layout), key=lambda run: run.first)


def _unsorted_runs(layout: Layout) -> Iterator[_Run]:
    for box in boxes(layout):
        deep, columns = length(box.words), length(box.columns)
        if isinstance(layout, VectorLayout):
            yield _Run(box.words[0], deep, box.tile, box.offset)
            continue
        pixels = columns if box.pixel_words == deep else 1
        for row in range(*box.rows):
            for column in range(box.columns[0], box.columns[1], pixels):
                first = (row * layout.width + column) * deep
                yield _Run(first, deep * pixels, box.tile, box.at(row, column, 0))


def _common(
    sources: Sequence[_Run], targets: Sequence[_Run]
) -> Iterator[tuple[_Run, _Run, int, int]]:
    """First word and count of what two runs share; both lists cover the whole tensor."""
    place, here, there = 0, 0, 0
    while here < len(sources) and there < len(targets):
        source, target = sources[here], targets[there]
        ends = source.first + source.words, target.first + target.words
        yield source, target, place, min(ends) - place
        place = min(ends)
        here, there = here + (ends[0] == place), there + (ends[1] == place)


def _joined(copies: Sequence[_Copies]) -> list[_Copies]:
    """Neighbours with equal levels, at equal distances, become one with one more level."""
    found: list[_Copies] = []
    start = 0
    while start < len(copies):
        first, end = copies[start], start + 1
        step = _distance(copies, start)
        while end < len(copies) and step is not None and _distance(copies, end - 1) == step:
            end += 1
        levels = first.levels if step is None else (*first.levels, (end - start, *step))
        found.append(_Copies(first.source, first.target, levels))
        start = end
    return found


def _distance(copies: Sequence[_Copies], place: int) -> tuple[int, int] | None:
    """Words from one to the next in source and target; None where their levels differ."""
    one, other = copies[place], copies[place + 1] if place + 1 < len(copies) else None
    if other is None or one.levels != other.levels:
        return None
    return other.source - one.source, other.target - one.target


RESHAPE = Family(
    "reshape", frozenset({"RESHAPE", "SQUEEZE", "EXPAND_DIMS"}), plan_reshape, accepts=is_reshape
)
