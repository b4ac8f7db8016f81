"""Vendor executables that come without a model: programs without their parameters."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from compiler.beagle.reader import read_executable
from compiler.emulator.device import Device, RunResult, element_type


def run_bare(path: Path, device: Device) -> RunResult:
    """Run an executable on random inputs; its weights read as zeros."""
    executable = read_executable(path.read_bytes())
    generator = np.random.default_rng(0)
    inputs = {
        layer.name: generator.integers(0, 256, (layer.y, layer.x, layer.z), np.uint8).view(
            element_type(layer)
        )
        for layer in executable.inputs or ()
    }
    return device.run([executable], inputs)
