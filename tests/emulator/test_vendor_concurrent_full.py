"""Every vendor program in concurrent mode, at random speeds of the units: no report, and the
values of the functional mode. `python -m benchmarks.emulator_hazards` prints them as a table."""

from __future__ import annotations

import pytest

from tests.corpus_paths import require_corpus
from tests.emulator.concurrent_runs import SEEDS, VendorProgram, examine, vendor_programs

pytestmark = pytest.mark.full


@pytest.mark.parametrize("program", vendor_programs(), ids=str)
def test_no_report(program: VendorProgram) -> None:
    require_corpus()
    found = examine(program)
    assert found.reports == ((),) * len(SEEDS)
    assert found.same_values
