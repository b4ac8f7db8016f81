"""Vendor programs in functional mode: every one runs to its end, and every value equals the
reference arithmetic of the operators in the source model."""

from __future__ import annotations

import pytest

from tests.emulator.vendor_runs import compare, fast_pairs, run
from tests.vendor_models import corpus_parameters


@pytest.mark.parametrize("pair", corpus_parameters(fast_pairs()))
def test_values(pair):
    model, result = run(pair)
    assert not result.skipped
    if pair.source is None:
        return
    comparisons = compare(pair, model, result)
    assert comparisons
    assert [c for c in comparisons if c.differing] == []
