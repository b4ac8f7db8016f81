"""As `test_vendor_concurrent`, for all models of the corpus under 3 MB, at nominal speeds."""

from __future__ import annotations

import pytest

from compiler.emulator.device import Device
from tests.emulator.vendor_runs import SLOW, fast_pairs, run, slow_pairs
from tests.vendor_models import corpus_parameters

LIMIT = 3_000_000
PAIRS = [
    pair
    for pair in [*fast_pairs(), *slow_pairs()]
    if pair.compiled.stat().st_size < LIMIT and not any(part in pair.name for part in SLOW[:4])
]


@pytest.mark.parametrize("pair", corpus_parameters(PAIRS))
def test_no_hazard(pair):
    _, result = run(pair, device=Device("concurrent"))
    for device_run in result.runs:
        assert [str(report) for report in device_run.hazards] == []
