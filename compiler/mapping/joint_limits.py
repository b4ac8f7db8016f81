"""What the code generator asks of operators that widen or join maps."""

from __future__ import annotations

from ..frontend.graph import Graph, Operator
from .constraints.base import (
    Context,
    Violation,
    activation_inputs,
    constraint,
    is_vector,
    option,
    result,
)
from .movement_limits import vectors_only

WORD = 4
"""Channels of a narrow word."""
CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")


@constraint()
def vectors_or_channels(graph: Graph, op: Operator, context: Context) -> Violation | None:
    """CONCATENATION is lowered for vectors, and for maps along their channels: all inputs but
    the last have a multiple of 4."""
    if is_vector(result(graph, op).shape):
        return vectors_only.check(graph, op, context)
    axis = option(op, "axis")
    if axis not in (3, -1):
        return Violation(f"axis {axis}", "the channels")
    for tensor in activation_inputs(graph, op)[:-1]:
        if len(tensor.shape) != 4:
            return Violation(f"shape {list(tensor.shape)}", "maps", tensor.name)
        if tensor.shape[-1] % WORD:
            return Violation(f"{tensor.shape[-1]} channels", f"multiples of {WORD}", tensor.name)
    return None


@constraint()
def read_by_convolutions(graph: Graph, op: Operator, context: Context) -> Violation | None:
    """PAD is lowered if only convolutions read its result: they take it as padding."""
    output = result(graph, op)
    if output.index in graph.outputs:
        return Violation("an output of the model", "read by convolutions", output.name)
    for index in context.consumers.get(output.index, ()):
        reader = graph.operators[index]
        if reader.name not in CONVOLUTIONS or reader.inputs[0] != output.index:
            return Violation(f"read by {reader.name}", "read by convolutions", output.name)
    return None
