"""Latency measured on a device: the runtime's list of devices, and the inferences that count.
The runtime and the interpreter are stand-ins."""

from __future__ import annotations

import ctypes
import sys
import types
from dataclasses import dataclass, field

import pytest

from compiler.pipeline import device
from compiler.pipeline.device import INFERENCES, DeviceLatency, device_model

PCI, USB = 0, 1


class Function:
    """A library's function, which has a `restype`."""

    def __init__(self, call) -> None:
        self.call = call
        self.restype = None

    def __call__(self, *arguments):
        return self.call(*arguments)


class Runtime:
    """libedgetpu with these devices."""

    def __init__(self, kinds) -> None:
        self.freed = 0
        self.edgetpu_list_devices = Function(lambda count: self._list(count, kinds))
        self.edgetpu_free_devices = Function(self._free)

    def _list(self, count, kinds):
        count._obj.value = len(kinds)
        return [device._Device(kind, b"/dev/x") for kind in kinds]

    def _free(self, _devices) -> None:
        self.freed += 1


@dataclass
class Calls:
    options: list = field(default_factory=list)
    invoked: int = 0


@pytest.fixture
def interpreter(monkeypatch) -> Calls:
    calls = Calls()

    class Interpreter:
        def __init__(self, model_content, experimental_delegates) -> None:
            assert model_content == b"model" and experimental_delegates == ["delegate"]

        def allocate_tensors(self) -> None:
            pass

        def invoke(self) -> None:
            calls.invoked += 1

    def load_delegate(library, options):
        calls.options.append((library, options))
        return "delegate"

    module = types.ModuleType("ai_edge_litert.interpreter")
    module.Interpreter, module.load_delegate = Interpreter, load_delegate
    package = types.ModuleType("ai_edge_litert")
    package.interpreter = module
    monkeypatch.setitem(sys.modules, "ai_edge_litert", package)
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", module)
    return calls


def _install(monkeypatch, runtime) -> None:
    """Only the second name of the library is there."""

    def load(name):
        if runtime is None or name != device.LIBRARIES[1]:
            raise OSError(name)
        return runtime

    monkeypatch.setattr(ctypes, "CDLL", load)


@pytest.mark.parametrize(
    ("kinds", "wanted", "chosen"),
    [
        ([USB], "any", "usb:0"),
        ([PCI, USB], "any", "pci:0"),
        ([PCI, USB], "usbonly", "usb:0"),
        ([USB, PCI], "pcionly", "pci:0"),
        ([USB], "pcionly", None),
        ([], "any", None),
    ],
)
def test_the_first_device_of_the_type(monkeypatch, interpreter, kinds, wanted, chosen):
    runtime = Runtime(kinds)
    _install(monkeypatch, runtime)
    model = device_model(wanted)
    assert (model and model.device) == chosen
    assert runtime.freed == 1
    if model is not None:
        assert model.name == model.source(b"") == f"measured on {chosen}"


def test_without_runtime_or_interpreter_there_is_none(monkeypatch, interpreter):
    _install(monkeypatch, None)
    assert device_model("any") is None
    _install(monkeypatch, Runtime([USB]))
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    assert device_model("any") is None


def test_the_mean_of_inferences_behind_the_first(interpreter):
    assert DeviceLatency("libedgetpu.so.1", "usb:0").latency_ns(b"model") >= 0
    assert interpreter.invoked == INFERENCES + 1
    assert interpreter.options == [("libedgetpu.so.1", {"device": "usb:0"})]
