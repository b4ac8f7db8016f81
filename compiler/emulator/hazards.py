"""Hazard detector: every access of every memory against the accesses before it.

Two accesses of one address of which one writes are a hazard unless waits, fences or the order
of issue put one before the other - found in any run, also when the timing of that run was
harmless. Facts: docs/format/synchronisation.md.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .accesses import PER_TILE, SIZES, Access, Space
from .clocks import Clock
from .memories import TILES

Array = NDArray[Any]
NOBODY = -1


class Kind(enum.Enum):
    """Kinds of reports."""

    DEAD_LOCK = "dead-lock"
    READ_BEFORE_WRITE = "reads data that may not be written yet"
    OVERWRITE_BEFORE_READ = "overwrites data that may not be read yet"
    DOUBLE_WRITE = "writes what another instruction may be writing"
    MESSAGE_ORDER = "sends to a receiver in no certain order with another sender"
    HOST_ORDER = "data from the host could overtake another sender, if the host were fast enough"
    UNINITIALISED = "reads what was never written"
    UNBALANCED = "a counter is set while it may still change"
    LEFT_OVER = "data nobody takes"
    OVERFLOW = "overwrites items of a feed buffer that may not be taken yet"
    UNDERRUN = "takes items of a feed buffer that may not be there yet"


NOTES = (Kind.UNINITIALISED, Kind.HOST_ORDER)
"""Reports that alone are no fault: lanes whose value is not used are read too, and some old
programs rely on data from the host taking longer than a few instructions."""


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


class Shadow:
    """Who touched each address of one memory last."""

    def __init__(self, size: int) -> None:
        self.writer: Array = np.full(size, NOBODY, np.int16)
        self.write_step: Array = np.zeros(size, np.int32)
        self.write_place: Array = np.zeros(size, np.int32)
        self.written: Array = np.zeros(size, bool)
        self.readers: dict[int, tuple[Array, Array]] = {}

    def reader(self, thread: int) -> tuple[Array, Array]:
        """(last step, place) at which a thread read each address."""
        found = self.readers.get(thread)
        if found is None:
            size = len(self.writer)
            found = self.readers[thread] = np.zeros(size, np.int32), np.zeros(size, np.int32)
        return found

    def settle(self) -> None:
        """A new program: everything before has happened."""
        self.writer.fill(NOBODY)
        self.readers.clear()


class Detector:
    """Shadows of all memories, and the reports."""

    def __init__(self) -> None:
        self._shadows: dict[tuple[Space, int], Shadow] = {}
        self.places: list[str] = []
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
    ) -> None:
        """Check and record the accesses of a thread that knows `clock`. Reads come first."""
        ordered = sorted(accesses, key=lambda access: access.write)
        for access in ordered:
            where = tile if access.space in PER_TILE and tile is not None else TILES
            shadow = self._shadows.get((access.space, where))
            if shadow is None:
                shadow = self._shadows[access.space, where] = Shadow(SIZES[access.space])
            check = _Check(self, shadow, access, clock, (thread, place, tile))
            if access.write:
                check.write()
            else:
                check.read()


@dataclass(frozen=True, slots=True, eq=False)
class _Check:
    """One access by (thread, place, tile)."""

    detector: Detector
    shadow: Shadow
    access: Access
    clock: Clock
    who: tuple[int, int, int | None]

    def read(self) -> None:
        shadow, addresses = self.shadow, self.access.addresses
        never = addresses[~shadow.written[addresses]]
        if len(never):
            self._report(Kind.UNINITIALISED, never, None)
        self._against_writer(Kind.READ_BEFORE_WRITE)
        steps, places = shadow.reader(self.who[0])
        steps[addresses] = self._steps()
        places[addresses] = self.who[1]

    def write(self) -> None:
        shadow, addresses = self.shadow, self.access.addresses
        thread, place, _ = self.who
        self._against_writer(Kind.DOUBLE_WRITE)
        for reader, (steps, places) in shadow.readers.items():
            if reader == thread:
                continue
            early = steps[addresses] > self.clock[reader]
            if early.any():
                self._report(Kind.OVERWRITE_BEFORE_READ, addresses[early], places)
        shadow.writer[addresses] = thread
        shadow.write_step[addresses] = self._steps()
        shadow.write_place[addresses] = place
        shadow.written[addresses] = True

    def _steps(self) -> Any:  # noqa: ANN401 - one step, or one for each address
        """The thread's step at each access."""
        step = self.clock[self.who[0]]
        return step if self.access.after is None else step + self.access.after

    def _against_writer(self, kind: Kind) -> None:
        shadow, addresses = self.shadow, self.access.addresses
        writers = shadow.writer[addresses]
        early = (writers >= 0) & (shadow.write_step[addresses] > self.clock[writers])
        if early.any():
            self._report(kind, addresses[early], shadow.write_place)

    def _report(self, kind: Kind, addresses: Array, places: Array | None) -> None:
        _, place, tile = self.who
        detector = self.detector
        if self.access.space in _BUFFERS:
            kind = _BUFFER_KINDS.get(kind, kind)
        first = int(addresses[0])
        other = "" if places is None else detector.places[int(places[first])]
        name = self.access.space.value
        detector.add(Report(kind, detector.places[place], tile, name, first, other, len(addresses)))
