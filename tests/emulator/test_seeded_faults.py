"""Faults seeded into vendor programs: a sample. `test_seeded_faults_full` has all of them."""

from __future__ import annotations

import pytest

from tests.corpus_paths import require_corpus
from tests.emulator.fault_runs import SPEEDS, UNDETECTED, Program
from tests.emulator.seeded_faults import KINDS, NOTHING, faults

SAMPLE = {
    "dense_256": ("signal removed", "tile dropped", "destination dropped", "address shifted"),
    "gabor_64x64_p4": (
        "wait for data removed",
        "wait for room removed",
        "threshold lowered",
        "threshold raised",
        "threshold for room lowered",
        "instruction dropped",
        "tensor loop shortened",
    ),
}
"""{program: kinds of faults whose sample is noticed}."""


@pytest.mark.parametrize("name", SAMPLE)
def test_sample(name):
    require_corpus()
    program = Program(name)
    for speed in range(len(SPEEDS)):
        sound = program.sound[speed]
        assert [str(report) for report in sound.hazards] == []
        assert sound.error is None and not sound.left_over
    for kind in SAMPLE[name]:
        (fault,) = faults(program.instructions, kind, 1)
        finding = program.try_fault(fault)
        assert finding.outcome != UNDETECTED, str(finding)


def test_faults_are_spread_evenly_and_change_something():
    require_corpus()
    program = Program("dense_256")
    for kind in KINDS:
        found = faults(program.instructions, kind, 4)
        assert 1 <= len(found) <= 4
        assert found == faults(program.instructions, kind, 4)
        for fault in found:
            for position, broken in fault.changed.items():
                assert broken is NOTHING or broken != program.instructions[position]
