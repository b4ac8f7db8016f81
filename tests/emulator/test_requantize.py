from __future__ import annotations

import numpy as np

from compiler.emulator.requantize import LookupTable, clamp, round_to_bytes, scale
from compiler.lowering.lookup_tables import load_lookup, lookup_tables


def test_halves_round_to_even():
    values = np.array([0.5, 1.5, 2.5, -0.5, 254.5], np.float32)
    assert round_to_bytes(values, 0, wide=False).tolist() == [0, 2, 2, 0, 254]


def test_clamp_comes_before_the_zero_point():
    values = clamp(np.array([-300.0, 300.0], np.float32), -10.0, 20.0)
    assert round_to_bytes(values, 100, wide=False).tolist() == [90, 120]


def test_results_saturate():
    values = np.array([-5.0, 1000.0], np.float32)
    assert round_to_bytes(values, 0, wide=False).tolist() == [0, 255]
    assert round_to_bytes(np.array([70000.0], np.float32), 0, wide=True).tolist() == [0xFF, 0xFF]


def test_one_float32_multiplication():
    # 16777217 is no float32: the sum is rounded before it is multiplied.
    assert scale(np.array([16777217.0]), np.float32(0.5))[0] == np.float32(8388608)


def test_tables_agree_with_their_functions():
    for name, table in lookup_tables().items():
        if name == "inverse_root":
            continue
        x = np.linspace(table.low, table.high, 501).astype(np.float32)
        y = LookupTable.of(load_lookup(name)).evaluate(x, reduce=False)
        exact = np.array([table.function(float(v)) for v in x])
        assert np.abs(y - exact).max() <= table.error + 0.02 * abs(exact).max() ** 0.5, name


def test_range_reduction_by_powers_of_four():
    table = LookupTable.of(load_lookup("inverse_root"))
    x = np.array([0.3, 1.0, 3.9, 4.0, 100.0, 65536.0], np.float32)
    y = table.evaluate(x, reduce=True)
    np.testing.assert_allclose(y, 65535 / np.sqrt(2 * x), rtol=1e-5)
