"""What the code generator asks of UNIDIRECTIONAL_SEQUENCE_LSTM (docs/format/lstm.md)."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from ..frontend.graph import Graph, Operator, Tensor, TensorType
from ..frontend.slices import single_step
from .constraints.base import Context, Violation, constraint, operand, option, result
from .program_parts import keeps_values

LSTM = "UNIDIRECTIONAL_SEQUENCE_LSTM"
WORD = 4
"""Bytes of a narrow word."""
MOST_VALUES = 16384
"""Values of the longest sequence."""
MOST_UNITS = 1024
"""Units of 16 tiles."""
TANH = 4
_INPUT, _HIDDEN, _CELL = 0, 18, 19
_WEIGHTS, _BIASES, _NORMALISATION = range(1, 9), range(12, 16), range(20, 24)
_CELL_SCALES = tuple(2.0**-bits for bits in range(9, 16))
_RENAMING = ("RESHAPE", "SQUEEZE", "EXPAND_DIMS", "QUANTIZE")


@constraint()
def whole_lstm(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """An LSTM is lowered with all four gates, biases and both states, tanh as its activation,
    without layer normalisation."""
    for position in (*_WEIGHTS, *_BIASES, _HIDDEN, _CELL):
        if operand(graph, op, position) is None:
            return Violation(f"input {position} absent", "present")
    for position in _NORMALISATION:
        tensor = operand(graph, op, position)
        if tensor is not None:
            return Violation("layer normalisation", "none", tensor.name)
    if option(op, "fused_activation_function") != TANH:
        return Violation(f"activation {option(op, 'fused_activation_function')}", "TANH")
    for name in ("time_major", "diagonal_recurrent_tensors"):
        if option(op, name):
            return Violation(name, "not set")
    return None


@constraint()
def lstm_types(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """An LSTM is lowered with int8 sequences, hidden state and weights (zero points 0, one scale
    a matrix), an int16 cell state whose scale is a power of two from 2^-15 to 2^-9, and int32
    biases; the result has the hidden state's scale."""
    types = dict.fromkeys((_INPUT, _HIDDEN, *_WEIGHTS), TensorType.INT8)
    types |= dict.fromkeys(_BIASES, TensorType.INT32) | {_CELL: TensorType.INT16}
    for position, wanted in types.items():
        tensor = graph.tensors[op.inputs[position]]
        if tensor.type != wanted:
            return Violation(tensor.type.name.lower(), wanted.name.lower(), tensor.name)
    for position in (*_WEIGHTS, _CELL):
        tensor = graph.tensors[op.inputs[position]]
        if not _is_symmetric(tensor):
            return Violation("quantisation", "one scale, zero point 0", tensor.name)
    cell = graph.tensors[op.inputs[_CELL]]
    unit = cell.quantization.scales[0] if cell.quantization else 0.0
    if unit not in _CELL_SCALES:
        return Violation(f"scale {unit}", "2^-15 to 2^-9", cell.name)
    hidden, output = graph.tensors[op.inputs[_HIDDEN]], result(graph, op)
    if _unit(hidden) != _unit(output) or hidden.type != output.type:
        return Violation("other scale or zero point", "the hidden state's", output.name)
    return None


