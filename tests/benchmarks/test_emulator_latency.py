"""Latency estimates: the arithmetic, and the table of the page."""

from __future__ import annotations

import pytest

pytest.importorskip("benchmarks.inputs", reason="benchmarks/ is not among the files of this test")

from benchmarks.emulator_latency import (
    LIMIT,
    PUBLISHED,
    UNUSED,
    Net,
    StreamingNet,
    fitted_parameter_rate,
    fitted_rate,
    measured,
    streaming_summary,
    summary,
)
from compiler.emulator import timing
from compiler.emulator.timing import LINK_BYTES_PER_SECOND
from compiler.pipeline import latency
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


def test_a_parameter_rate_that_fits_exactly():
    """1 ms on the chip, 1 ms of other bytes; 2 and 3 ms of parameters at 500 MB/s."""
    others = LINK_BYTES_PER_SECOND // 1000
    nets = [
        StreamingNet("a", 4.0, 500_000, 1_000_000, others),
        StreamingNet("b", 5.0, 500_000, 1_500_000, others),
    ]
    assert fitted_parameter_rate(nets) == pytest.approx(500e6)
    assert nets[0].error(250e6) == pytest.approx(0.5)
    assert "| b | 500,000 | 1,500,000 | 253,000 | 4.9 | 5 | -2% | 500 MB/s | +0% |" in (
        streaming_summary(nets)
    )


def test_both_latency_models_have_the_same_link():
    assert latency.LINK_BYTES_PER_SECOND["usbonly"] == timing.LINK_BYTES_PER_SECOND
    assert latency.PARAMETER_BYTES_PER_SECOND["usbonly"] == timing.PARAMETER_BYTES_PER_SECOND
