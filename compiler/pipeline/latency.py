"""How long one inference of a compiled segment takes: on a device, or estimated.

An estimate is the cycles of the programs at the chip's clock, the host's bytes at the link's
rate, and a rough figure for operators on the CPU (docs/usage.md, "Latency models").
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ..beagle.executable import Executable, ExecutableType
from ..beagle.reader import compiled_ops, read_custom_options, read_package
from ..errors import InvalidModelError, OptionError
from ..frontend.tflite_reader import COMPILED_OPERATOR, read_model_bytes

if TYPE_CHECKING:
    from ..frontend.graph import Graph, Operator

CLOCK_HZ = 500_000_000
LINK_BYTES_PER_SECOND = {"usbonly": 253_000_000, "pcionly": 500_000_000, "any": 253_000_000}
"""USB 3: fits the vendor's published inference times. PCI Express 2.0: a lane's upper bound."""
DEVICE_TYPES = tuple(LINK_BYTES_PER_SECOND)
CPU_NANOSECONDS = 1.0
"""For each multiply-accumulate, and for each element an operator on the CPU reads or writes:
the order of magnitude of one core."""
_SECOND = 1_000_000_000

Cycles = Callable[[Executable], int]


class LatencyModel(Protocol):
    """Something that knows how long a compiled model takes."""

    @property
    def name(self) -> str:
        """What is measured or estimated, for the user."""
        ...

    def latency_ns(self, compiled: bytes) -> int:
        """Nanoseconds of one inference with cached parameters in place."""
        ...


@dataclass(frozen=True, slots=True)
class EstimatedLatency:
    """Cycles from `cycles`, the rest as the module says. device_type: whose link."""

    name: str
    cycles: Cycles
    device_type: str = "any"

    def latency_ns(self, compiled: bytes) -> int:
        cycles = traffic = 0
        for op in compiled_ops(compiled):
            options = read_custom_options(op.custom_options)
            executable = _per_inference(read_package(options.package).executables)
            cycles += self.cycles(executable)
            traffic += host_bytes(executable)
        graph = read_model_bytes(compiled, "", compiled=True)
        seconds = cycles / CLOCK_HZ + traffic / LINK_BYTES_PER_SECOND[self.device_type]
        return round(seconds * _SECOND) + cpu_nanoseconds(graph)


def _per_inference(executables: Sequence[Executable]) -> Executable:
    """The one that runs each time; the other loads the cached parameters once."""
    for executable in executables:
        if executable.type != ExecutableType.PARAMETER_CACHING:
            return executable
    raise InvalidModelError("the package holds no program for inference")


def static_cycles(executable: Executable) -> int:
    """Cycles by counting instructions."""
    from ..beagle.disassembler import disassemble  # noqa: PLC0415
    from .static_cycles import estimated_cycles  # noqa: PLC0415

    program = disassemble(chunk.bitstream for chunk in executable.chunks)
    return estimated_cycles(program)


def host_bytes(executable: Executable) -> int:
    """Bytes of one inference that cross the link: program, streamed parameters, activations."""
    layers = (*(executable.inputs or ()), *(executable.outputs or ()))
    return (
        sum(len(chunk.bitstream) for chunk in executable.chunks)
        + len(executable.parameters)
        + sum(layer.size_bytes for layer in layers)
    )


def cpu_nanoseconds(graph: Graph) -> int:
    """A rough figure for the operators that run on the CPU."""
    on_cpu = (op for op in graph.operators if op.custom_code != COMPILED_OPERATOR)
    return round(CPU_NANOSECONDS * sum(_operations(graph, op) for op in on_cpu))


def _operations(graph: Graph, op: Operator) -> int:
    tensors = [graph.tensors[index] for index in (*op.inputs, *op.outputs) if index >= 0]
    moved = sum(_elements(tensor.shape) for tensor in tensors if not tensor.is_constant)
    weights = [tensor for tensor in tensors if tensor.is_constant and len(tensor.shape) > 1]
    if op.name not in _WEIGHTED or not weights or not op.outputs:
        return moved
    outputs = _elements(graph.tensors[op.outputs[0]].shape)
    shape = weights[0].shape
    taps = shape[1:3] if op.name == "DEPTHWISE_CONV_2D" else shape[1:]
    return moved + outputs * _elements(taps)


_WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV")


def _elements(shape: tuple[int, ...]) -> int:
    return math.prod(max(size, 1) for size in shape)


def latency_model(kind: str, device_type: str) -> LatencyModel:
    """The model called `kind`: `device`, `emulator`, `static`, or `auto`, which is the first of
    them that there is. Raises OptionError if it is not there."""
    makers: dict[str, Callable[[str], LatencyModel | None]] = {
        "device": _device_model,
        "emulator": _emulator_model,
        "static": _static_model,
    }
    if kind != "auto" and kind not in makers:
        allowed = ", ".join(("auto", *makers))
        raise OptionError("unknown latency model", actual=kind, allowed=allowed)
    for name, make in makers.items():
        model = make(device_type) if kind in ("auto", name) else None
        if model is not None:
            return model
    raise OptionError("this latency model is not available here", actual=kind)


def _device_model(device_type: str) -> LatencyModel | None:
    from .device import device_model  # noqa: PLC0415

    return device_model(device_type)


def _emulator_model(_device_type: str) -> LatencyModel | None:
    return None


def _static_model(device_type: str) -> LatencyModel:
    return EstimatedLatency("estimated from the instructions", static_cycles, device_type)
