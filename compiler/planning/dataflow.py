"""The mapped operators as a flow of data: which tensor is whose bytes, and who reads it.

Reads the Graph level. Operators that move no data are looked through here, once, so that no
planner meets them: those that rename their input (`schedule.renamed_input`), and a PAD whose
readers are convolutions and maxima (they take it as padding of their own: docs/format/tiling.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..fast_dataclass import dataclass
from ..frontend.graph import SIGNED_OFFSET, Graph, Operator, Tensor, TensorType
from .refusal import Refusal
from .schedule import renamed_input

_CONVOLUTIONS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D"})
_VALID = 1
"""Padding.VALID of the schema."""


@dataclass(frozen=True, slots=True)
class FusedPad:
    """A PAD read as padding: `before` and `after` in pixels (rows, columns) around `tensor`."""

    tensor: int
    before: tuple[int, int]
    after: tuple[int, int]


def zero_point(tensor: Tensor) -> int:
    """Zero point of the byte on the chip: int8 values are stored plus 128."""
    if tensor.quantization is None or not tensor.quantization.zero_points:
        raise Refusal(None, f"tensor '{tensor.name}' has no quantisation")
    return tensor.quantization.zero_points[0] + (
        SIGNED_OFFSET if tensor.type == TensorType.INT8 else 0
    )


def scale(tensor: Tensor) -> float:
    """The (first) float32 scale of a quantised tensor."""
    if tensor.quantization is None or not tensor.quantization.scales:
        raise Refusal(None, f"tensor '{tensor.name}' has no quantisation")
    return tensor.quantization.scales[0]


@dataclass(frozen=True, slots=True, eq=False)
class Dataflow:
    """operators: those that compute, in execution order; aliases: tensor -> the tensor whose
    bytes it shares; pads: padded tensor -> what it pads; inputs and outputs: tensors that cross
    the border of the mapped part (as the graph names them, aliases not resolved)."""

    graph: Graph
    operators: tuple[Operator, ...]
    aliases: Mapping[int, int]
    pads: Mapping[int, FusedPad]
    consumers: Mapping[int, tuple[Operator, ...]]
    producers: Mapping[int, Operator]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    def source(self, tensor: int) -> int:
        """The tensor that holds `tensor`'s bytes (through aliases and fused pads)."""
        while True:
            if tensor in self.aliases:
                tensor = self.aliases[tensor]
            elif tensor in self.pads:
                tensor = self.pads[tensor].tensor
            else:
                return tensor

    def activations(self, op: Operator) -> list[int]:
        """The operator's non-constant inputs, in order, as their sources."""
        tensors = self.graph.tensors
        return [self.source(t) for t in op.inputs if t >= 0 and not tensors[t].is_constant]

    def readers(self, tensor: int) -> tuple[Operator, ...]:
        """Computing operators that read `tensor` (a source), in execution order."""
        return self.consumers.get(tensor, ())

    def producer(self, tensor: int) -> Operator | None:
        return self.producers.get(self.source(tensor))

    def output_name(self, tensor: int) -> int:
        """The output (as the graph names it) whose bytes `tensor` (a source) holds; -1: none."""
        return next((t for t in self.outputs if self.source(t) == tensor), -1)

    def is_output(self, tensor: int) -> bool:
        return any(self.source(t) == tensor for t in self.outputs)


def build_dataflow(
    graph: Graph, operators: Sequence[Operator], inputs: Sequence[int], outputs: Sequence[int]
) -> Dataflow:
    """Dataflow of the mapped `operators`, given in execution order."""
    aliases: dict[int, int] = {}
    pads: dict[int, FusedPad] = {}
    computing: list[Operator] = []
    readers = graph.consumers()
    chosen = {op.index for op in operators}
    named_anew = [tensor for tensor in inputs if len(_pictures(graph, operators, tensor)) < 2]
    for op in operators:
        renamed = renamed_input(graph, op)
        if renamed is not None and not _moves(graph, op, renamed, aliases, named_anew):
            aliases[op.outputs[0]] = renamed
        elif op.name == "PAD" and _is_fused(graph, op, readers, chosen):
            pads[op.outputs[0]] = _fused_pad(graph, op)
        else:
            computing.append(op)
    flow = Dataflow(graph, tuple(computing), aliases, pads, {}, {}, tuple(inputs), tuple(outputs))
    consumers: dict[int, list[Operator]] = {}
    for op in computing:
        for tensor in dict.fromkeys(flow.activations(op)):
            consumers.setdefault(tensor, []).append(op)
    return Dataflow(
        graph,
        flow.operators,
        aliases,
        pads,
        {tensor: tuple(ops) for tensor, ops in consumers.items()},
        {tensor: op for op in computing for tensor in op.outputs},
        flow.inputs,
        flow.outputs,
    )


def _moves(
    graph: Graph, op: Operator, source: int, aliases: Mapping[int, int], named_anew: Sequence[int]
) -> bool:
    """Whether an operator that changes a shape moves bytes on the chip: it does unless rows,
    columns and channels stay, or it names the bytes of one of the inputs `named_anew`."""
    before, after = _innermost(graph, source), _innermost(graph, op.outputs[0])
    while source in aliases:
        source = aliases[source]
    return before != after and source not in named_anew


def _innermost(graph: Graph, tensor: int) -> tuple[int, ...]:
    return (1, 1, 1, *graph.tensor(tensor).shape)[-3:]


def _pictures(graph: Graph, operators: Sequence[Operator], tensor: int) -> set[tuple[int, ...]]:
    """Rows, columns and channels as which the operators that compute see an input: more than
    one if some read it, and others what a RESHAPE makes of it."""
    names = {tensor}
    seen: set[tuple[int, ...]] = set()
    for op in operators:
        if renamed_input(graph, op) in names:
            names.add(op.outputs[0])
        else:
            seen.update(_innermost(graph, name) for name in names.intersection(op.inputs))
    return seen


def _is_fused(
    graph: Graph, op: Operator, readers: Mapping[int, list[int]], chosen: set[int]
) -> bool:
    if len(graph.tensor(op.inputs[0]).shape) != 4 or op.outputs[0] in graph.outputs:
        return False
    users = readers.get(op.outputs[0], [])
    amounts = graph.tensor(op.inputs[1]).data
    if amounts is None or amounts.shape != (4, 2) or amounts[0].any() or amounts[3].any():
        return False
    return bool(users) and all(
        user in chosen
        and _takes_padding(graph.operators[user])
        and graph.operators[user].inputs[0] == op.outputs[0]
        for user in users
    )


def _takes_padding(op: Operator) -> bool:
    """A maximum's own padding is lower than any value, not the zero point."""
    return op.name in _CONVOLUTIONS or (
        op.name == "MAX_POOL_2D" and op.options["padding"] == _VALID
    )


def _fused_pad(graph: Graph, op: Operator) -> FusedPad:
    amounts = graph.tensor(op.inputs[1]).data
    assert amounts is not None
    (_, (top, bottom), (left, right), _) = amounts.tolist()
    return FusedPad(op.inputs[0], (top, left), (bottom, right))
