"""The device as the runtime uses it: executables, cached parameters, inputs and outputs.

Facts: docs/format/container.md, "Layers" and "What the runtime does with the token".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..beagle.executable import (
    BaseAddress,
    DataType,
    Executable,
    ExecutableType,
    Layer,
    OutputLayout,
)
from ..errors import EmulationError, Where
from .chip import Chip, Observer
from .concurrent import Concurrent
from .feeds import ACTIVATIONS, PARAMETERS
from .functional import Functional
from .hazards import NOTES, Detector, Report
from .host import HostMemory, buffer_names, link
from .machine import Machine, load
from .memories import TileMemories
from .order import Order
from .timing import Speeds, Timeline

Array = NDArray[Any]
_TYPES: dict[DataType, type[np.integer[Any]]] = {
    DataType.FIXED_POINT8: np.uint8,
    DataType.SIGNED_FIXED_POINT8: np.int8,
    DataType.FIXED_POINT16: np.uint16,
    DataType.SIGNED_FIXED_POINT16: np.int16,
    DataType.SIGNED_FIXED_POINT32: np.int32,
}
_PAIR = (ExecutableType.EXECUTION_ONLY, ExecutableType.PARAMETER_CACHING)
_SIGN = {DataType.SIGNED_FIXED_POINT8: 0x80, DataType.SIGNED_FIXED_POINT16: 0x8000}
"""The chip counts from the lowest value: the driver flips the sign bit."""


@dataclass(frozen=True)
class RunResult:
    """What one run did. outputs: arrays (y, x, z) by layer name.

    loaded_bytes: cached parameters sent to the chip before this run; kept_bytes: cached
    parameters of the model that were there already; wiped_bytes: cached parameters of others
    this run threw away. input_bytes, streamed_bytes, output_bytes, instruction_bytes: transfers
    of the run itself. In concurrent mode also cycles: clock cycles of the program, hazards:
    faults found (empty for a sound program), notes: reads of data never written, which sound
    programs have where the value does not matter, timeline: what every unit did when.
    """

    outputs: dict[str, Array]
    loaded_bytes: int = 0
    kept_bytes: int = 0
    wiped_bytes: int = 0
    input_bytes: int = 0
    streamed_bytes: int = 0
    output_bytes: int = 0
    instruction_bytes: int = 0
    cycles: float | None = None
    hazards: tuple[Report, ...] = ()
    notes: tuple[Report, ...] = ()
    timeline: Timeline | None = None


@dataclass
class _Cache:
    """Cached parameters on the chip: the token they belong to, and the caching programs that
    ran. These are told apart by identity, as the runtime does: a model that is opened twice
    loads its parameters twice."""

    token: int = 0
    programs: list[Executable] = field(default_factory=list)

    def holds(self, program: Executable) -> bool:
        return any(known is program for known in self.programs)

    def size(self) -> int:
        """Bytes that were loaded."""
        return sum(len(program.parameters) for program in self.programs)


class Device:
    """One Edge TPU. Keeps cached parameters between runs, as the runtime does: executables
    that share a token share the chip; another token, or a program with token 0, wipes it.

    mode: "functional" (values only, fast) or "concurrent" (time and hazards too). speeds: costs
    and, with a seed, random speeds of the units. record: keep a timeline. observer: called with
    (chip, instruction, tile) whenever an instruction is done on a tile."""

    def __init__(
        self,
        mode: Literal["functional", "concurrent"] = "functional",
        speeds: Speeds | None = None,
        *,
        record: bool = False,
        observer: Observer | None = None,
    ) -> None:
        self.mode = mode
        self.speeds = speeds
        self.record = record
        self.observer = observer
        self.memories = TileMemories()
        self.detector = Detector()
        self._cache = _Cache()

    def run(self, executables: Sequence[Executable], inputs: Mapping[str, Array]) -> RunResult:
        """Run one custom operator's executables on `inputs`, arrays by layer name.

        EmulationError for malformed programs and for dead-locks, which are in
        `detector.reports` too."""
        program, caching = choose(executables)
        found = len(self.detector.reports)
        loaded = kept = 0
        wiped = self._wipe(program.token)
        if caching is not None and self._cache.holds(caching):
            kept = len(caching.parameters)
        elif caching is not None:
            self._execute(caching, {})
            self._cache.token = caching.token
            self._cache.programs.append(caching)
            loaded = len(caching.parameters)
        chip, host = self._execute(program, layer_bytes(program, inputs))
        outputs = {
            layer.name: read_output(layer, host.buffers[BaseAddress.OUTPUT, layer.name])
            for layer in program.outputs or ()
        }
        traffic = chip.traffic
        reports = self.detector.reports[found:]
        timed = chip if isinstance(chip, Concurrent) else None
        return RunResult(
            outputs,
            loaded,
            kept,
            wiped,
            input_bytes=traffic.to_chip[ACTIVATIONS],
            streamed_bytes=traffic.to_chip[PARAMETERS],
            output_bytes=traffic.to_host,
            instruction_bytes=sum(len(chunk.bitstream) for chunk in program.chunks),
            cycles=timed.now if timed else None,
            hazards=tuple(report for report in reports if report.kind not in NOTES),
            notes=tuple(report for report in reports if report.kind in NOTES),
            timeline=timed.timeline if timed else None,
        )

    def _wipe(self, token: int) -> int:
        """Forget the cached parameters unless they belong to `token`; bytes that are gone."""
        if token and token == self._cache.token:
            return 0
        wiped = self._cache.size()
        self._cache = _Cache()
        self.memories = TileMemories()
        self.detector.forget()
        return wiped

    def _execute(
        self, executable: Executable, inputs: Mapping[str, bytes]
    ) -> tuple[Chip, HostMemory]:
        host = HostMemory(host_buffers(executable, inputs))
        chip: Chip
        if self.mode == "concurrent":
            timeline = Timeline() if self.record else None
            order = Order(self.detector)
            chip = Concurrent(self.memories, host, order, self.speeds, timeline)
        else:
            chip = Functional(self.memories, host)
        chip.observer = self.observer
        Machine(chip).run(load(link(executable)))
        descriptors, left = host.pending
        if descriptors or left:
            raise EmulationError(
                "outputs do not match their DMA descriptors",
                actual=f"{descriptors} descriptors wait, {left} bytes are left over",
            )
        return chip, host


def choose(executables: Sequence[Executable]) -> tuple[Executable, Executable | None]:
    """(the program of an inference, the program that loads its cached parameters or None), as
    the runtime chooses them: one alone is the program, whatever its type; of two, one is for
    execution and one loads; of three the one that stands alone is taken.

    Raises EmulationError for a package that the runtime refuses."""
    by_type = {executable.type: executable for executable in executables}
    types = sorted(executable.type for executable in executables)
    if len(types) == 1 and types[0] is not ExecutableType.PARAMETER_CACHING:
        return executables[0], None
    if types == sorted(ExecutableType):
        return by_type[ExecutableType.STAND_ALONE], None
    if types == sorted(_PAIR):
        return by_type[ExecutableType.EXECUTION_ONLY], by_type[ExecutableType.PARAMETER_CACHING]
    raise EmulationError(
        "the package holds no program for an inference",
        actual=", ".join(kind.name for kind in types),
    )


def host_buffers(
    executable: Executable, inputs: Mapping[str, bytes]
) -> dict[tuple[BaseAddress, str], bytes]:
    """The content of every host buffer before the run."""
    buffers: dict[tuple[BaseAddress, str], bytes] = {}
    for base, name in buffer_names(executable):
        content = b""
        if base is BaseAddress.PARAMETERS:
            content = executable.parameters
        elif base is BaseAddress.INPUT:
            if name not in inputs:
                raise EmulationError("an input is missing", where=Where(tensor=name))
            content = inputs[name]
        buffers[base, name] = content
    for layer in executable.outputs or ():
        buffers.setdefault((BaseAddress.OUTPUT, layer.name), b"")
    return buffers


def layer_bytes(executable: Executable, inputs: Mapping[str, Array]) -> dict[str, bytes]:
    """The bytes of each input as they go to the chip."""
    result = {}
    for layer in executable.inputs or ():
        where = Where(tensor=layer.name)
        if layer.name not in inputs:
            raise EmulationError("an input is missing", where=where)
        array, kind = np.ascontiguousarray(inputs[layer.name]), element_type(layer)
        elements = layer.y * layer.x * layer.z
        if array.dtype != kind or array.size != elements:
            raise EmulationError(
                "an input has the wrong type or size",
                where=where,
                actual=f"{array.size} {array.dtype}",
                allowed=f"{elements} {kind}",
            )
        result[layer.name] = flip_sign(layer, array).tobytes()
    return result


def element_type(layer: Layer) -> np.dtype[Any]:
    """numpy type of a layer's elements."""
    kind = _TYPES.get(layer.data_type)
    if kind is None:
        raise EmulationError(
            "elements of this type are not supported",
            where=Where(tensor=layer.name),
            actual=layer.data_type.name,
        )
    return np.dtype(kind)


