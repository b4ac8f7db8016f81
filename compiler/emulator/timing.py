"""Costs in clock cycles, and the record of what every unit did when.

Supported by evidence is only the tensor unit's cost, one cycle a step; the others are plausible
(docs/emulator.md, "Time", says what is not modelled).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .execution import Execution, Side

if TYPE_CHECKING:
    from .feeds import Feed

CLOCK_HERTZ = 500_000_000
LINK_BYTES_PER_SECOND = 253_000_000
"""USB 3 between host and chip, as published inference times suggest."""
PARAMETER_BYTES_PER_SECOND = 517_000_000
"""The same for parameters that are streamed, which cross in long transfers."""
PRODUCTS_PER_CYCLE = 16 * 256
"""Multiplications all tiles can do in a cycle."""


def link_seconds(parameters: int, others: int) -> float:
    """Seconds of the transfers of one inference. parameters: bytes of streamed ones; others:
    bytes of the program, inputs and outputs."""
    return parameters / PARAMETER_BYTES_PER_SECOND + others / LINK_BYTES_PER_SECOND


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
    moved: int = 0
    products: int = 0


@dataclass(slots=True)
class FeedSpan:
    """One instruction of a unit beside the scalar core."""

    unit: int
    place: str
    begin: float
    end: float = 0.0


@dataclass
class Timeline:
    """Everything the units did, in order of start."""

    spans: list[Span] = field(default_factory=list)
    feeds: list[FeedSpan] = field(default_factory=list)
    _open: dict[tuple[int, int], Span] = field(default_factory=dict)
    _open_feeds: dict[int, FeedSpan] = field(default_factory=dict)

    def begin(self, execution: Execution, tile: int, now: float) -> None:
        span = Span(execution, tile, now)
        self.spans.append(span)
        self._open[id(execution), tile] = span

    def block(self, execution: Execution, tile: int, side: Side, items: tuple[int, int]) -> None:
        """Items items[0]..items[1] of a side are done."""
        span = self._open[id(execution), tile]
        span.busy += side.cycles(*items)
        span.moved += side.moved(*items)
        span.products += side.products(*items)

    def end(self, execution: Execution, tile: int, now: float) -> None:
        self._open.pop((id(execution), tile)).end = now

    def begin_feed(self, unit: int, run: Feed, now: float) -> None:
        span = self._open_feeds[unit] = FeedSpan(unit, run.place, now)
        self.feeds.append(span)

    def end_feed(self, unit: int, run: Feed, now: float) -> None:
        self._open_feeds.pop(unit).end = now
