"""Every kind of fault at several places of three vendor programs (docs/emulator.md, "Seeded
faults")."""

from __future__ import annotations

import functools

import pytest

from tests.corpus_paths import require_corpus
from tests.emulator.fault_runs import (
    NOTE,
    PROGRAMS,
    REPORTED,
    SAME_VALUES,
    SPEEDS,
    UNDETECTED,
    WRONG,
    Finding,
    Program,
    findings,
)
from tests.emulator.seeded_faults import KINDS

SITES = {"dense_256": 6, "conv2d_p32": 3, "gabor_64x64_p4": 6}
FLOORS = {
    "dense_256": (44, 57),
    "conv2d_p32": (47, 49),
    "gabor_64x64_p4": (65, 76),
}
"""{program: faults that are reported, and that are noticed at all, at the least}."""
SAME = {
    "dense_256": {
        (27, "signal removed"): "the waits for the counter ask for less than zero",
        (36, "address shifted"): "the line there holds the same words, and no others are used",
        (38, "signal removed"): "the waits for the counter ask for less than zero",
    },
    "conv2d_p32": {
        (9, "two of one unit swapped"): "constants for different words",
        (10, "two of one unit swapped"): "constants for different words",
        (40, "threshold raised"): "the item it now waits for comes too, for another pop",
    },
    "gabor_64x64_p4": {
        (9, "two of one unit swapped"): "constants for different words",
        (10, "two of one unit swapped"): "constants for different words",
        (11, "two of one unit swapped"): "constants for different words",
        (12, "two of one unit swapped"): "constants for different words",
        (20, "barrier removed"): "the infeed waits for each item to be taken: slower",
        (32, "tile fence removed"): "it sets a counter to 0 that is 0",
        (38, "signal removed"): "the infeed has credit for more than all items",
        (45, "units of a fence cleared"): "it waits for words that nobody reads",
    },
}
"""{program: {(index of the instruction, kind): why}} of the faults that change the order of
accesses, but no value: `SAME_VALUES` shows it for each."""

pytestmark = pytest.mark.full


@functools.cache
def _program(name: str) -> Program:
    require_corpus()
    return Program(name)


@functools.cache
def _findings(name: str) -> list[Finding]:
    return findings(_program(name), SITES[name])


@pytest.mark.parametrize("name", PROGRAMS)
def test_unbroken_programs_have_no_reports(name):
    for speed in range(len(SPEEDS)):
        sound = _program(name).sound[speed]
        assert [str(report) for report in sound.hazards] == []
        assert sound.error is None and not sound.left_over


@pytest.mark.parametrize("name", PROGRAMS)
def test_share(name):
    found = _findings(name)
    reported = sum(finding.outcome in REPORTED for finding in found)
    noticed = sum(finding.outcome != UNDETECTED for finding in found)
    assert reported >= FLOORS[name][0]
    assert noticed >= FLOORS[name][1]


@pytest.mark.parametrize("name", PROGRAMS)
def test_what_nobody_notices_changes_nothing(name):
    missed = [finding for finding in _findings(name) if finding.outcome == UNDETECTED]
    assert [str(finding) for finding in missed if not finding.equivalent] == []
    same = {(f.fault.index, f.fault.kind) for f in missed if f.equivalent == SAME_VALUES}
    assert same == set(SAME[name])


@pytest.mark.parametrize("name", PROGRAMS)
def test_hashes_notice_what_only_the_output_shows(name):
    """`SAME_VALUES` does not take a fault for none that gives another output or a new note."""
    seen = [finding for finding in _findings(name) if finding.outcome in (WRONG, NOTE)]
    assert seen
    assert [str(f) for f in seen if _program(name).same_values(f.fault)] == []


def test_every_kind_is_noticed_somewhere():
    noticed = {
        finding.fault.kind
        for name in PROGRAMS
        for finding in _findings(name)
        if finding.outcome != UNDETECTED
    }
    assert noticed == set(KINDS)
