"""The corpus' Edge TPU operators, parsed, next to the source graph they were made from."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from compiler.beagle.executable import BaseAddress, Executable
from compiler.beagle.package import CustomOptions, Package
from compiler.beagle.reader import compiled_ops, read_custom_options, read_package
from compiler.frontend.graph import Graph
from compiler.frontend.tflite_reader import read_model
from tests.corpus_paths import Pair, pairs

CURRENT = ("rt14", "rt12-16", "rt13")
OTHER_TOOLS = "quant_decoder_edgetpu"
"""Ending of files whose graph was edited around the compiler: the source is not what it saw."""


@dataclass(frozen=True)
class VendorOperator:
    """One edgetpu-custom-op; `inputs`, `outputs`: tensor indices into `graph`, the source."""

    pair: Pair
    compiled: bytes
    blob: bytes
    options: CustomOptions
    package: Package
    graph: Graph | None = None
    inputs: tuple[int, ...] = ()
    outputs: tuple[int, ...] = ()

    def __str__(self) -> str:
        return f"{self.pair.generation}-{self.pair.name}"

    def passes(self) -> dict[int, int]:
        """Spatial passes of each output, read off the vendor's layouts."""
        layers = {layer.name: layer for layer in self.package.executables[0].outputs or ()}
        found = {}
        for index in self.outputs:
            layer = layers[self.graph.tensors[index].name]
            found[index] = max(1, len(layer.layout.tile_offset) // 16)
        return found


def activation_names(executable: Executable) -> list[str]:
    """The tensor of each activation base load (its upper half comes first)."""
    fields = [field for chunk in executable.chunks for field in chunk.field_offsets or ()]
    activations = (BaseAddress.INPUT, BaseAddress.OUTPUT)
    return [field.name for field in fields if field.base in activations][::2]


def corpus_parameters(items: Sequence[Any]) -> list[Any]:
    """Parameters for pytest.mark.parametrize, or one that skips where the corpus is absent."""
    if items:
        return [pytest.param(item, id=str(item)) for item in items]
    reason = "no vendor corpus: set EDGETPU_CORPUS or put it at ../shared/corpus"
    return [pytest.param(None, marks=pytest.mark.skip(reason=reason))]


@functools.cache
def vendor_operators(*, with_source: bool = False) -> tuple[VendorOperator, ...]:
    """All operators of the corpus; with_source: those of the current generations whose source
    graph is known, with it."""
    found = []
    for pair in pairs():
        if with_source and (
            pair.source is None or pair.generation not in CURRENT or pair.name.endswith(OTHER_TOOLS)
        ):
            continue
        compiled = pair.compiled.read_bytes()
        for op in compiled_ops(compiled):
            options = read_custom_options(op.custom_options)
            if with_source and options.chips is None:
                continue  # a release before 15.0
            package = read_package(options.package)
            item = VendorOperator(pair, compiled, op.custom_options, options, package)
            found.append(_with_source(item, op.inputs, op.outputs) if with_source else item)
    return tuple(found)


def _with_source(
    item: VendorOperator, inputs: tuple[int, ...], outputs: tuple[int, ...]
) -> VendorOperator:
    graph = read_model(item.pair.source)
    compiled = read_model(item.pair.compiled, compiled=True)
    index = {tensor.name: tensor.index for tensor in graph.tensors}
    places = [
        tuple(index[compiled.tensors[i].name] for i in tensors) for tensors in (inputs, outputs)
    ]
    return replace(item, graph=graph, inputs=places[0], outputs=places[1])
