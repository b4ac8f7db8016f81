"""A requantisation of a repeated pixel: the pixel is requantised, then repeated.

Reads and writes the Graph level. Facts: docs/format/movement.md, "A pixel over a map".
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from .graph import Graph, Operator
from .movement import picture


def functions_first(graph: Graph, operators: Collection[int]) -> Graph:
    """The graph with each TILE of one pixel and the QUANTIZE that alone reads it in turned order,
    if both are among `operators`: the first of the two indices is the QUANTIZE's then. Other
    tensors and operators keep their indices."""
    tensors, changed = list(graph.tensors), list(graph.operators)
    for index in sorted(operators):
        tile = graph.operators[index]
        reader = _only_reader(graph, tile) if tile.name == "TILE" else None
        if reader is None or reader.index not in operators or reader.name != "QUANTIZE":
            continue
        if (picture(graph.tensor(tile.inputs[0]).shape) or ())[:2] != (1, 1):
            continue
        pixel, result = graph.tensor(tile.inputs[0]), graph.tensor(reader.outputs[0])
        tensors.append(
            replace(
                pixel,
                index=len(tensors),
                name=f"{result.name} pixel",
                type=result.type,
                quantization=result.quantization,
            )
        )
        made = tensors[-1].index
        changed[tile.index] = replace(
            reader, index=tile.index, inputs=(pixel.index,), outputs=(made,)
        )
        changed[reader.index] = replace(
            tile, index=reader.index, inputs=(made, *tile.inputs[1:]), outputs=reader.outputs
        )
    if len(tensors) == len(graph.tensors):
        return graph
    return replace(graph, tensors=tuple(tensors), operators=tuple(changed))


def _only_reader(graph: Graph, op: Operator) -> Operator | None:
    """The operator that alone reads an operator's result, which stays inside the graph."""
    (tensor,) = op.outputs
    readers = [other for other in graph.operators if tensor in other.inputs]
    return readers[0] if len(readers) == 1 and tensor not in graph.outputs else None
