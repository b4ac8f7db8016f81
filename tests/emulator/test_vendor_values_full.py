"""As `test_vendor_values`, for the large models of the corpus."""

from __future__ import annotations

import pytest

from tests.emulator.vendor_runs import compare, run, slow_pairs
from tests.vendor_models import corpus_parameters


@pytest.mark.parametrize("pair", corpus_parameters(slow_pairs()))
def test_values(pair):
    model, result = run(pair)
    if pair.source is not None:
        assert [c for c in compare(pair, model, result) if c.differing] == []
