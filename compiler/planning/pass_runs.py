"""Which operators run in spatial passes, and in how many.

Operators are seen in cells (`pass_cells.py`), most of them of one. Those whose maps do not fit
into the narrow memory together with all that lives at the same time are *overfull*. Neighbours
among them make one run, widened at both ends to the smallest tensor in reach; the number of passes
grows until everything fits. Facts: docs/format/passes.md, "Which operators".
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from ..frontend.graph import Operator
from .builder import PlanBuilder
from .map_output import ITEM_WORDS
from .pass_cells import LONGEST, by_parts, cells, residual_start
from .pass_estimate import least_words
from .pass_overflow import Overflow, RunOverflow
from .pass_steps import CollectStep, PassInputStep
from .passes import Run, cut
from .plan import LONGEST_LOOP, Step
from .refusal import NoRoom
from .tiling import length, split

MOST_PASSES = 144
"""Passes a run may have; more would take minutes to run."""
SINGLE_STEPS = 6
"""Attempts of a run that are one pass more each."""
MOST_STEPS = 32
"""Attempts of a run in all."""
MOST_WORK = 9000
"""Steps of all plans that do not fit; more would take many seconds."""
EVEN_PASSES = 16
"""Passes up to which parts of the columns and of the rows take turns."""
MANY_ROWS = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 36)
MANY_COLUMNS = (4, 6, 8, 12)
"""Parts of the rows and of the columns of runs of more passes."""


class RunChooser:
    """Keeps the runs of one region from attempt to attempt."""

    def __init__(self, planner: PlanBuilder, capacity: int, *, counted: bool) -> None:
        self.counted = counted
        self.flow = planner.dataflow
        self.planner = planner
        self.capacity = capacity
        self.operators = self.flow.operators
        self.overfull: set[int] = set()
        self.steps: Counter[int] = Counter()
        self.work = 0
        self.most_work = MOST_WORK // 3 if counted else MOST_WORK
        self.joins: set[int] = set()
        self._arrange()
        self.runs: tuple[Run, ...] = ()

    def _arrange(self) -> None:
        """The operators in cells; residual blocks are some where their sums do not fit, or where
        a run has to go on through them (`joins`)."""
        self.cells = cells(self.planner, self.overfull | self.joins)
        self.cell_of = [cell for cell, places in enumerate(self.cells) for _ in places]

    def next(self, planner: PlanBuilder, spans: Sequence[range], found: Sequence[Overflow]) -> None:
        """Better runs after an attempt. spans: steps of each operator (those of a run are its
        first operator's); found: what did not fit."""
        self.work += planner.now
        places = {step: place for place, span in enumerate(spans) for step in span}
        runs = {run.first: run for run in self.runs}
        fresh = {places.get(overflow.step, 0): overflow for overflow in reversed(found)}
        fresh = {place: overflow for place, overflow in fresh.items() if place not in runs}
        progress = not self.overfull.issuperset(fresh)
        self.overfull.update(fresh)
        self._arrange()
        for place, overflow in fresh.items():
            if not self._runs_by_parts(self.cell_of[place]):
                raise self._refusal(place, overflow)
        grown: dict[Run, Run] = {}
        for overflow in found:
            run = runs.get(places.get(overflow.step, 0))
            if run is not None and run not in grown:
                grown[run] = self._better(planner.steps[overflow.step], run, overflow)
        if not progress and not grown:
            raise self._refusal(places.get(found[0].step, 0), found[0])
        self.runs = self._rebuilt([grown.get(run, run) for run in self.runs])

    def better(self, found: RunOverflow) -> None:
        """A better run in place of one that is known not to fit."""
        self.work += found.overflow.step
        run = self._better(found.step, found.run, found.overflow)
        self.runs = self._rebuilt([run if other == found.run else other for other in self.runs])

    def more_rows(self, op: int | None) -> bool:
        """Cut the rows of the run that operator `op` is in once more, so that less has to be
        parked in wide memory; whether that was possible."""
        for run in self.runs:
            places = range(run.first, run.last + 1)
            if op is not None and op in [self.operators[place].index for place in places]:
                height, _, _ = self.planner.map_shape(self._result(self.cell_of[run.last]))
                grown = replace(run, rows=run.rows + 1)
                while grown.rows <= height and not self._sendable(grown):
                    grown = replace(grown, rows=grown.rows + 1)
                if grown.rows > height or grown.rows * grown.columns > MOST_PASSES:
                    return False
                self.runs = tuple(grown if other is run else other for other in self.runs)
                return True
        return False

    def _rebuilt(self, known: Sequence[Run]) -> tuple[Run, ...]:
        """Runs of all overfull operators; runs that overlap become one."""
        proposed = [self._aligned(run) for run in known]
        for region in self._regions():
            first, last = self._places(region)
            if not any(run.first <= first and last <= run.last for run in proposed):
                proposed.append(Run(*self._places(self._widened(*region)), columns=2))
        proposed.sort(key=lambda run: (run.first, run.last))
        merged: list[Run] = []
        for run in proposed:
            if merged and run.first <= merged[-1].last:
                merged.append(_union(merged.pop(), run))
            else:
                merged.append(run)
        return tuple(map(self._with_whole_items, merged))

    def _with_whole_items(self, run: Run) -> Run:
        """More parts of the rows, until each begins where the outfeed can."""
        height, _, _ = self.planner.map_shape(self._result(self.cell_of[run.last]))
        for rows in range(run.rows, height + 1):
            if self._sendable(replace(run, rows=rows)):
                return replace(run, rows=rows)
        return replace(run, rows=1)

    def _aligned(self, run: Run) -> Run:
        """The run with whole cells at its ends."""
        first, last = self._places((self.cell_of[run.first], self.cell_of[run.last]))
        return replace(run, first=first, last=last)

    def _places(self, between: tuple[int, int]) -> tuple[int, int]:
        """Places of the first and last operators of cells."""
        return self.cells[between[0]][0], self.cells[between[1]][-1]

    def _regions(self) -> list[tuple[int, int]]:
        """Overfull cells that follow each other in a chain, as (first, last)."""
        regions: list[tuple[int, int]] = []
        for cell in sorted({self.cell_of[place] for place in self.overfull}):
            if regions and regions[-1][1] == cell - 1 and self._linked(cell):
                regions[-1] = (regions[-1][0], cell)
            else:
                regions.append((cell, cell))
        return regions

    def _widened(self, first: int, last: int) -> tuple[int, int]:
        """Cells, as far as tensors do not get larger, to the smallest; of equal ones the
        nearest."""
        best, smallest = first, self._words(self._source(first))
        for cell in range(first, 0, -1):
            if not self._linked(cell):
                break
            words = self._words(self._source(cell - 1))
            if words > smallest:
                break
            if words < smallest:
                best, smallest = cell - 1, words
        end, smallest = last, self._words(self._result(last))
        for cell in range(last + 1, len(self.cells)):
            if not self._linked(cell):
                break
            words = self._words(self._result(cell))
            if words > smallest:
                break
            if words < smallest:
                end, smallest = cell, words
        return best, end

    def _better(self, step: Step, run: Run, overflow: Overflow) -> Run:
        """Where a whole map and its parts do not fit together, more passes do not help: the
        run gets longer."""
        if not overflow.scattered and isinstance(step, CollectStep):
            found = self._longer_behind(run) or self._grown(run)
        elif not overflow.scattered and isinstance(step, PassInputStep):
            found = self._longer_in_front(run) or self._grown(run)
        else:
            found = self._grown(run)
        found = found or self._smaller(run)
        self.steps[run.first] += 1
        if found is None or self.steps[run.first] > MOST_STEPS or self.work > self.most_work:
            raise self._refusal(run.first, overflow)
        return found

    def _smaller(self, run: Run) -> Run | None:
        """A longer run with smaller ends."""
        behind, front = self._longer_behind(run), self._longer_in_front(run)
        return next((r for r in (behind, front) if r and self._ends(r) < self._ends(run)), None)

    def _ends(self, run: Run) -> int:
        """Words of source and result."""
        first, last = self.cell_of[run.first], self.cell_of[run.last]
        return self._words(self._source(first)) + self._words(self._result(last))

    def _longer_behind(self, run: Run) -> Run | None:
        self._join_behind(run)
        whole = self._aligned(run)
        first, last = self.cell_of[whole.first], self.cell_of[whole.last]
        if whole == run and not self._linked(last + 1):
            return None
        last += self._linked(last + 1)
        return replace(whole, last=self._places(self._widened(first, last))[1])

    def _longer_in_front(self, run: Run) -> Run | None:
        first, last = self.cell_of[run.first], self.cell_of[run.last]
        if self.flow.producer(self._source(first)) is None or not self._linked(first):
            return None
        return replace(run, first=self._places(self._widened(first - 1, last))[0])

    def _join_behind(self, run: Run) -> None:
        """Make a cell of a residual block that follows a run, or that the run lies in."""
        following = run.last + 1
        if self._linked(self.cell_of[run.last] + 1):
            return
        for place in range(following, min(following + LONGEST, len(self.operators))):
            if residual_start(self.planner, place) <= min(following, place - 1):
                self.joins.add(place)
                self._arrange()
                return

    def _grown(self, run: Run) -> Run | None:
        """More parts, until they may fit; None if they never do. Behind `SINGLE_STEPS`, the number
        of passes grows by a fifth at least."""
        height, width, _ = self.planner.map_shape(self._result(self.cell_of[run.last]))
        least = run.passes + 1
        if self.steps[run.first] >= SINGLE_STEPS:
            least = max(least, run.passes * 6 // 5)
        for rows, columns in _divisions(height, width):
            grown = replace(run, rows=rows, columns=columns)
            if rows * columns >= least and self._sendable(grown) and self._may_fit(grown):
                return grown
        return None

    def _may_fit(self, run: Run) -> bool:
        return least_words(self.planner, run, counted=self.counted) <= self.capacity

    def _sendable(self, run: Run) -> bool:
        """Whether parts that go to the host begin at whole items of the outfeed."""
        result = self._result(self.cell_of[run.last])
        if not self.flow.is_output(result):
            return True
        height, width, channels = self.planner.map_shape(result)
        words = width * -(-channels // 4)
        return all(low * words % ITEM_WORDS == 0 for low, _ in cut(height, run.rows))

    def _linked(self, cell: int) -> bool:
        """Whether the cell only reads what the one before it makes for it alone, and both can
        run on parts."""
        if not 0 < cell < len(self.cells):
            return False
        result = self._result(cell - 1)
        places = self.cells[cell]
        readers = {reader.index for reader in self.flow.readers(result)}
        return (
            self._runs_by_parts(cell)
            and self._runs_by_parts(cell - 1)
            and self._source(cell) == result
            and readers <= {self.operators[place].index for place in places}
            and not self.flow.is_output(result)
        )

    def _runs_by_parts(self, cell: int) -> bool:
        places = self.cells[cell]
        activations = set(self.flow.activations(self.operators[places[-1]]))
        return (len(places) > 1 or len(activations) == 1) and all(
            by_parts(self.planner, self.operators[place], self.planner.families) for place in places
        )

    def _source(self, cell: int) -> int:
        return self.flow.activations(self.operators[self.cells[cell][0]])[0]

    def _result(self, cell: int) -> int:
        return self.operators[self.cells[cell][-1]].outputs[0]

    def _words(self, tensor: int) -> int:
        """Words of the busiest tile, without halo."""
        height, width, channels = self.planner.map_shape(tensor)
        busiest = [max(map(length, split(0, size))) for size in (height, width)]
        return busiest[0] * busiest[1] * -(-channels // 4)

    def _refusal(self, place: int, overflow: Overflow) -> NoRoom:
        op: Operator = self.operators[place]
        if overflow.loop:
            return NoRoom(
                op.index,
                f"more pixels of this {op.name} on a tile than a loop counts",
                actual=overflow.words,
                allowed=f"at most {LONGEST_LOOP}",
            )
        return NoRoom(
            op.index,
            f"the maps around this {op.name} do not fit into a tile's narrow memory",
            actual=f"{overflow.words} words",
            allowed=f"at most {self.capacity}",
        )


def _divisions(height: int, width: int) -> Iterator[tuple[int, int]]:
    """Parts of the rows and of the columns to try, in order: of the columns and of the rows in
    turn; beyond `EVEN_PASSES`, by the number of passes."""
    run = Run(0, 0, columns=2)
    while run.passes <= EVEN_PASSES:
        if run.rows <= height and run.columns <= width:
            yield run.rows, run.columns
        run = run.grown()
    many = sorted(
        itertools.product(
            [n for n in MANY_ROWS if n <= height] or [height],
            [n for n in MANY_COLUMNS if n <= width] or [width],
        ),
        key=lambda parts: (parts[0] * parts[1], parts[1]),
    )
    yield from (parts for parts in many if EVEN_PASSES < parts[0] * parts[1] <= MOST_PASSES)


def _union(a: Run, b: Run) -> Run:
    """One run instead of two that overlap."""
    return Run(
        min(a.first, b.first),
        max(a.last, b.last),
        max(a.rows, b.rows),
        max(a.columns, b.columns),
    )