@constraint()
def lstm_sizes(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """An LSTM is lowered for one sequence at a time, whose steps have a multiple of 4 inputs, up
    to 16384 in all, and for a multiple of 4 units up to 1024."""
    source, output = operand(graph, op, _INPUT), result(graph, op)
    if source is None or len(source.shape) != 3 or len(output.shape) != 3:
        return Violation(output.shape, "[1, steps, units]", output.name)
    steps, inputs = source.shape[1:]
    units = output.shape[2]
    if source.shape[0] != 1 or output.shape != (1, steps, units):
        return Violation(output.shape, f"1x{steps}x{units}", output.name)
    if inputs % WORD or units % WORD or units > MOST_UNITS:
        sizes = f"{inputs} inputs, {units} units"
        return Violation(sizes, f"multiples of {WORD}, up to {MOST_UNITS} units", source.name)
    if max(prod(source.shape), prod(output.shape)) > MOST_VALUES:
        return Violation(source.shape, f"up to {MOST_VALUES} values", source.name)
    return _fitting(graph, op, inputs, units)


def _fitting(graph: Graph, op: Operator, inputs: int, units: int) -> Violation | None:
    """The weights and states have the shapes that go with the sizes."""
    shapes: dict[int, tuple[int, ...]] = dict.fromkeys(_WEIGHTS, (units, inputs))
    shapes |= dict.fromkeys(list(_WEIGHTS)[4:], (units, units))
    shapes |= dict.fromkeys(_BIASES, (units,)) | dict.fromkeys((_HIDDEN, _CELL), (1, units))
    for position, wanted in shapes.items():
        tensor = operand(graph, op, position)
        if tensor is None or tensor.shape != wanted:
            return Violation(tensor.shape if tensor else "absent", "x".join(map(str, wanted)))
    return None


@constraint()
def own_states(graph: Graph, op: Operator, context: Context) -> Violation | None:
    """The states must be variable tensors that no other operator reads."""
    for position in (_HIDDEN, _CELL):
        tensor = operand(graph, op, position)
        if tensor is None or not tensor.is_variable or tensor.index in graph.outputs:
            return Violation("an ordinary tensor", "a state", tensor.name if tensor else "")
        if set(context.consumers.get(tensor.index, (op.index,))) != {op.index}:
            return Violation("several readers", "this operator", tensor.name)
    return None


@constraint()
def sequence_from_host_or_lstm(graph: Graph, op: Operator, context: Context) -> Violation | None:
    """An LSTM is lowered if its sequence comes from the host or from another LSTM."""
    source = sequence_source(graph, op.inputs[_INPUT], context.mapped)
    if source is None or source.name == LSTM:
        return None
    return Violation(f"from {source.name}", "from the host or an LSTM")


@constraint()
def sequence_alone(graph: Graph, op: Operator, context: Context) -> Violation | None:
    """A sequence from the host is lowered if only LSTMs read it."""
    tensor = op.inputs[_INPUT]
    if sequence_source(graph, tensor, context.mapped) is not None:
        return None
    producers = graph.producers()
    while True:
        for reader in context.consumers.get(tensor, ()):
            name = graph.operators[reader].name
            if name not in (LSTM, *_RENAMING):
                return Violation(f"read by {name}", "LSTMs only", graph.tensors[tensor].name)
        maker = producers.get(tensor)
        if maker is None or maker not in context.mapped:
            return None
        tensor = graph.operators[maker].inputs[0]


@constraint()
def one_step(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """STRIDED_SLICE is lowered if it takes one step of a sequence, with all its values."""
    if len(op.inputs) == 4 and single_step(graph, op) is not None:
        return None
    return Violation(result(graph, op).shape, "one step of [1, steps, values]")


@constraint()
def step_of_an_lstm(graph: Graph, op: Operator, context: Context) -> Violation | None:
    """STRIDED_SLICE is lowered if its input is the result of an LSTM."""
    source = graph.tensors[op.inputs[0]]
    if is_lstm_result(graph, source.index, context):
        return None
    return Violation("another input", "the result of an LSTM", source.name)


def is_lstm_result(graph: Graph, tensor: int, context: Context) -> bool:
    """Whether a tensor is the sequence that a mapped LSTM computes."""
    source = sequence_source(graph, tensor, context.mapped)
    return source is not None and source.name == LSTM


def sequence_source(graph: Graph, tensor: int, mapped: Sequence[int]) -> Operator | None:
    """The mapped operator that computes a tensor, through those that rename it; None: it comes
    from the host."""
    producers = graph.producers()
    while tensor in producers:
        op = graph.operators[producers[tensor]]
        if op.index not in mapped:
            return None
        if op.name not in _RENAMING or (op.name == "QUANTIZE" and not keeps_values(graph, op)):
            return op
        tensor = op.inputs[0]
    return None


def _is_symmetric(tensor: Tensor) -> bool:
    found = tensor.quantization
    return found is not None and len(found.scales) == 1 and set(found.zero_points) <= {0}


def _unit(tensor: Tensor) -> tuple[object, object]:
    found = tensor.quantization
    return (None, None) if found is None else (found.scales, found.zero_points)
