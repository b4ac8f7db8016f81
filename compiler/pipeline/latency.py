"""How long one inference of a compiled segment takes: on a device, or estimated.

An estimate is the cycles of the programs at the chip's clock, the host's bytes at the link's
rates, and a rough figure for operators on the CPU (docs/usage.md, "Latency models").
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
    from ..lowering.program import Program

CLOCK_HZ = 500_000_000
LINK_BYTES_PER_SECOND = {"usbonly": 253_000_000, "pcionly": 500_000_000, "any": 253_000_000}
"""USB 3: fits the vendor's published inference times. PCI Express 2.0: a lane's upper bound."""
PARAMETER_BYTES_PER_SECOND = {"usbonly": 517_000_000, "pcionly": 500_000_000, "any": 517_000_000}
"""The same for streamed parameters, which cross in long transfers."""
DEVICE_TYPES = tuple(LINK_BYTES_PER_SECOND)
CPU_NANOSECONDS = 1.0
"""For each multiply-accumulate, and for each element an operator on the CPU reads or writes:
the order of magnitude of one core."""
EMULATED_MOVES = 200_000
"""Moves of lines (`static_cycles.line_moves`) up to which `auto` emulates: 3 to 5 seconds."""
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

    def source(self, compiled: bytes) -> str:
        """Where this model's latency comes from."""
        ...


@dataclass(frozen=True, slots=True)
class EstimatedLatency:
    """Cycles from `cycles`, the rest as the module says. device_type: whose link."""

    name: str
    cycles: Cycles
    device_type: str = "any"

    def source(self, _compiled: bytes) -> str:
        return self.name

    def latency_ns(self, compiled: bytes) -> int:
        seconds = 0.0
        for executable in programs(compiled):
            seconds += self.cycles(executable) / CLOCK_HZ
            seconds += link_seconds(executable, self.device_type)
        graph = read_model_bytes(compiled, "", compiled=True)
        return round(seconds * _SECOND) + cpu_nanoseconds(graph)


@dataclass(frozen=True, slots=True)
class EmulatedLatency:
    """The emulator's cycles, where emulating takes seconds; `counted` for larger programs."""

    emulated: LatencyModel
    counted: LatencyModel
    limit: int

    @property
    def name(self) -> str:
        return (
            f"{self.emulated.name}, and {self.counted.name} "
            f"where that would take long (over {self.limit} moves of lines)"
        )

    def latency_ns(self, compiled: bytes) -> int:
        return self._chosen(compiled).latency_ns(compiled)

    def source(self, compiled: bytes) -> str:
        return self._chosen(compiled).name

    def _chosen(self, compiled: bytes) -> LatencyModel:
        from .static_cycles import line_moves  # noqa: PLC0415

        moves = sum(line_moves(instructions(executable)) for executable in programs(compiled))
        return self.emulated if moves <= self.limit else self.counted


def programs(compiled: bytes) -> list[Executable]:
    """What runs at each inference, for each Edge TPU operator of a compiled model."""
    return [
        _per_inference(read_package(read_custom_options(op.custom_options).package).executables)
        for op in compiled_ops(compiled)
    ]


def instructions(executable: Executable) -> Program:
    """The program of an executable."""
    from ..beagle.disassembler import disassemble  # noqa: PLC0415

    return disassemble(chunk.bitstream for chunk in executable.chunks)


def _per_inference(executables: Sequence[Executable]) -> Executable:
    """The one that runs each time; the other loads the cached parameters once."""
    for executable in executables:
        if executable.type != ExecutableType.PARAMETER_CACHING:
            return executable
    raise InvalidModelError("the package holds no program for inference")


def static_cycles(executable: Executable) -> int:
    """Cycles by counting instructions."""
    from .static_cycles import estimated_cycles  # noqa: PLC0415

    return estimated_cycles(instructions(executable))


def emulated_cycles(executable: Executable) -> int:
    """Cycles on the emulator's clock."""
    from ..emulator.timed import emulated_cycles as emulate  # noqa: PLC0415

    return emulate(executable)


def host_bytes(executable: Executable) -> int:
    """Bytes of one inference that cross the link: program, streamed parameters, activations."""
    layers = (*(executable.inputs or ()), *(executable.outputs or ()))
    return (
        sum(len(chunk.bitstream) for chunk in executable.chunks)
        + len(executable.parameters)
        + sum(layer.size_bytes for layer in layers)
    )


def link_seconds(executable: Executable, device_type: str) -> float:
    """Seconds that those bytes take."""
    parameters = len(executable.parameters)
    return (
        parameters / PARAMETER_BYTES_PER_SECOND[device_type]
        + (host_bytes(executable) - parameters) / LINK_BYTES_PER_SECOND[device_type]
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
    """The model called `kind`: `device`, `emulator`, `static`, or `auto`: a device if there is
    one, else the emulator for all but large programs. Raises OptionError if it is not there."""
    emulated = EstimatedLatency("cycles of the emulator", emulated_cycles, device_type)
    counted = EstimatedLatency("estimated from the instructions", static_cycles, device_type)
    makers: dict[str, Callable[[], LatencyModel | None]] = {
        "auto": lambda: (
            _device_model(device_type) or EmulatedLatency(emulated, counted, EMULATED_MOVES)
        ),
        "device": lambda: _device_model(device_type),
        "emulator": lambda: emulated,
        "static": lambda: counted,
    }
    if kind not in makers:
        raise OptionError("unknown latency model", actual=kind, allowed=", ".join(makers))
    model = makers[kind]()
    if model is None:
        raise OptionError("this latency model is not available here", actual=kind)
    return model


def _device_model(device_type: str) -> LatencyModel | None:
    from .device import device_model  # noqa: PLC0415

    return device_model(device_type)
