"""Hazard detector: every access of every memory against the accesses before it.

Two accesses of one address of which one writes are a hazard unless waits, fences or the order
of issue put one before the other - found in any run, also when the timing of that run was
harmless. Facts: docs/format/synchronisation.md.
"""

from __future__ import annotations

import array
import enum
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .accesses import PER_TILE, SIZES, Access, Space
from .clocks import Clock
from .memories import TILES, TileMemories

Array = NDArray[Any]
NOBODY = 0


class Kind(enum.Enum):
    """Kinds of reports."""

    DEAD_LOCK = "dead-lock"
    READ_BEFORE_WRITE = "reads data that may not be written yet"
    OVERWRITE_BEFORE_READ = "overwrites data that may not be read yet"
    DOUBLE_WRITE = "writes what another instruction may be writing"
    SAME_WRITE = "writes what another instruction may be writing, the same values"
    MESSAGE_ORDER = "sends to a receiver in no certain order with another sender"
    HOST_ORDER = "data from the host, asked for later, could overtake another sender"
    UNINITIALISED = "reads what was never written"
    UNBALANCED = "a counter is set while it may still change"
    EARLY_SET = "a counter is set while a unit may still wait for it"
    UNSET = "waits for a counter that no fence has set, and that does not end at zero"
    EARLY_END = "tells the host that all is done while a unit may still work"
    LEFT_OVER = "data or notifications nobody takes"
    OVERFLOW = "overwrites items of a feed buffer that may not be taken yet"
    UNDERRUN = "takes items of a feed buffer that may not be there yet"


NOTES = (Kind.UNINITIALISED, Kind.SAME_WRITE, Kind.HOST_ORDER)
"""Reports that alone are no fault: the order of two writes of one value does not matter, lanes
whose value is not used are read too, and an old program relies on the host taking longer to answer
than a few instructions (docs/format/synchronisation.md, "Ring bus")."""


_BUFFERS = (Space.PARAMETER_FEED, Space.ACTIVATION_FEED)
_BUFFER_KINDS = {
    Kind.READ_BEFORE_WRITE: Kind.UNDERRUN,
    Kind.OVERWRITE_BEFORE_READ: Kind.OVERFLOW,
    Kind.UNINITIALISED: Kind.UNDERRUN,
}


@dataclass(frozen=True, slots=True)
class Report:
    """One hazard. place: the instruction; tile is None for the units of the scalar core;
    other: the instruction it conflicts with; count: how many addresses in all."""

    kind: Kind
    place: str
    tile: int | None
    space: str = ""
    address: int | None = None
    other: str = ""
    count: int = 1

    def __str__(self) -> str:
        text = self.place
        if self.tile is not None:
            text += f", tile {self.tile}"
        text += f": {self.kind.value}"
        if self.address is not None:
            text += f" ({self.space} {self.address:#x}"
            text += f" and {self.count - 1} more)" if self.count > 1 else ")"
        elif self.space:
            text += f" ({self.space})"
        return text + (f", in conflict with {self.other}" if self.other else "")


@dataclass(frozen=True, slots=True)
class DoubleWrite:
    """A report of DOUBLE_WRITE, and the addresses: their values decide what it is."""

    report: Report
    space: Space
    addresses: Array

    def content(self, memories: TileMemories, tile: int) -> Array:
        """The values of a tile at the addresses; NaN, which is like nothing, for a lookup table."""
        views = {
            Space.NARROW: memories.narrow_words,
            Space.WIDE: memories.wide_units,
            Space.SCALING: memories.scaling_units,
        }
        memory = views.get(self.space)
        return np.array(np.nan) if memory is None else np.asarray(memory[tile, self.addresses])

    def judged(self, *, same: bool) -> Report:
        """The report, when the second write has, or has not, left the values as they were."""
        return replace(self.report, kind=Kind.SAME_WRITE) if same else self.report


