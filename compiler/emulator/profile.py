"""A timeline as a table (`--profile`) and as a Chrome trace (`--trace`).

Reads `Timeline`. A *section* is what lies between two barriers, usually a layer or two.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ..lowering.program import TensorOp
from .chip import FEED_UNITS, UNITS
from .device import RunResult
from .timing import CLOCK_HERTZ, PRODUCTS_PER_CYCLE, Span, Timeline, link_seconds

_MICROSECONDS = 1e6
_CORE = 16
"""Process number of the scalar core in a trace; tiles are 0..15."""


@dataclass(frozen=True, slots=True)
class Row:
    """What all tiles did for one instruction, or for all of a section.

    begin, end: cycles; busy: cycles of the busiest tile; moved: bytes; products: multiplications
    of all tiles."""

    name: str
    place: str
    tiles: int
    begin: float
    end: float
    busy: float
    moved: int
    products: int

    @property
    def utilisation(self) -> float:
        """Share of the chip's multiplications in the time between begin and end."""
        cycles = self.end - self.begin
        return self.products / (cycles * PRODUCTS_PER_CYCLE) if cycles > 0 else 0.0


def instruction_rows(timeline: Timeline) -> list[Row]:
    """One row for each instruction, in order of start."""
    groups: dict[int, list[Span]] = {}
    for span in timeline.spans:
        groups.setdefault(id(span.execution), []).append(span)
    return [_row(_name(spans[0]), spans[0].execution.place, spans) for spans in groups.values()]


def section_rows(timeline: Timeline) -> list[Row]:
    """One row for each section with work in it."""
    groups: dict[int, list[Span]] = {}
    for span in timeline.spans:
        groups.setdefault(span.execution.section, []).append(span)
    return [
        _row(f"section {number}", groups[number][0].execution.place, groups[number])
        for number in sorted(groups)
    ]


def _name(span: Span) -> str:
    instruction = span.execution.instruction
    if isinstance(instruction, TensorOp):
        return f"TensorOp {instruction.kind.name}"
    return type(instruction).__name__


def _row(name: str, place: str, spans: list[Span]) -> Row:
    busy: dict[tuple[int, int], float] = {}
    for span in spans:
        key = span.tile, span.execution.unit
        busy[key] = busy.get(key, 0.0) + span.busy
    return Row(
        name,
        place,
        len({span.tile for span in spans}),
        min(span.begin for span in spans),
        max(span.end for span in spans),
        max(busy.values()),
        sum(span.moved for span in spans),
        sum(span.products for span in spans),
    )


def profile_text(result: RunResult, *, instructions: bool = False) -> str:
    """The table of `--profile`: totals, sections and, if asked for, instructions."""
    assert result.timeline is not None and result.cycles is not None
    lines = list(_totals(result))
    lines += ["", *_table(section_rows(result.timeline))]
    if instructions:
        lines += ["", *_table(instruction_rows(result.timeline))]
    return "\n".join(lines) + "\n"


def latency(result: RunResult) -> tuple[float, float]:
    """(seconds on the chip, seconds on the link) of one inference."""
    assert result.cycles is not None
    return result.cycles / CLOCK_HERTZ, link_time(result)


def link_time(result: RunResult) -> float:
    """Seconds of one inference's transfers."""
    others = result.input_bytes + result.output_bytes + result.instruction_bytes
    return link_seconds(result.streamed_bytes, others)


def _totals(result: RunResult) -> Iterator[str]:
    chip, link = latency(result)
    assert result.timeline is not None and result.cycles is not None
    products = sum(span.products for span in result.timeline.spans)
    share = products / (result.cycles * PRODUCTS_PER_CYCLE) if result.cycles else 0.0
    yield f"cycles           {result.cycles:14,.0f}   {chip * 1e3:.3f} ms at 500 MHz"
    yield f"multiplications  {products:14,}   {share:.1%} of what the chip can do in that time"
    for name, size in (
        ("instructions", result.instruction_bytes),
        ("input", result.input_bytes),
        ("parameters", result.streamed_bytes),
        ("output", result.output_bytes),
    ):
        yield f"{name:16} {size:14,} bytes"
    yield f"host transfer    {link * 1e3:14.3f} ms over USB 3 (estimate)"
    yield f"latency          {(chip + link) * 1e3:14.3f} ms (estimate)"


def _table(rows: Iterable[Row]) -> Iterator[str]:
    yield (
        f"{'what':26} {'first instruction':22} {'tiles':>5} {'begin':>10} {'cycles':>9} "
        f"{'busy':>9} {'bytes moved':>12} {'MAC':>6}"
    )
    for row in rows:
        yield (
            f"{row.name:26} {row.place:22} {row.tiles:5} {row.begin:10,.0f} "
            f"{row.end - row.begin:9,.0f} {row.busy:9,.0f} {row.moved:12,} "
            f"{row.utilisation:6.1%}"
        )


def trace(timeline: Timeline) -> str:
    """Chrome trace format, for Perfetto or chrome://tracing: a process for each tile, a track
    for each unit, times in microseconds at 500 MHz."""
    events: list[dict[str, Any]] = list(_names(timeline))
    for span in timeline.spans:
        details = {
            "instruction": span.execution.place,
            "busy cycles": span.busy,
            "bytes moved": span.moved,
            "multiplications": span.products,
            "section": span.execution.section,
        }
        track = span.tile, span.execution.unit
        events.append(_event(_name(span), track, (span.begin, span.end), details))
    for feed in timeline.feeds:
        name = FEED_UNITS[feed.unit]
        details = {"instruction": feed.place}
        events.append(_event(name, (_CORE, feed.unit), (feed.begin, feed.end), details))
    return json.dumps({"traceEvents": events, "displayTimeUnit": "ns"}, separators=(",", ":"))


def _event(
    name: str, track: tuple[int, int], cycles: tuple[float, float], details: dict[str, Any]
) -> dict[str, Any]:
    begin, end = (cycle / CLOCK_HERTZ * _MICROSECONDS for cycle in cycles)
    return {
        "name": name,
        "ph": "X",
        "pid": track[0],
        "tid": track[1],
        "ts": round(begin, 4),
        "dur": round(max(0.0, end - begin), 4),
        "args": details,
    }


def _names(timeline: Timeline) -> Iterator[dict[str, Any]]:
    tiles = sorted({span.tile for span in timeline.spans})
    for process, title, units in [
        *((tile, f"tile {tile}", UNITS) for tile in tiles),
        (_CORE, "host transfers", FEED_UNITS),
    ]:
        yield {"name": "process_name", "ph": "M", "pid": process, "args": {"name": title}}
        for unit, name in enumerate(units):
            yield {
                "name": "thread_name",
                "ph": "M",
                "pid": process,
                "tid": unit,
                "args": {"name": name},
            }
