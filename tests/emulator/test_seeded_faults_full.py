"""Every kind of fault at several places of three vendor programs (docs/emulator.md, "Seeded
faults")."""

from __future__ import annotations

import functools

import pytest

from tests.corpus_paths import require_corpus
from tests.emulator.seeded_faults import (
    KINDS,
    PROGRAMS,
    REPORTED,
    SPEEDS,
    UNDETECTED,
    Finding,
    Program,
    findings,
)

SITES = {"dense_256": 6, "conv2d_p32": 3, "gabor_64x64_p4": 6}
FLOORS = {
    "dense_256": (44, 57),
    "conv2d_p32": (45, 47),
    "gabor_64x64_p4": (63, 74),
}
"""{program: faults that are reported, and that are noticed at all, at the least}."""
KNOWN = {
    "dense_256": {
        (27, "signal removed"),
        (36, "address shifted"),
        (38, "signal removed"),
    },
    "conv2d_p32": {
        (8, "barrier removed"),
        (40, "threshold raised"),
        (65, "barrier removed"),
    },
    "gabor_64x64_p4": {
        (12, "two of one unit swapped"),
        (20, "barrier removed"),
        (32, "tile fence removed"),
        (38, "signal removed"),
        (45, "units of a fence cleared"),
        (61, "barrier removed"),
    },
}
"""{program: (index of the instruction, kind)} of the faults nobody notices, though nothing shows
that they are none."""

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
def test_what_nobody_notices_is_known(name):
    missed = {
        (finding.fault.index, finding.fault.kind)
        for finding in _findings(name)
        if finding.outcome == UNDETECTED and not finding.equivalent
    }
    assert missed == KNOWN[name]


def test_every_kind_is_noticed_somewhere():
    noticed = {
        finding.fault.kind
        for name in PROGRAMS
        for finding in _findings(name)
        if finding.outcome != UNDETECTED
    }
    assert noticed == set(KINDS)
