"""Cuts a model so that the segments of a pipeline take about the same time.

The search is that of libcoral's profiling partitioner: bisection of the latency that no
segment may exceed; for each such target every segment in turn takes as many operators as
stay below it, and what is left makes the last segment (docs/usage.md, "Equal latencies").
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ..errors import ResourceError, Where
from ..frontend.graph import Graph
from .latency import LatencyModel
from .segment_compiler import CompiledSegment, SegmentCompiler, compile_segment
from .segmentation import cut_model, execution_order, first_output
from .segments import segment_model

LOOK_AHEAD = 2
"""Steps beyond the first segment that is too slow: behind a pool a longer one may be faster,
because its result is smaller."""

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Search:
    """Options of the search, in nanoseconds and operators."""

    segments: int
    diff_threshold_ns: int = 1_000_000
    step: int = 1
    lower_bound_ns: int = -1
    upper_bound_ns: int = -1

    @property
    def measure_bounds(self) -> bool:
        return self.lower_bound_ns < 0 or self.upper_bound_ns < 0


@dataclass(frozen=True, slots=True)
class Candidate:
    """A way to cut: operators and latency of each segment."""

    counts: tuple[int, ...]
    latencies: tuple[int, ...]

    @property
    def slowest(self) -> int:
        return max(self.latencies)


@dataclass(eq=False)
class Profiler:
    """Compiles and times segments, each once. name: of the model, for file names."""

    graph: Graph
    name: str
    compiler: SegmentCompiler
    latency: LatencyModel
    progress: Report = lambda _text: None
    order: list[int] = field(init=False)
    known: dict[tuple[int, int], int | None] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self.order = execution_order(self.graph)

    def operators(self, start: int, count: int) -> list[int]:
        return self.order[start : start + count]

    def compile(self, start: int, count: int, name: str) -> CompiledSegment | None:
        """A segment compiled, None if it does not compile."""
        data = segment_model(self.graph, self.operators(start, count))
        return compile_segment(self.compiler, name, data)

    def latency_ns(self, start: int, count: int) -> int | None:
        """Latency of a segment, None if it does not compile."""
        key = (start, count)
        if key not in self.known:
            self.progress(f"{len(self.known) + 1} segments tried, now {start}..{start + count}")
            compiled = self.compile(start, count, f"{self.name}_{start}_{count}")
            latency = None if compiled is None else self.latency.latency_ns(compiled.model)
            self.known[key] = latency
        return self.known[key]

    def candidate(self, counts: Sequence[int]) -> Candidate | None:
        """All segments timed, None if one does not compile."""
        latencies = []
        start = 0
        for count in counts:
            latency = self.latency_ns(start, count)
            if latency is None:
                return None
            latencies.append(latency)
            start += count
        return Candidate(tuple(counts), tuple(latencies))


def partition(profiler: Profiler, search: Search, report: Report) -> Candidate:
    """The best cut found. Raises OptionError if the model has too few operators, ResourceError
    if no way to cut it compiles."""
    runs = cut_model(profiler.graph, search.segments)
    best = None
    lower, upper = search.lower_bound_ns, search.upper_bound_ns
    if search.measure_bounds:
        best = profiler.candidate([len(run) for run in runs])
        if best is None:
            raise _nothing_compiles(profiler)
        lower, upper = min(best.latencies), best.slowest
        report(f"by parameter bytes: {_text(best)}")
    while upper - lower > max(search.diff_threshold_ns, 1):
        target = (lower + upper) // 2
        found = _within(profiler, search, target)
        if found and (best is None or found.slowest < best.slowest):
            best = found
        if found and found.slowest <= target:
            upper = target
        else:
            lower = target
            upper = min(upper, found.slowest) if found else upper
        report(f"target {target} ns: {_text(found) if found else 'none'}")
    if best is None:
        raise _nothing_compiles(profiler)
    return best


def _within(profiler: Profiler, search: Search, target: int) -> Candidate | None:
    """Every segment but the last as long as `target` allows; None where even the shortest is
    too slow or does not compile."""
    last_start = first_output(profiler.graph, profiler.order)
    counts: list[int] = []
    for number in range(search.segments - 1):
        start = sum(counts)
        limit = last_start - start - (search.segments - 2 - number)
        count = _longest(profiler, start, limit, target, search.step)
        if count is None:
            return None
        counts.append(count)
    return profiler.candidate([*counts, len(profiler.order) - sum(counts)])


def _longest(profiler: Profiler, start: int, limit: int, target: int, step: int) -> int | None:
    """The most operators from `start` on, up to `limit`, that take at most `target`; counts
    are `limit` less multiples of `step`. More operators take longer, as a rule."""

    def holds(count: int) -> bool:
        latency = profiler.latency_ns(start, count)
        return latency is not None and latency <= target

    counts = range(limit, 0, -step)[::-1]
    low, high = 0, len(counts)
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if holds(counts[middle]) else (low, middle)
    beyond = counts[low + 1 : low + 1 + LOOK_AHEAD]
    longer = next((count for count in beyond[::-1] if holds(count)), None)
    return longer or (counts[low - 1] if low else None)


def _nothing_compiles(profiler: Profiler) -> ResourceError:
    return ResourceError(
        "no way to cut the model compiles",
        where=Where(file=profiler.graph.source),
        hint="Try other bounds, or fewer segments.",
    )


def _text(candidate: Candidate) -> str:
    counts = ",".join(map(str, candidate.counts))
    latencies = ",".join(map(str, candidate.latencies))
    return f"operators {counts}, latencies {latencies} ns"