class Shadow:
    """Who touched each address of one memory last, as numbers of `Stamps`."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.writer: Array = np.zeros(size, np.int32)
        self.written: Array = np.zeros(size, bool)
        self.readers: dict[int, Array] = {}
        self.last_write: dict[int, int] = {}
        self.last_read: dict[int, int] = {}

    def reader(self, thread: int) -> Array:
        """The last read of each address by a thread."""
        found = self.readers.get(thread)
        if found is None:
            found = self.readers[thread] = np.zeros(self.size, np.int32)
        return found

    def settle(self) -> None:
        """A new program: everything before has happened."""
        self.writer.fill(NOBODY)
        self.readers.clear()
        self.last_write.clear()
        self.last_read.clear()


class Stamps:
    """Accesses by number: thread, its step, and the instruction's place. Number 0 is nobody's,
    before everything. The accesses of a thread have ascending numbers."""

    def __init__(self) -> None:
        self.threads, self.steps, self.places = (array.array("i", [0]) for _ in range(3))

    def add(self, thread: int, step: int, place: int, more: int) -> int:
        """Numbers for accesses at `step` and at each of the `more` steps behind it; the first."""
        first = len(self.threads)
        self.threads.append(thread)
        self.steps.append(step)
        self.places.append(place)
        if more:
            self.threads.extend([thread] * more)
            self.steps.extend(range(step + 1, step + 1 + more))
            self.places.extend([place] * more)
        return first

    def unknown(self, numbers: Array, clock: Clock) -> Array:
        """Which of the accesses are not known to have happened at `clock`."""
        threads = np.frombuffer(self.threads, np.int32)[numbers]
        return np.asarray(np.frombuffer(self.steps, np.int32)[numbers] > clock[threads])


class Detector:
    """Shadows of all memories, and the reports."""

    def __init__(self) -> None:
        self._shadows: dict[tuple[Space, int], Shadow] = {}
        self.places: list[str] = []
        self.stamps = Stamps()
        self._reports: dict[tuple[Kind, str, str, int | None], Report] = {}

    @property
    def reports(self) -> list[Report]:
        """Everything found, notes included, in order of discovery."""
        return list(self._reports.values())

    @property
    def hazards(self) -> list[Report]:
        """Everything found that is a fault."""
        return [report for report in self._reports.values() if report.kind not in NOTES]

    def forget(self) -> None:
        """The memories are empty again."""
        self._shadows.clear()

    def new_program(self) -> None:
        """What is in the memories now was written before the program starts."""
        for shadow in self._shadows.values():
            shadow.settle()
        self.stamps = Stamps()

    def place(self, text: str) -> int:
        """A number for an instruction in messages."""
        self.places.append(text)
        return len(self.places) - 1

    def add(self, report: Report) -> None:
        """One report for each pair of instructions, kind and tile."""
        self._reports.setdefault((report.kind, report.place, report.other, report.tile), report)

    def access(
        self,
        accesses: Iterable[Access],
        clock: Clock,
        thread: int,
        place: int,
        tile: int | None,
    ) -> list[DoubleWrite]:
        """Check and record the accesses of a thread that knows `clock`. Reads come first.
        Returns the double writes, which the caller has to judge and add."""
        double: list[DoubleWrite] = []
        ordered = list(accesses)
        if len(ordered) > 1:
            ordered.sort(key=lambda access: access.write)
        for access in ordered:
            where = tile if access.space in PER_TILE and tile is not None else TILES
            shadow = self._shadows.get((access.space, where))
            if shadow is None:
                shadow = self._shadows[access.space, where] = Shadow(SIZES[access.space])
            check = _Check(self, shadow, access, clock, (thread, place, tile))
            if access.write:
                check.write(double)
            else:
                check.read()
        return double


@dataclass(slots=True, eq=False)
class _Check:
    """One access by (thread, place, tile)."""

    detector: Detector
    shadow: Shadow
    access: Access
    clock: Clock
    who: tuple[int, int, int | None]

    def read(self) -> None:
        shadow, index = self.shadow, self.access.index
        if not shadow.written[index].all():
            addresses = self.access.addresses
            never = addresses[~shadow.written[addresses]]
            self.detector.add(self._named(Kind.UNINITIALISED, never, None))
        self._against_writer(Kind.READ_BEFORE_WRITE, None)
        thread = self.who[0]
        shadow.reader(thread)[index], shadow.last_read[thread] = self._stamp()

    def write(self, double: list[DoubleWrite]) -> None:
        shadow, index = self.shadow, self.access.index
        thread = self.who[0]
        self._against_writer(Kind.DOUBLE_WRITE, double)
        for reader, last in shadow.last_read.items():
            if reader == thread or last <= self.clock[reader]:
                continue
            numbers = shadow.readers[reader][index]
            if self.detector.stamps.steps[int(numbers.max())] > self.clock[reader]:
                self._report_unknown(Kind.OVERWRITE_BEFORE_READ, numbers, None)
        shadow.writer[index], shadow.last_write[thread] = self._stamp()
        shadow.written[index] = True

    def _stamp(self) -> tuple[Any, int]:
        """(number of the access, or one for each address; the last of its steps)."""
        thread, place, _ = self.who
        step, after = int(self.clock[thread]), self.access.after
        if after is None:
            return self.detector.stamps.add(thread, step, place, 0), step
        more = int(after.max())
        return self.detector.stamps.add(thread, step, place, more) + after, step + more

    def _against_writer(self, kind: Kind, double: list[DoubleWrite] | None) -> None:
        shadow = self.shadow
        for writer, last in shadow.last_write.items():
            if last > self.clock[writer] and writer != self.who[0]:
                self._report_unknown(kind, shadow.writer[self.access.index], double)
                return

    def _report_unknown(self, kind: Kind, numbers: Array, double: list[DoubleWrite] | None) -> None:
        """Report accesses that may not have happened yet, or add them to `double`."""
        stamps = self.detector.stamps
        early = stamps.unknown(numbers, self.clock)
        if early.any():
            first = stamps.places[int(numbers[early][0])]
            addresses = self.access.addresses[early]
            report = self._named(kind, addresses, first)
            if double is None:
                self.detector.add(report)
            else:
                double.append(DoubleWrite(report, self.access.space, addresses))

    def _named(self, kind: Kind, addresses: Array, other: int | None) -> Report:
        _, place, tile = self.who
        detector = self.detector
        if self.access.space in _BUFFERS:
            kind = _BUFFER_KINDS.get(kind, kind)
        name, first = self.access.space.value, int(addresses[0])
        against = "" if other is None else detector.places[other]
        return Report(kind, detector.places[place], tile, name, first, against, len(addresses))
