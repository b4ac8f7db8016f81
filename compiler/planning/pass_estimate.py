"""Words of narrow memory that spatial passes need at least, by arithmetic: what no plan can do
without, so that passes too few need no plan to find that out.

Reads the Graph level through the planner. Facts: docs/format/passes.md, "Which operators".
"""

from __future__ import annotations

from collections.abc import Sequence

from ..frontend.graph import Operator
from .builder import PlanBuilder
from .map_layout import MapLayout
from .pass_builder import Extent, PassBuilder
from .passes import Run, cut
from .tiling import Interval, most_words

_NEW_RESULTS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "MAX_POOL_2D", "AVERAGE_POOL_2D"})
"""Operators whose results never lie where an operand was."""


def least_words(planner: PlanBuilder, run: Run, *, counted: bool) -> int:
    """A lower bound of the words of a pass near the run's end, with all that lives beside it."""
    flow = planner.dataflow
    operators = flow.operators[run.first : run.last + 1]
    source, target = flow.activations(operators[0])[0], operators[-1].outputs[0]
    height, width, channels = planner.map_shape(target)
    rows, columns = cut(height, run.rows), cut(width, run.columns)
    number, middle = max(run.rows - 2, 0), columns[run.columns // 2]
    beside = _beside(planner, run)
    collected = beside + _collected(run, rows, columns, channels) if flow.readers(target) else 0
    if run.rows > 1 and flow.producer(source) is not None:
        beside += _layout_words(planner, source)
    if run.rows > 1 and flow.readers(target):
        waiting = [most_words(part, (0, width), channels) for part in rows]
        beside += sum(waiting if counted else waiting[:number])
        beside -= most_words(rows[number], middle, channels) if counted else 0
    if max(beside, collected) > planner.capacity:
        return max(beside, collected)
    part = _PassPart(planner, operators, target, (rows[number], middle))
    return beside + part.words(whole_rows=run.columns > 1)


class _PassPart:
    """One pass, for a `part` of the result `target` of the operators."""

    def __init__(
        self, planner: PlanBuilder, operators: Sequence[Operator], target: int, part: Extent
    ) -> None:
        self.planner = planner
        self.operators = operators
        self.source = planner.dataflow.activations(operators[0])[0]
        self.builder = PassBuilder(planner, "estimate", target)
        self.builder.look_back(operators, part)
        self._words: dict[int, int] = {}

    def words(self, *, whole_rows: bool) -> int:
        """Of its fullest step; `whole_rows`: the input comes out of whole rows of the source."""
        most = self._of_operators()
        if whole_rows and self.planner.dataflow.producer(self.source) is None:
            _, width, channels = self.planner.map_shape(self.source)
            rows, _ = self.builder.extents[self.source]
            most = max(most, most_words(rows, (0, width), channels) + self._map(self.source))
        return most

    def _of_operators(self) -> int:
        """Inputs and results of each operator, with what lives beside them."""
        flow = self.planner.dataflow
        last = {tensor: op for op in self.operators for tensor in flow.activations(op)}
        live: dict[int, int] = {}
        most = 0
        for op in self.operators:
            fresh = op.outputs if op.name in _NEW_RESULTS else ()
            for tensor in map(self._whole, (*flow.activations(op), *fresh)):
                live[tensor] = self._map(tensor)
            most = max(most, sum(live.values()))
            live = {tensor: words for tensor, words in live.items() if last.get(tensor) is not op}
            live.update((tensor, self._map(tensor)) for tensor in map(self._whole, op.outputs))
        return most

    def _whole(self, tensor: int) -> int:
        """The joint map that the tensor is a part of, or else the tensor."""
        part = self.builder.joint_part(tensor)
        return tensor if part is None else part.joint

    def _map(self, tensor: int) -> int:
        if tensor not in self._words:
            self._words[tensor] = self.builder.lay_out_map(tensor).words
        return self._words[tensor]


def _collected(
    run: Run, rows: Sequence[Interval], columns: Sequence[Interval], channels: int
) -> int:
    """Words of the whole result, and of the parts of which it is put together."""
    height, width = (0, rows[-1][1]), (0, columns[-1][1])
    parts = [(part, width) for part in rows] if run.rows > 1 else [(height, c) for c in columns]
    return sum(most_words(*part, channels) for part in (*parts, (height, width)))


def _beside(planner: PlanBuilder, run: Run) -> int:
    """Words of the maps that outlive the run."""
    flow = planner.dataflow
    before = {tensor for op in flow.operators[: run.first] for tensor in op.outputs}
    behind = flow.operators[run.last + 1 :]
    read = {tensor for op in behind for tensor in flow.activations(op)}
    source = flow.activations(flow.operators[run.first])[0]
    return sum(_layout_words(planner, tensor) for tensor in before & read - {source})


def _layout_words(planner: PlanBuilder, tensor: int) -> int:
    layout = planner.layouts.get(tensor)
    return layout.words if isinstance(layout, MapLayout) else 0
