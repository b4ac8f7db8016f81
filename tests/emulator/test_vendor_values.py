"""Vendor programs in functional mode: every one runs to its end, and every value equals the
reference arithmetic of the operators in the source model."""

from __future__ import annotations

import pytest

from tests.emulator.vendor_runs import compare, fast_pairs, run
from tests.vendor_models import corpus_parameters

NO_REFERENCE = ("keras_lstm",)
"""The vendor's program rounds a recurrent layer's gates itself: no operator defines its values."""


@pytest.mark.parametrize("pair", corpus_parameters(fast_pairs()))
def test_values(pair):
    model, result = run(pair)
    assert not result.skipped
    if pair.source is None:
        return
    comparisons = compare(pair, model, result)
    assert comparisons or any(name in pair.name for name in NO_REFERENCE)
    assert [c for c in comparisons if c.differing] == []
