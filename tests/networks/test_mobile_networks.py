"""MobileNet, EfficientNet, MobileFaceNet at small sizes: compiled, and exact on the emulator."""

from __future__ import annotations

import pytest

from .catalogue import MOBILE
from .checks import check_network


@pytest.mark.parametrize("network", MOBILE, ids=lambda network: network.name)
def test_network(network):
    check_network(network)
