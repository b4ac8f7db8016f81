"""The smaller vendor programs in concurrent mode: no report at nominal and at random speeds of the
units, and the values of the functional mode. `test_vendor_concurrent_full` has all of them."""

from __future__ import annotations

import pytest

from tests.corpus_paths import require_corpus
from tests.emulator.concurrent_runs import SEEDS, VendorProgram, examine, vendor_programs

SLOW = ("to_64", "128x128x3", "looming", "_1_256_", "_1_512_")
MOST_BYTES = 110_000
SMALL = [
    program
    for program in vendor_programs()
    if not program.bare
    and program.path.stat().st_size < MOST_BYTES
    and not any(part in program.label for part in SLOW)
]


@pytest.mark.parametrize("program", SMALL, ids=str)
def test_no_report(program: VendorProgram) -> None:
    require_corpus()
    speeds = (None, *SEEDS)
    found = examine(program, speeds)
    assert found.reports == ((),) * len(speeds)
    assert found.same_values
