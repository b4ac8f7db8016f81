"""Cycles of single operators: what is measured is mapped, and moves on a tile do not take turns."""

from __future__ import annotations

import pytest

pytest.importorskip("benchmarks.inputs", reason="benchmarks/ is not among the files of this test")

from benchmarks.operator_cycles import cycles, operators


def test_enlarging_takes_little_more_than_its_words():
    alone, _ = cycles(16, 16, None)
    total, words = cycles(16, 16, operators(16, 16)["RESIZE_NEAREST_NEIGHBOR"])
    assert words == (16 * 16 + 32 * 32) * 16 // 64
    assert 0 < total - alone < 4 * words
