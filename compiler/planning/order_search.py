"""In which order several models should share the wide memory.

With priority by order (`share(by_order=True)`) the first model keeps most of its parameters
on the chip. The best order lets the fewest wide lines a second be streamed.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from ..fast_dataclass import dataclass
from .parameter_placement import total_lines
from .plan import Plan
from .shared_memory import select

EXHAUSTIVE = 6
"""Up to this many models every order is tried."""

_Order = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class OrderChoice:
    """The best order found. order: model numbers, the one with priority first; tried: orders
    that were compared; streamed: wide lines each model streams at every run, by model number;
    cost: the weighted sum of these."""

    order: tuple[int, ...]
    tried: int
    streamed: tuple[int, ...]
    cost: float


def optimize_order(
    models: Sequence[Sequence[Plan]], weights: Sequence[float] | None = None
) -> OrderChoice:
    """The order of `models` (each the plans of its custom operators) that streams least.

    weights: runs per second of each model, default 1 for all. Equal orders: the first in
    lexical order, so that the result does not depend on chance.
    """
    search = _Search(models, weights or [1.0] * len(models))
    if len(models) <= EXHAUSTIVE:
        best = min(itertools.permutations(range(len(models))), key=search.cost)
    else:
        best = search.climb()
    streamed = search.streamed(best)
    return OrderChoice(best, len(search.known), streamed, search.cost(best))


class _Search:
    """Costs of orders, each computed once."""

    def __init__(self, models: Sequence[Sequence[Plan]], weights: Sequence[float]) -> None:
        self.models = models
        self.weights = weights
        self.known: dict[_Order, float] = {}

    def cost(self, order: _Order) -> float:
        """Weighted lines a second."""
        if order not in self.known:
            lines = self.streamed(order)
            self.known[order] = sum(w * n for w, n in zip(self.weights, lines, strict=True))
        return self.known[order]

    def streamed(self, order: _Order) -> tuple[int, ...]:
        """Wide lines each model streams, by model number."""
        plans = [plan for number in order for plan in self.models[number]]
        owners = [number for number in order for plan in self.models[number] for _ in plan.segments]
        segments = [segment for plan in plans for segment in plan.segments]
        lines = [0] * len(self.models)
        if plans:
            for index in select(plans, by_order=True).streamed:
                lines[owners[index]] += total_lines(segments[index])
        return tuple(lines)

    def climb(self) -> _Order:
        """From the models by weight per line on: the best move of one model to another
        place, until none helps."""
        order = tuple(sorted(range(len(self.models)), key=self._sparing))
        while True:
            best = min(_moves(order), key=lambda other: (self.cost(other), other))
            if self.cost(best) >= self.cost(order):
                return order
            order = best

    def _sparing(self, number: int) -> tuple[float, int]:
        lines = sum(total_lines(s) for plan in self.models[number] for s in plan.segments)
        return -self.weights[number] / max(lines, 1), number


def _moves(order: _Order) -> Iterator[_Order]:
    """All orders with one model at another place."""
    for i, number in enumerate(order):
        rest = order[:i] + order[i + 1 :]
        for j in range(len(order)):
            if i != j:
                yield (*rest[:j], number, *rest[j:])
