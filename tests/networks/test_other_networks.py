"""Segmentation, keyword spotting and anomaly detection at small sizes: exact on the emulator."""

from __future__ import annotations

import pytest

from .catalogue import OTHERS
from .checks import check_network


@pytest.mark.parametrize("network", OTHERS, ids=lambda network: network.name)
def test_network(network):
    check_network(network)
