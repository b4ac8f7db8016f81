"""Vendor executables without parameters run to their end."""

from __future__ import annotations

import pytest

from compiler.emulator.device import Device
from tests.corpus_paths import programs, require_corpus
from tests.emulator.bare_programs import run_bare

PARTS = 6


@pytest.mark.parametrize("part", range(PARTS))
def test_programs_end(part):
    require_corpus()
    assert programs()
    for path in programs()[part::PARTS]:
        assert run_bare(path, Device()).outputs


def test_one_has_no_hazard():
    require_corpus()
    assert [str(report) for report in run_bare(programs()[1], Device("concurrent")).hazards] == []
