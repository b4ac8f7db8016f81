"""Vendor programs in concurrent mode: the same values, and no hazard, at nominal and at random
speeds of the units."""

from __future__ import annotations

import numpy as np
import pytest

from compiler.emulator.device import Device
from compiler.emulator.model import random_inputs
from compiler.emulator.timing import Speeds
from tests.emulator.vendor_runs import fast_pairs, run
from tests.vendor_models import corpus_parameters

EVENTS_TAKE_LONG = ("w176", "w192", "to_64", "to_128", "128x128", "64x64", "keras", "mobilenet")
SMALL = [p for p in fast_pairs() if not any(s in str(p.compiled) for s in EVENTS_TAKE_LONG)]


@pytest.mark.parametrize("pair", corpus_parameters(SMALL))
def test_no_hazard(pair):
    model, expected = run(pair)
    for speeds in (Speeds(), Speeds(seed=1), Speeds(seed=2, spread=2.2)):
        device = Device("concurrent", speeds)
        result = model.run(random_inputs(model, 1), device)
        for first, second in zip(result.runs, expected.runs, strict=True):
            assert [str(report) for report in first.hazards] == []
            for name, array in second.outputs.items():
                np.testing.assert_array_equal(first.outputs[name], array)
