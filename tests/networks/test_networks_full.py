"""Public networks as they are published, and their small versions in time."""

from __future__ import annotations

import pytest

from compiler.emulator.model import CompiledModel
from compiler.frontend.tflite_reader import read_model_bytes

from .catalogue import NETWORKS
from .checks import check_hazards, check_network
from .measure import compiled, operator_gaps, reference, run

pytestmark = pytest.mark.full
everyone = pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.name)
MOST_SECONDS = 10
"""CPU time of a compilation."""
ROUNDING = {"LOGISTIC": 1, "SOFTMAX": 1, "TANH": 1}
"""Steps between the reference arithmetic and TensorFlow Lite's kernels, for one operator."""


@everyone
def test_full_size(network):
    assert check_network(network, full=True).seconds < MOST_SECONDS


@everyone
def test_no_hazard(network):
    check_hazards(network)


@everyone
def test_reference_is_close_to_tensorflow_lite(network):
    """Fixed point against float32: one step, where both read equal values."""
    source = network.build(full=False)
    model = CompiledModel(compiled(source).data)
    graph = read_model_bytes(source, "model")
    gaps = operator_gaps(graph, reference(graph, model, run(model)))
    assert {name: gap for name, gap in gaps.items() if gap > ROUNDING.get(name, 1)} == {}
