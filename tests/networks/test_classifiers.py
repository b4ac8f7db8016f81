"""Inception, ResNet, VGG, DenseNet at small sizes: compiled, and exact on the emulator."""

from __future__ import annotations

import pytest

from .catalogue import CLASSIFIERS
from .checks import check_network


@pytest.mark.parametrize("network", CLASSIFIERS, ids=lambda network: network.name)
def test_network(network):
    check_network(network)
