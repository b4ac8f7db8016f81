"""Constraints every operator must keep, in the order of precedence of their statuses."""

from __future__ import annotations

import math

from ...frontend.graph import Graph, Operator, Tensor, TensorType
from ..reasons import Status
from .base import (
    Constraint,
    Context,
    Violation,
    activation_inputs,
    activations,
    constraint,
    operand,
    with_text,
)

QUANTISED = {TensorType.INT8: (-128, 127), TensorType.UINT8: (0, 255)}
"""Element type of an activation -> range of its zero point."""
STATE = {TensorType.INT16: (0, 0)}
"""Element type of an LSTM's cell state, symmetric."""
REQUANTISING = frozenset({"QUANTIZE"})
"""Operators whose wrong data types the vendor reports as "unspecified limitation"."""


def _ranges(tensor: Tensor) -> dict[TensorType, tuple[int, int]]:
    return QUANTISED | STATE if tensor.is_variable else QUANTISED


def _unquantised(graph: Graph, op: Operator) -> Violation | None:
    for tensor in activations(graph, op):
        if tensor.type not in _ranges(tensor):
            return Violation(
                tensor.type.name.lower(),
                "int8 or uint8",
                tensor.name,
                "Quantise the model with full integer quantisation.",
            )
    return None


@constraint(Status.UNSUPPORTED_RANK)
def three_innermost_dimensions(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """Only the three innermost dimensions of a tensor may be larger than 1."""
    for tensor in activations(graph, op):
        if any(size > 1 for size in tensor.shape[:-3]):
            return Violation(
                tensor.shape, "batch size 1", tensor.name, "Export the model with batch size 1."
            )
    return None


@constraint(Status.UNSUPPORTED_DATA_TYPE)
def quantised_data_types(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """Inputs that are not constant, and outputs, must be int8 or uint8 (an LSTM's cell state
    int16)."""
    return None if op.name in REQUANTISING else _unquantised(graph, op)


@constraint()
def quantised_on_both_sides(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """Only a QUANTIZE from int8 or uint8 to int8 or uint8 runs on the Edge TPU; one that reads
    or writes float values stays on the CPU."""
    return _unquantised(graph, op)


@constraint()
def static_shape(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """The sizes of all tensors must be known at compile time and larger than 0."""
    for tensor in activations(graph, op):
        if any(size <= 0 for size in tensor.shape):
            return Violation(
                tensor.shape, "fixed sizes", tensor.name, "Export the model with fixed sizes."
            )
    return None


@constraint()
def has_activation(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """At least one input must not be a constant."""
    return None if activation_inputs(graph, op) else Violation("constants only")


@constraint()
def per_tensor_activations(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """Inputs that are not constant, and outputs, must have one scale and one zero point."""
    for tensor in activations(graph, op):
        scales = () if tensor.quantization is None else tensor.quantization.scales
        if len(scales) != 1:
            return Violation(f"{len(scales)} scales", "1 scale", tensor.name)
    return None


@constraint()
def valid_quantisation(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """Scales must be finite and larger than 0, zero points within the range of the type."""
    for tensor in activations(graph, op):
        quantization = tensor.quantization
        if quantization is None:
            continue
        if not all(math.isfinite(scale) and scale > 0 for scale in quantization.scales):
            return Violation(f"scale {quantization.scales[0]}", "finite, above 0", tensor.name)
        low, high = _ranges(tensor)[tensor.type]
        if len(quantization.zero_points) != 1 or not low <= quantization.zero_points[0] <= high:
            found = f"zero point {', '.join(map(str, quantization.zero_points)) or 'absent'}"
            return Violation(found, f"{low} to {high}", tensor.name)
    return None


def operands(required: int, most: int | None = None, outputs: int = 1) -> Constraint:
    """The operator has `required` to `most` inputs, the required ones present, and `outputs`
    outputs (0: one or more)."""
    most = required if most is None else most
    inputs = str(required) if most == required else f"{required} to {most}"
    if most >= MANY:
        inputs = f"{required} or more"

    def check(_graph: Graph, op: Operator, _context: Context) -> Violation | None:
        if not required <= len(op.inputs) <= most:
            return Violation(f"{len(op.inputs)} inputs", f"{inputs} inputs")
        absent = [i for i in range(required) if op.inputs[i] < 0]
        if absent:
            return Violation(f"input {absent[0]} absent", "present")
        if len(op.outputs) != outputs and not (outputs == 0 and op.outputs):
            return Violation(f"{len(op.outputs)} outputs", f"{outputs or 'some'} outputs")
        return None

    message = f"The operator must have {_count(inputs, 'input')} and "
    message += f"{_count(str(outputs or '1 or more'), 'output')}."
    return with_text(check, "operand_count", message, Status.UNSPECIFIED)


def _count(number: str, noun: str) -> str:
    return f"{number} {noun}" if number == "1" else f"{number} {noun}s"


MANY = 1 << 16
"""`most` of an operator with any number of inputs."""


def constant_parameters(names: dict[int, str]) -> Constraint:
    """The inputs at the given positions, where present, must be constants."""

    def check(graph: Graph, op: Operator, _context: Context) -> Violation | None:
        for position, name in names.items():
            tensor = operand(graph, op, position)
            if tensor is not None and not tensor.is_constant:
                return Violation(f"{name} computed at run time", "a constant", tensor.name)
        return None

    message = f"{_listed(list(dict.fromkeys(names.values())))} must be constant."
    return with_text(check, "constant_parameters", message, Status.NOT_CONSTANT)


def same_type(*positions: int) -> Constraint:
    """The inputs at the given positions, and the output, must have one element type."""

    def check(graph: Graph, op: Operator, _context: Context) -> Violation | None:
        wanted = graph.tensors[op.outputs[0]].type
        chosen = positions or range(len(op.inputs))
        for tensor in (operand(graph, op, position) for position in chosen):
            if tensor is not None and tensor.type != wanted:
                return Violation(tensor.type.name.lower(), wanted.name.lower(), tensor.name)
        return None

    message = "Inputs and output must have the same data type."
    return with_text(check, "same_type", message, Status.UNSUPPORTED_DATA_TYPE)


def _listed(names: list[str]) -> str:
    text = " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
    return text[:1].upper() + text[1:]


BEFORE_OPERATOR = (three_innermost_dimensions, quantised_data_types)
"""Asked before whether the operator is known at all."""
AFTER_OPERATOR = (
    quantised_on_both_sides,
    static_shape,
    has_activation,
    per_tensor_activations,
    valid_quantisation,
)
"""Asked of known operators, after the operand count."""
