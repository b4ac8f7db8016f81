"""SSD, EfficientDet, YOLO at small sizes: compiled, and exact on the emulator."""

from __future__ import annotations

import pytest

from .catalogue import DETECTORS
from .checks import check_network


@pytest.mark.parametrize("network", DETECTORS, ids=lambda network: network.name)
def test_network(network):
    check_network(network)
