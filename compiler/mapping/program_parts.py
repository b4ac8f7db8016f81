"""Which operators make a program: those that become instructions, and what they read first."""

from __future__ import annotations

from ..frontend.graph import Graph, Operator, Tensor, TensorType
from .constraints.base import Context, Violation, activation_inputs, constraint, result

MOVING_NOTHING = frozenset({"EXPAND_DIMS", "RESHAPE", "SQUEEZE"})
"""Operators that, where they are lowered, can cost no instruction: alone they are no program."""


def computes(graph: Graph, op: Operator) -> bool:
    """Whether the operator, where it is lowered, becomes at least one instruction."""
    if op.name == "QUANTIZE":
        return not keeps_values(graph, op)
    if op.name == "SPLIT":
        return len(op.outputs) > 1
    return op.name not in MOVING_NOTHING


def keeps_values(graph: Graph, op: Operator) -> bool:
    """Whether input and output hold the same bytes on the chip (int8 is stored plus 128) with
    the same meaning."""
    return _reading(activation_inputs(graph, op)[0]) == _reading(result(graph, op))


def _reading(tensor: Tensor) -> tuple[tuple[float, ...], tuple[int, ...]]:
    """Scales and the zero points of the byte on the chip."""
    if tensor.quantization is None:
        return (), ()
    offset = 128 if tensor.type == TensorType.INT8 else 0
    points = tuple(point + offset for point in tensor.quantization.zero_points)
    return tensor.quantization.scales, points


@constraint()
def part_of_a_program(_graph: Graph, _op: Operator, _context: Context) -> Violation | None:
    """A subgraph is worth a program only if one of its operators computes something."""
    return Violation("operators that move nothing", "one that computes")


@constraint()
def one_activation_input(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """The code generator lowers this operator with one input that is not constant."""
    count = len({tensor.index for tensor in activation_inputs(graph, op)})
    return None if count == 1 else Violation(f"{count} inputs", "1 input")
