"""Runs a vendor model on the emulator, next to the reference arithmetic of its source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from compiler.emulator.device import Device
from compiler.emulator.model import CompiledModel, ModelResult, random_inputs
from compiler.frontend.graph import Graph
from compiler.frontend.tflite_reader import read_model
from tests.corpus_paths import Pair, pairs
from tests.emulator.reference import Reference, counted

Array = np.ndarray[Any, Any]
SLOW = ("40_40", "20_20", "model_conv_128", "model_mat_Add", "deeplab", "posenet", "bodypix")
"""Parts of the names of models whose tests run in the full configuration only: large kernels and
images of many passes. The pose models have a test of their own."""
OTHER_SOURCE = ("bodypix",)
"""Models that were compiled from another source than the one beside them: their heatmaps have
another scale. Recorded poses check them (`test_poses`)."""
FAST_BYTES = 1_000_000


@dataclass(frozen=True)
class Comparison:
    """An output of an Edge TPU operator against the reference."""

    tensor: str
    values: int
    differing: int


def fast_pairs() -> list[Pair]:
    return [pair for pair in _all() if _is_fast(pair)]


def slow_pairs() -> list[Pair]:
    return [pair for pair in _all() if not _is_fast(pair)]


def _all() -> list[Pair]:
    return sorted(pairs(), key=lambda pair: (pair.compiled.stat().st_size, str(pair.compiled)))


def _is_fast(pair: Pair) -> bool:
    slow = any(part in pair.name for part in SLOW)
    return pair.compiled.stat().st_size < FAST_BYTES and not slow


def run(
    pair: Pair, seed: int = 1, device: Device | None = None
) -> tuple[CompiledModel, ModelResult]:
    model = CompiledModel(pair.compiled)
    return model, model.run(random_inputs(model, seed), device, partial=True)


def compare(pair: Pair, model: CompiledModel, result: ModelResult) -> list[Comparison]:
    """Every output of the Edge TPU operators the reference can compute."""
    assert pair.source is not None
    if any(name in pair.name for name in OTHER_SOURCE):
        return []
    return differences(reference_values(read_model(pair.source), model, result), model, result)


def reference_values(source: Graph, model: CompiledModel, result: ModelResult) -> dict[str, Array]:
    """Every tensor the reference can compute from what the Edge TPU operators read, by name;
    values are counted from the lowest."""
    index = {tensor.name: tensor.index for tensor in source.tensors}
    values = Reference(source, device_inputs(model, result, index)).run()
    return {name: values[i] for name, i in index.items() if i in values}


def differences(
    values: dict[str, Array], model: CompiledModel, result: ModelResult
) -> list[Comparison]:
    """Outputs of the Edge TPU operators against `values`, where there are any."""
    found = []
    for op in model.graph.operators:
        for index in op.outputs if op.index in model.executables else ():
            name = model.graph.tensors[index].name
            if name in values:
                actual = counted(result.tensors[name]).ravel()
                differing = int((actual != values[name].ravel()).sum())
                found.append(Comparison(name, actual.size, differing))
    return found


def device_inputs(
    model: CompiledModel, result: ModelResult, index: dict[str, int]
) -> dict[int, Array]:
    """What the Edge TPU operators read, by the source model's tensor indices (`index`: by name)."""
    tensors = model.graph.tensors
    names = [
        tensors[i].name
        for op in model.graph.operators
        if op.index in model.executables
        for i in op.inputs
        if not tensors[i].is_variable
    ]
    return {index[name]: counted(result.tensors[name]) for name in names if name in index}
