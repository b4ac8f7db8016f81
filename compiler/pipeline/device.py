"""Latency measured on an Edge TPU, through the Edge TPU runtime (libedgetpu) and TensorFlow
Lite, where both and a device are there."""

from __future__ import annotations

import ctypes
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .latency import LatencyModel

LIBRARIES = ("libedgetpu.so.1", "libedgetpu.1.dylib", "edgetpu.dll")
INFERENCES = 10
"""Inferences whose mean counts; one more before them loads the parameters."""
_PCI, _USB = 0, 1
_TYPES = {"pcionly": (_PCI,), "usbonly": (_USB,), "any": (_PCI, _USB)}


class _Device(ctypes.Structure):
    """struct edgetpu_device of edgetpu_c.h."""

    _fields_ = (("type", ctypes.c_int), ("path", ctypes.c_char_p))


@dataclass(frozen=True, slots=True)
class DeviceLatency:
    """One device: `device` is the runtime's name for it (`usb:0`)."""

    library: str
    device: str

    @property
    def name(self) -> str:
        return f"measured on {self.device}"

    def source(self, _compiled: bytes) -> str:
        return self.name

    def latency_ns(self, compiled: bytes) -> int:
        from ai_edge_litert.interpreter import Interpreter, load_delegate  # noqa: PLC0415

        delegate = load_delegate(self.library, {"device": self.device})
        interpreter = Interpreter(model_content=compiled, experimental_delegates=[delegate])
        interpreter.allocate_tensors()
        interpreter.invoke()
        start = time.perf_counter_ns()
        for _ in range(INFERENCES):
            interpreter.invoke()
        return (time.perf_counter_ns() - start) // INFERENCES


def device_model(device_type: str) -> LatencyModel | None:
    """The first device of the type, None if runtime, interpreter or device is missing."""
    try:
        import ai_edge_litert.interpreter  # noqa: F401, PLC0415
    except ImportError:
        return None
    for library in LIBRARIES:
        try:
            runtime = ctypes.CDLL(library)
        except OSError:
            continue
        kinds = [kind for kind in _device_kinds(runtime) if kind in _TYPES[device_type]]
        if kinds:
            return DeviceLatency(library, "usb:0" if kinds[0] == _USB else "pci:0")
    return None


def _device_kinds(runtime: Any) -> list[int]:  # noqa: ANN401 - a library's symbols have no type
    """Type of every device the runtime sees."""
    count = ctypes.c_size_t()
    runtime.edgetpu_list_devices.restype = ctypes.POINTER(_Device)
    devices = runtime.edgetpu_list_devices(ctypes.byref(count))
    kinds = [devices[index].type for index in range(count.value)]
    runtime.edgetpu_free_devices(devices)
    return kinds
