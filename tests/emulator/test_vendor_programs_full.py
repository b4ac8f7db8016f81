"""As `test_vendor_programs`, in concurrent mode."""

from __future__ import annotations

import pytest

from compiler.emulator.device import Device
from tests.corpus_paths import programs, require_corpus
from tests.emulator.bare_programs import run_bare

EVERY = 8


@pytest.mark.parametrize("number", range(EVERY // 2, 120, EVERY))
def test_no_hazard(number):
    require_corpus()
    result = run_bare(programs()[number], Device("concurrent"))
    assert [str(report) for report in result.hazards] == []
