"""Spatial passes: a run of operators whose maps do not fit computes its result part by part.

Reads the Graph level through the planner; adds, for each part, the steps of the operators on
that part of their maps, and around them those that cut the run's input into parts and put its
result together. Facts: docs/format/passes.md.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from ..fast_dataclass import dataclass
from ..frontend.graph import Operator
from .axis_relayout import Along, AxisRelayout
from .builder import PlanBuilder, tensor_buffer
from .dataflow import zero_point
from .halo import halo_moves
from .identity import NAME as IDENTITY
from .image import image_step
from .map_layout import MapLayout
from .map_output import map_output_step
from .pass_builder import PassBuilder
from .pass_overflow import Overflow, RunOverflow, overflows
from .pass_steps import (
    FIFO_WORDS,
    CollectStep,
    Move,
    ParkStep,
    PassInputStep,
    parked_lines,
    parked_rectangles,
)
from .plan import WIDE_LINES
from .refusal import Refusal
from .tiling import Interval, most_words
from .wide_memory import stack_blocks

_PARKED = "parked"
MOST_COLUMNS = 4
"""Parts of the columns that help as much as parts of the rows."""


@dataclass(frozen=True, slots=True)
class Run:
    """Operators `first`..`last` (positions in the dataflow, both included) in `rows` x
    `columns` passes."""

    first: int
    last: int
    rows: int = 1
    columns: int = 1

    @property
    def passes(self) -> int:
        return self.rows * self.columns

    def grown(self) -> Run:
        """One more part, of the columns and of the rows in turn; the columns are cut no further
        than `MOST_COLUMNS`, since whole rows of the source and of the result are kept anyway."""
        if self.columns > self.rows or self.columns == MOST_COLUMNS:
            return Run(self.first, self.last, self.rows + 1, self.columns)
        return Run(self.first, self.last, self.rows, self.columns + 1)


@dataclass(frozen=True, slots=True)
class _Place:
    """A map and its buffer."""

    layout: MapLayout
    buffer: str


def cut(size: int, parts: int) -> list[Interval]:
    """[0, size) in `parts` parts; part i starts at ceil(i * size / parts)."""
    return list(itertools.pairwise(-(-size * i // parts) for i in range(parts + 1)))


def plan_run(planner: PlanBuilder, run: Run) -> None:
    """Add all steps of a run."""
    _RunPlanner(planner, run).plan()


class _RunPlanner:
    """One run. `source`, `target`: its input and its result."""

    def __init__(self, planner: PlanBuilder, run: Run) -> None:
        flow = planner.dataflow
        self.planner = planner
        self.run = run
        self.operators: Sequence[Operator] = flow.operators[run.first : run.last + 1]
        self.source = flow.activations(self.operators[0])[0]
        self.target = self.operators[-1].outputs[0]
        self.from_host = flow.producer(self.source) is None
        self.to_host = run.rows > 1 and not flow.readers(self.target)
        if self.to_host:
            planner.sent.add(self.target)

    def plan(self) -> None:
        height, width, _ = self.planner.map_shape(self.target)
        parts = cut(height, self.run.rows)
        columns = cut(width, self.run.columns)
        begin = self.planner.now
        results: list[_Place] = []
        for number, rows in enumerate(parts):
            start = self.planner.now
            results.append(self._row_part(number, rows, columns))
            self._check(start, results, parts)
        if len(results) > 1 and not self.to_host:
            self.planner.counted_from.update((result.buffer, begin) for result in results)
            self._collect(self.planner, results, Along.ROWS)
        for op in self.operators:
            for segment in self.planner.add_segments(op):
                self.planner.passes[segment] = self.run.passes

    def _check(self, start: int, results: Sequence[_Place], parts: Sequence[Interval]) -> None:
        """Raise RunOverflow if the steps of the last part of the rows, from `start` on, do not fit,
        though not all that lives with them is known yet. Results of parts live until all are
        there (and count from the beginning)."""
        planner = self.planner
        waiting: Sequence[Interval] = ()
        if not self.to_host and len(parts) > 1:
            waiting = parts if planner.counted else parts[: len(results) - 1]
        names = {place.buffer for place in results[: len(waiting)]}
        held = sum(map(self._result_words, waiting))
        buffers = (buffer for buffer in planner.buffers if buffer.name not in names)
        for found in overflows(buffers, planner.now, planner.capacity - held, start):
            overflow = Overflow(found.step, found.words + held)
            raise RunOverflow(self.run, planner.steps[found.step], overflow)

    def _result_words(self, rows: Interval) -> int:
        """Words of a part of the result."""
        _, width, channels = self.planner.map_shape(self.target)
        return most_words(rows, (0, width), channels)

    def _row_part(self, number: int, rows: Interval, columns: Sequence[Interval]) -> _Place:
        """All passes of one part of the rows; its result, over all columns."""
        passes = []
        for place, part in enumerate(columns):
            name = f"run {self.run.first} pass {number}.{place}"
            builder = PassBuilder(self.planner, name, self.target)
            builder.look_back(self.operators, (rows, part))
            self._widen(builder)
            passes.append(builder)
        part_builder = PassBuilder(self.planner, f"run {self.run.first} rows {number}", self.target)
        spans = [builder.extents[self.source] for builder in passes]
        needed = min(rows[0] for rows, _ in spans), max(rows[1] for rows, _ in spans)
        if self.from_host:
            self._from_host(number, needed, part_builder, passes)
        else:
            self._on_chip(needed, part_builder, passes)
        results = [_Place(_layout(p, self.target), p.consume(self.target)) for p in passes]
        result = results[0]
        if len(passes) > 1:
            if self.run.rows > 1:
                width = self.planner.map_shape(self.target)[1]
                part_builder.lay_out_compact(self.target, (rows, (0, width)))
                result = self._collect(part_builder, results, Along.COLUMNS)
            else:
                result = self._collect(self.planner, results, Along.COLUMNS)
        if self.to_host:
            sender = part_builder if len(passes) > 1 else passes[0]
            self.planner.add(map_output_step(sender, self.target, result.layout))
        return result

    def _widen(self, builder: PassBuilder) -> None:
        """An axis that is not cut stays as the source is cut over the tiles, though a stride may
        leave its last pixels out; the host sends whole rows, and only those that are read."""
        rows, columns = builder.extents[self.source]
        height, width, _ = self.planner.map_shape(self.source)
        if self.run.rows == 1 and not self.from_host:
            rows = 0, height
        if self.run.columns == 1:
            columns = 0, width
        builder.extents[self.source] = rows, columns

    # -- the run's input ------------------------------------------------------------------

    def _from_host(
        self, number: int, rows: Interval, part: PassBuilder, passes: Sequence[PassBuilder]
    ) -> None:
        """The host sends the rows; they are parked in wide memory for all passes but the
        first, which finds them in narrow memory."""
        again = number > 0
        keep = self.run.rows > 1
        if len(passes) == 1:
            (only,) = passes
            layout = only.lay_out_map(self.source)
            self.planner.add(image_step(only, self.source, layout, keep=keep, again=again))
            self._layers(only)
            return
        width = self.planner.map_shape(self.source)[1]
        layout = part.lay_out_compact(self.source, (rows, (0, width)))
        self.planner.add(image_step(part, self.source, layout, keep=keep, again=again))
        buffer = part.consume(self.source)
        self._park(layout, buffer)
        for place, builder in enumerate(passes):
            if place:
                name = f"{tensor_buffer(self.source)} again {place}"
                buffer = part.scratch(name, layout.words, rank=0)
                self._restore(layout, buffer, last=builder is passes[-1])
            self._pass_input(builder, _Place(layout, part.keep(buffer)), Along.COLUMNS)
            self._layers(builder)

    def _on_chip(self, rows: Interval, part: PassBuilder, passes: Sequence[PassBuilder]) -> None:
        """The inputs of all passes are cut out first, that of the first pass last."""
        place = self._whole()
        along = Along.COLUMNS
        if self.run.rows > 1 and len(passes) == 1:
            along = Along.ROWS
        elif self.run.rows > 1:
            width = self.planner.map_shape(self.source)[1]
            part.lay_out_compact(self.source, (rows, (0, width)))
            self._collect(part, [place], Along.ROWS, tensor=self.source)
            place = _Place(_layout(part, self.source), part.consume(self.source))
        for builder in (*passes[:0:-1], passes[0]):
            kept = _Place(place.layout, self.planner.keep(place.buffer))
            self._pass_input(builder, kept, along)
        for builder in passes:
            self._layers(builder)

    def _whole(self) -> _Place:
        layout = _layout(self.planner, self.source)
        return _Place(layout, self.planner.consume(self.source))

    def _pass_input(self, builder: PassBuilder, place: _Place, along: Along) -> None:
        layout = builder.lay_out_map(self.source)
        if place.layout.pixel_words != place.layout.channel_words:
            raise Refusal(self.operators[0].index, "a part of a joint map in spatial passes")
        builder.claim(self.source)
        buffer = builder.produce(self.source, layout.words)
        fifo = builder.scratch("pass fifo", FIFO_WORDS)
        self.planner.add(
            PassInputStep(
                move=Move(AxisRelayout(place.layout, layout, along), place.buffer, buffer),
                layout=layout,
                exchange=halo_moves(layout) if layout.has_halo else (),
                zero=zero_point(self.planner.graph.tensor(self.source)),
                fifo_buffer=fifo,
                identity_buffer=self._identity(),
            )
        )

    def _layers(self, builder: PassBuilder) -> None:
        for op in self.operators:
            for family in builder.families:
                if op.name in family.operators and family.by_parts(builder, op):
                    family.plan(builder, op)
                    break
            else:
                raise Refusal(op.index, f"{op.name} does not run on a part of its map")

    # -- wide memory ----------------------------------------------------------------------

    def _park(self, layout: MapLayout, buffer: str) -> None:
        taken = self.planner.taken
        lines = parked_lines(layout)
        line = stack_blocks(WIDE_LINES, {_PARKED: lines}, self.operators[0].index, taken.values())[
            _PARKED
        ]
        taken[_PARKED] = (line, line + lines)
        self.planner.add(self._park_step(layout, buffer, line, restore=False))

    def _restore(self, layout: MapLayout, buffer: str, *, last: bool) -> None:
        line = self.planner.taken[_PARKED][0]
        self.planner.add(self._park_step(layout, buffer, line, restore=True))
        if last:
            del self.planner.taken[_PARKED]

    def _park_step(self, layout: MapLayout, buffer: str, line: int, *, restore: bool) -> ParkStep:
        return ParkStep(
            lowest_line=line,
            rectangles=parked_rectangles(layout),
            pixel_words=layout.pixel_words,
            buffer=buffer,
            line=line,
            restore=restore,
        )

    def _identity(self) -> str:
        """Scratch to make the identity line from, '' if it is there. It lies below what is
        parked; with several parts of the rows, below the blocks of all steps."""
        planner = self.planner
        identity = planner.shared_identity
        if self.run.rows == 1 and identity.may_be_high and not identity.used:
            identity.line = planner.block_line(1)
            planner.taken[IDENTITY] = (identity.line, identity.line + 1)
        return planner.identity()

    # -- the run's result -----------------------------------------------------------------

    def _collect(
        self,
        planner: PlanBuilder,
        parts: Sequence[_Place],
        along: Along,
        tensor: int | None = None,
    ) -> _Place:
        """Put parts together to a map of `planner`, the result of the run by default."""
        tensor = self.target if tensor is None else tensor
        layout = planner.layouts.get(tensor)
        if not isinstance(layout, MapLayout):
            layout = planner.lay_out_map(tensor)
        if layout.pixel_words != layout.channel_words:
            raise Refusal(self.operators[-1].index, "a part of a joint map from spatial passes")
        buffer = planner.produce(tensor, layout.words)
        fifo = planner.scratch(f"collect {tensor}", FIFO_WORDS)
        identity = self._identity()
        moves = tuple(
            Move(AxisRelayout(part.layout, layout, along), self.planner.keep(part.buffer), buffer)
            for part in parts
        )
        self.planner.add(
            CollectStep(
                moves=moves,
                fifo_buffer=fifo,
                identity_buffer=identity,
            )
        )
        return _Place(layout, buffer)


def _layout(planner: PlanBuilder, tensor: int) -> MapLayout:
    layout = planner.layouts[tensor]
    assert isinstance(layout, MapLayout)
    return layout
