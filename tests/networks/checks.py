"""What every network of the catalogue must keep."""

from __future__ import annotations

from compiler.emulator.device import Device
from compiler.emulator.model import CompiledModel
from tests.emulator.compiled import faults

from .catalogue import Network
from .measure import Compiled, compare, compiled, run


def check_network(network: Network, *, full: bool = False) -> Compiled:
    """Everything runs on the Edge TPU but what may not, and every output is exact."""
    result = compiled(network.build(full=full))
    assert set(result.refused()) <= network.on_cpu, result.reasons()
    assert result.mapped[0] > 0
    model = CompiledModel(result.data)
    comparison = compare(result.source, model, run(model))
    assert comparison.values > 0
    assert comparison.wrong == 0
    return result


def check_hazards(network: Network) -> None:
    """The small network, with every unit on its own clock."""
    model = CompiledModel(compiled(network.build(full=False)).data)
    assert faults(run(model, Device("concurrent"))) == []
