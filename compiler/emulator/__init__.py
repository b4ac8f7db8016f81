"""Runs compiled models without hardware, exactly.

    from compiler.emulator import run_model
    outputs = run_model("model_edgetpu.tflite", {"input": array})

`CompiledModel` and `Device` give more: several models on one device, with parameters cached
between runs. User guide: docs/emulator.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .device import Device, RunResult
    from .model import CompiledModel, ModelResult, random_inputs, run_model

__all__ = [
    "CompiledModel",
    "Device",
    "ModelResult",
    "RunResult",
    "random_inputs",
    "run_model",
]
_DEVICE = ("Device", "RunResult")


def __getattr__(name: str) -> Any:  # noqa: ANN401 - module attribute hook
    """Import late: numpy takes a while, and the command line asks for the version too."""
    if name not in __all__:
        raise AttributeError(name)
    from . import device, model  # noqa: PLC0415

    return getattr(device if name in _DEVICE else model, name)
