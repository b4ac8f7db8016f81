"""Costs in clock cycles, and the record of what every unit did when.

Supported by evidence is only the tensor unit's cost, one cycle a step; the others are plausible
(docs/performance.md says what is not modelled).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .execution import Execution

CLOCK_HERTZ = 500_000_000


@dataclass(frozen=True, slots=True)
class Speeds:
    """Cycles of what is not a stream item. seed: draw the speed of every instruction from a
    log-normal distribution of standard deviation `spread`."""

    scalar: float = 1.0
    issue: float = 1.0
    fence: float = 20.0
    seed: int | None = None
    spread: float = 1.2


@dataclass(slots=True)
class Span:
    """One instruction on one tile: from `begin` to `end`, working `busy` cycles of them."""

    execution: Execution
    tile: int
    begin: float
    end: float = 0.0
    busy: float = 0.0


@dataclass
class Timeline:
    """Everything the tiles' units did, in order of start."""

    spans: list[Span] = field(default_factory=list)
    _open: dict[tuple[int, int], Span] = field(default_factory=dict)

    def begin(self, execution: Execution, tile: int, now: float) -> None:
        span = Span(execution, tile, now)
        self.spans.append(span)
        self._open[id(execution), tile] = span

    def block(self, execution: Execution, tile: int, cycles: float) -> None:
        self._open[id(execution), tile].busy += cycles

    def end(self, execution: Execution, tile: int, now: float) -> None:
        self._open.pop((id(execution), tile)).end = now
