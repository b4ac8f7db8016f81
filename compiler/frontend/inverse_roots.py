"""The quantisation of RSQRT: how far its values go beyond the range of the result.

Reads the Graph level.
"""

from __future__ import annotations

import math

from .graph import SIGNED_OFFSET, Graph, Operator, Tensor, TensorType

FACTORS = (1, 4, 16, 64, 256)
"""Of an argument that is at least 1 and, times 255, at most 65535."""
_HIGHEST = 255


def largest_root(graph: Graph, op: Operator) -> float:
    """1 / sqrt of one step of the input, in steps of the result."""
    source, output = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    root: float = 1 / (math.sqrt(_scale(source)) * _scale(output))
    return root


def steps_above(graph: Graph, op: Operator) -> int:
    """Steps from the result's zero point to its largest value."""
    output = graph.tensor(op.outputs[0])
    assert output.quantization is not None
    offset = SIGNED_OFFSET if output.type == TensorType.INT8 else 0
    return _HIGHEST - (output.quantization.zero_points[0] + offset)


def argument_factor(graph: Graph, op: Operator) -> int | None:
    """The smallest factor of the argument by which the root of 1 is the result's largest value,
    as TensorFlow Lite has for an argument of 0; None: there is no such factor."""
    largest, wanted = largest_root(graph, op), steps_above(graph, op) + 1
    return next((factor for factor in FACTORS if math.sqrt(factor) * largest >= wanted), None)


def _scale(tensor: Tensor) -> float:
    assert tensor.quantization is not None
    return tensor.quantization.scales[0]
