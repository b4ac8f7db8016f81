"""Latency estimates: the arithmetic, and the table of the page."""

from __future__ import annotations

import pytest

pytest.importorskip("benchmarks.inputs", reason="benchmarks/ is not among the files of this test")

from benchmarks.emulator_latency import (
    LIMIT,
    PUBLISHED,
    UNUSED,
    Net,
    fitted_rate,
    measured,
    summary,
)
from compiler.emulator.timing import LINK_BYTES_PER_SECOND
from tests.corpus_paths import require_corpus


def test_a_rate_that_fits_exactly():
    """1 ms on the chip; 2 and 3 ms on a link of 250 MB/s."""
    nets = [Net("a", 3.0, 500_000, 500_000), Net("b/c", 4.0, 500_000, 750_000)]
    assert fitted_rate(nets) == pytest.approx(250e6)
    assert nets[0].error(250e6) == pytest.approx(0)
    assert nets[1].error(500e6) == pytest.approx(-0.375)
    assert "| c | 500,000 | 750,000 | 1.00 | 2.96 | 3.96 | 4.0 | -1% |" in summary(nets)


def test_names():
    assert sum(any(part in name for part in UNUSED) for name in PUBLISHED) == len(UNUSED)


def test_the_smallest_network_is_within_the_limit():
    require_corpus()
    name = next(iter(PUBLISHED))
    (net,) = measured({name: PUBLISHED[name]})
    assert abs(net.error(LINK_BYTES_PER_SECOND)) < LIMIT