def flip_sign(layer: Layer, array: Array) -> Array:
    """Signed values <-> values counted from the lowest."""
    sign = _SIGN.get(layer.data_type)
    if sign is None:
        return array
    unsigned = array.view(f"u{array.dtype.itemsize}")
    return np.asarray(unsigned ^ unsigned.dtype.type(sign)).view(array.dtype)


def read_output(layer: Layer, data: bytes | bytearray) -> Array:
    """An output buffer, which the chip wrote tile by tile, as an array (y, x, z)."""
    kind = element_type(layer)
    elements = np.frombuffer(bytes(data), kind, len(data) // kind.itemsize)
    if layer.layout is None or layer.y * layer.x == 1:
        places = np.arange(layer.y * layer.x * layer.z).reshape(layer.y, layer.x, layer.z)
    else:
        places = _places(layer, layer.layout)
    if places.size and (places.min() < 0 or places.max() >= len(elements)):
        raise EmulationError(
            "the program wrote less than the output layer holds",
            where=Where(tensor=layer.name),
            actual=len(elements),
            allowed=int(places.max()) + 1,
        )
    return flip_sign(layer, elements[places])


def _places(layer: Layer, layout: OutputLayout) -> NDArray[np.int64]:
    """Index of element (y, x, z) in the buffer."""
    try:
        tile = np.add.outer(np.array(layout.y_tile)[: layer.y], np.array(layout.x_tile)[: layer.x])
        rows = np.multiply.outer(
            np.array(layout.y_in_tile)[: layer.y], np.array(layout.x_row_size)[: layer.x]
        )
        start = np.array(layout.tile_offset)[tile] + rows + np.array(layout.x_in_tile)[: layer.x]
        return np.asarray(start[:, :, None] + np.arange(layer.z))
    except (IndexError, ValueError):
        raise EmulationError(
            "an output layout is inconsistent", where=Where(tensor=layer.name)
        ) from None
