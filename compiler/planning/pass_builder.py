"""The plan as the operators of one spatial pass see it: all tensors are parts of whole ones.

Reads the Graph level through the planner. Facts: docs/format/passes.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..frontend.graph import Operator
from .builder import PlanBuilder, tensor_buffer
from .joint_map import JointPart, written_in_place
from .map_layout import MapLayout, map_axis
from .refusal import Refusal
from .tiling import AxisNeed, Interval

Extent = tuple[Interval, Interval]
"""Rows and columns of a tensor that a pass works on."""


class PassBuilder(PlanBuilder):
    """Steps, buffers and parameters go to the `whole` plan; buffers get `name` added to theirs.
    `edge`: the tensor in which the pass ends, which no reader gives a halo; `inside`: the
    operators of the pass."""

    def __init__(self, whole: PlanBuilder, name: str, edge: int) -> None:
        super().__init__(
            whole.graph,
            whole.release,
            whole.dataflow,
            whole._pack,
            whole.families,
            identity=whole.shared_identity,
        )
        self.place = whole.place
        self.steps = whole.steps
        self.segments = whole.segments
        self.taken = whole.taken
        self._buffers = whole._buffers
        self._segment_indices = whole._segment_indices
        self.name = name
        self.edge = edge
        self.extents: dict[int, Extent] = {}
        self.inside: frozenset[int] = frozenset()

    @property
    def is_whole(self) -> bool:
        return False

    def extent(self, tensor: int) -> Extent:
        return self.extents[tensor]

    def scratch(
        self, name: str, words: int, *, rank: float = 1, steps: int = 1, earlier: int = 0
    ) -> str:
        name = f"{name} {self.name}"
        return super().scratch(name, words, rank=rank, steps=steps, earlier=earlier)

    def has_buffer(self, name: str) -> bool:
        return super().has_buffer(f"{name} {self.name}")

    def _name(self, tensor: int) -> str:
        return self._names.get(tensor, f"{tensor_buffer(tensor)} {self.name}")

    def map_readers(self, tensor: int) -> Iterable[Operator]:
        if tensor == self.edge:
            return ()
        return (op for op in self.dataflow.readers(tensor) if op.index in self.inside)

    def joint_part(self, tensor: int) -> JointPart | None:
        """Of joint maps, passes fill those that they make as a whole."""
        producer = self.dataflow.producer(tensor)
        if tensor == self.edge or producer is None or producer.index not in self.inside:
            return None
        return written_in_place(self, tensor)

    def claim(self, tensor: int) -> None:
        """The halo of a tensor is filled by somebody else, with its zero point."""
        self._exchanged.add(tensor)
        self.zero_padded.add(tensor)

    def lay_out_compact(self, tensor: int, extent: Extent) -> MapLayout:
        """A part of a tensor without halo."""
        rows, columns = extent
        words = -(-self.map_shape(tensor)[2] // 4)
        layout = MapLayout(map_axis(*rows, ()), map_axis(*columns, ()), words, words)
        self.record(tensor, layout)
        return layout

    def look_back(self, operators: Sequence[Operator], result: Extent) -> None:
        """From the part of the last operator's result that the pass makes to the parts of all
        tensors it needs: what their readers need, inside the picture."""
        self.extents = {self.edge: result}
        self.inside = frozenset(op.index for op in operators)
        for op in reversed(operators):
            for tensor in self.dataflow.activations(op):
                need = self.need(op, tensor)
                if need is None or not (any(need.rows) and any(need.columns)):
                    raise Refusal(op.index, f"{op.name} does not run on a part of its map")
                height, width, _ = self.map_shape(tensor)
                extent = _span(need.rows, height), _span(need.columns, width)
                known = self.extents.get(tensor, extent)
                self.extents[tensor] = _union(known[0], extent[0]), _union(known[1], extent[1])


def _span(need: AxisNeed, size: int) -> Interval:
    intervals = [interval for interval in need if interval]
    return max(min(i[0] for i in intervals), 0), min(max(i[1] for i in intervals), size)


def _union(a: Interval, b: Interval) -> Interval:
    return min(a[0], b[0]), max(a[1], b[1])
