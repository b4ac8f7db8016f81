"""No program of this compiler takes more cycles than the vendor's of the same source, but for
those that `SLOWER` lists with their reasons."""

from __future__ import annotations

import pytest

pytest.importorskip("benchmarks.inputs", reason="benchmarks/ is not among the files of this test")

from benchmarks.corpus_pairs import corpus_pairs
from benchmarks.emulated_cycles import compare
from tests.vendor_models import corpus_parameters

pytestmark = pytest.mark.full


@pytest.mark.parametrize("pair", corpus_parameters(list(corpus_pairs())))
def test_cycles(pair):
    if pair.is_same_program:
        return
    found = compare(pair)
    assert not found.is_slower, found.row()
