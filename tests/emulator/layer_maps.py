"""Maps that tensor ops leave in narrow memory, against the layers of the reference."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np

from compiler.beagle.layers import split
from compiler.emulator.device import Device
from compiler.emulator.tensor_unit import TensorSide
from compiler.frontend.tflite_reader import read_model
from tests.corpus_paths import Pair
from tests.emulator.reference import Reference
from tests.emulator.vendor_runs import device_inputs, run

Array = np.ndarray[Any, Any]


FREE = ("QUANTIZE", "RESHAPE")
"""Operators that may take no instruction: nothing in the memories need hold their result."""


@dataclass(frozen=True)
class LayerMatch:
    """A tile's part of a layer, against the map of a tensor op that fits it best."""

    tensor: int
    tile: int
    values: int
    differing: int


def layer_matches(pair: Pair) -> list[LayerMatch]:
    """Every (layer, tile) whose size some tensor op's result has."""
    assert pair.source is not None
    written: dict[tuple[int, int], list[Array]] = {}

    def observe(chip, execution, tile):
        for side in execution.sides or ():
            if isinstance(side, TensorSide):
                words = np.unique(side.plan.narrow_out.addresses() >> 2)
                content = chip.memories.narrow_words[tile, words].view(np.uint8)
                written.setdefault((tile, len(content)), []).append(content.copy())

    model, result = run(pair, device=Device(observer=observe))
    source = read_model(pair.source)
    names = {tensor.name: tensor.index for tensor in source.tensors}
    inputs = device_inputs(model, result, names)
    made = {i for op in source.operators if op.name not in FREE for i in op.outputs}
    layers = Reference(source, inputs).run()
    return _matches({i: layer for i, layer in layers.items() if i in made}, written)


def _matches(
    layers: dict[int, Array], written: dict[tuple[int, int], list[Array]]
) -> list[LayerMatch]:
    found = []
    for index, layer in layers.items():
        if layer.ndim != 4 or layer.shape[1] * layer.shape[2] == 1 or layer.dtype != np.uint8:
            continue
        for tile in range(16):
            part = _part(layer[0], tile)
            padded = -(-part.shape[2] // 4) * 4
            maps = written.get((tile, part.shape[0] * part.shape[1] * padded), [])
            if part.size and maps:
                differing = min(_difference(part, content, padded) for content in maps)
                found.append(LayerMatch(index, tile, part.size, differing))
    return found


def _part(layer: Array, tile: int) -> Array:
    """A tile's rows and columns of a layer."""
    rows, columns = (
        [0, *accumulate(split(size))][place : place + 2]
        for size, place in zip(layer.shape[:2], divmod(tile, 4), strict=True)
    )
    return layer[rows[0] : rows[1], columns[0] : columns[1]]


def _difference(part: Array, content: Array, padded: int) -> int:
    actual = content.reshape(*part.shape[:2], padded)[:, :, : part.shape[2]]
    return int((actual != part).sum())
