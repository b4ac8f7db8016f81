"""Who keeps which parameters on the chip: one program alone, or several that share the wide
memory (co-compiled models, subgraphs of one model).

Reads plans without placements, writes them with. All programs' parameters lie in disjoint
lines below the lowest transient line of any, so that each runs alone and after any other.
Facts: docs/format/memory.md, "Sharing".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..fast_dataclass import dataclass
from .caching_selection import CachingSelection, select_cached
from .parameter_placement import place_parameters, total_lines
from .plan import WIDE_LINES, Plan, Segment


@dataclass(frozen=True, slots=True)
class _Pool:
    """Layers of all programs. `order`: indices by program, then by operator of the source;
    `programs`: program number of each segment; `passes`: of layers in spatial passes."""

    segments: tuple[Segment, ...]
    programs: tuple[int, ...]
    order: tuple[int, ...]
    passes: Mapping[int, int]
    capacity: int
    small_sort: int


def share(plans: Sequence[Plan], *, by_order: bool = False) -> list[Plan]:
    """The plans with their parameters placed.

    by_order: the first program's layers have priority over all of the second's, and so on;
    otherwise every layer competes with every other, as in the release this compiler follows.
    """
    if not plans:
        return []
    pool = _pool(plans)
    cached = select(plans, by_order=by_order).cached
    placement = iter(
        place_parameters(
            pool.segments,
            pool.capacity,
            cached=cached,
            order=pool.order,
            passes=pool.passes,
            small_sort=pool.small_sort,
        )
    )
    shared = [
        replace(plan, placement=tuple(next(placement) for _ in plan.segments)) for plan in plans
    ]
    for plan in shared:
        plan.verify()
    return shared


def select(plans: Sequence[Plan], *, by_order: bool = False) -> CachingSelection:
    """Cached and streamed layers, as indices into the segments of all plans in a row."""
    pool = _pool(plans)
    groups = [pool.order]
    if by_order:
        groups = [
            tuple(i for i in pool.order if pool.programs[i] == number)
            for number in range(len(plans))
        ]
    return select_cached(pool.segments, pool.capacity, groups=groups, small_sort=pool.small_sort)


def shared_capacity(plans: Sequence[Plan]) -> int:
    """Wide lines of a tile for parameters: what the hungriest program leaves."""
    return min((plan.capacity for plan in plans), default=WIDE_LINES)


def cached_lines(plan: Plan) -> int:
    """Wide lines of all tiles that a plan's cached layers take."""
    return sum(piece.lines for pieces in plan.placement for piece in pieces)


def streamed_lines(plan: Plan) -> int:
    """Wide lines that a plan's streamed layers would take."""
    layers = zip(plan.segments, plan.placement, strict=True)
    return sum(total_lines(segment) for segment, pieces in layers if not pieces)


def _pool(plans: Sequence[Plan]) -> _Pool:
    segments = tuple(segment for plan in plans for segment in plan.segments)
    programs = tuple(number for number, plan in enumerate(plans) for _ in plan.segments)
    order = sorted(range(len(segments)), key=lambda i: (programs[i], segments[i].op))
    passes: dict[int, int] = {}
    count = 0
    for plan in plans:
        passes.update({count + index: times for index, times in plan.passes.items()})
        count += len(plan.segments)
    return _Pool(
        segments,
        programs,
        tuple(order),
        passes,
        shared_capacity(plans),
        plans[0].release.small_sort,
    )
