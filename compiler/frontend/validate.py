"""Checks the meaning of a Graph that came from a hostile file: every stage behind relies on it.

`validate` runs inside `read_model`; each rule is one function, and docs/format/tflite_input.md
lists their error texts.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from ..errors import InvalidModelError, Where
from ..fast_dataclass import dataclass
from .graph import Graph, Operator, Quantization, Tensor, TensorType

MAX_ELEMENTS = 2**31 - 1
ZERO_POINT_RANGES = {
    TensorType.INT8: (-128, 127),
    TensorType.UINT8: (0, 255),
    TensorType.INT16: (-32768, 32767),
    TensorType.INT32: (-(2**31), 2**31 - 1),
}
ENUM_OPTIONS = {"padding": 1, "fused_activation_function": 5}
"""Option -> largest number the schema's enum has."""
POSITIVE_OPTIONS = (
    "stride_w",
    "stride_h",
    "stride_d",
    "filter_width",
    "filter_height",
    "dilation_w_factor",
    "dilation_h_factor",
    "dilation_d_factor",
)


def validate(graph: Graph) -> None:
    """Raise InvalidModelError unless the graph is well formed.

    Indices in range; one writer a tensor, and no writer for constants and graph inputs;
    operators in execution order; shapes with at most 2^31 - 1 elements; quantisation with
    finite positive scales, zero points inside the type and one scale a slice; enum and
    stride options with values that exist.
    """
    _check_indices(graph)
    for tensor in graph.tensors:
        _check_size(graph, tensor)
        _check_quantization(graph, tensor)
    for operator in graph.operators:
        _check_options(graph, operator)
    _check_order(graph)
    _check_used(graph)


@dataclass(frozen=True, slots=True)
class QuantizedTensors:
    """How many activations and constants are int8 or uint8 with a scale."""

    activations: int
    constants: int

    @property
    def any(self) -> bool:
        """Whether anything is quantised."""
        return self.activations + self.constants > 0


def check_quantised(graph: Graph) -> QuantizedTensors:
    """What of the graph is quantised to 8 bits; only such operators can run on the chip.

    A float model has neither; a dynamic-range quantised one has constants only.
    """
    activations = constants = 0
    for tensor in graph.tensors:
        if tensor.type in (TensorType.INT8, TensorType.UINT8) and tensor.quantization:
            constants += tensor.is_constant
            activations += not tensor.is_constant
    return QuantizedTensors(activations, constants)


def _operator_where(graph: Graph, operator: Operator) -> Where:
    name = operator.custom_code or operator.name
    return Where(graph.source, f"operator {operator.index} ({name})")


def _tensor_where(graph: Graph, tensor: Tensor) -> Where:
    return Where(graph.source, tensor=tensor.name or str(tensor.index))


def _check_indices(graph: Graph) -> None:
    count = len(graph.tensors)

    def check(indices: Iterable[int], lowest: int, what: str, where: Where) -> None:
        for index in indices:
            if not lowest <= index < count:
                raise InvalidModelError(
                    f"{what} names a tensor that does not exist",
                    where=where,
                    actual=index,
                    allowed=f"{lowest}..{count - 1}",
                )

    check(graph.inputs, 0, "the graph's input list", Where(graph.source))
    check(graph.outputs, 0, "the graph's output list", Where(graph.source))
    for operator in graph.operators:
        where = _operator_where(graph, operator)
        check(operator.inputs, -1, "the input list", where)
        check(operator.outputs, 0, "the output list", where)
        check(operator.intermediates, -1, "the list of intermediates", where)


def _check_size(graph: Graph, tensor: Tensor) -> None:
    elements = 1
    for size in tensor.shape:
        elements *= max(size, 1)
    if elements > MAX_ELEMENTS:
        raise InvalidModelError(
            "the tensor has too many elements",
            where=_tensor_where(graph, tensor),
            actual=f"{elements} in shape {list(tensor.shape)}",
            allowed=MAX_ELEMENTS,
        )
    if tensor.is_constant and any(size < 0 for size in tensor.shape):
        raise InvalidModelError(
            "a constant tensor has a dynamic shape",
            where=_tensor_where(graph, tensor),
            actual=list(tensor.shape),
        )
    signature = tensor.shape_signature
    if signature and (len(signature) != len(tensor.shape) or min(signature) < -1):
        raise InvalidModelError(
            "the tensor's shape signature does not fit its shape",
            where=_tensor_where(graph, tensor),
            actual=f"{list(signature)} for {list(tensor.shape)}",
        )


def _check_quantization(graph: Graph, tensor: Tensor) -> None:
    quantization = tensor.quantization
    if quantization is None:
        return
    where = _tensor_where(graph, tensor)
    scales, zero_points = quantization.scales, quantization.zero_points
    if not (math.isfinite(sum(scales)) and min(scales) > 0):
        raise InvalidModelError(
            "the tensor's scale is not a positive number",
            where=where,
            actual=next(scale for scale in scales if not 0 < scale < math.inf),
        )
    lowest, highest = ZERO_POINT_RANGES.get(tensor.type, (-(2**63), 2**63 - 1))
    if min(zero_points) < lowest or max(zero_points) > highest:
        raise InvalidModelError(
            f"the tensor's zero point does not fit its type {tensor.type.name}",
            where=where,
            actual=next(zero for zero in zero_points if not lowest <= zero <= highest),
            allowed=f"{lowest}..{highest}",
        )
    if quantization.per_channel:
        _check_channels(quantization, tensor, where)


def _check_channels(quantization: Quantization, tensor: Tensor, where: Where) -> None:
    axis = quantization.axis
    if not 0 <= axis < len(tensor.shape):
        raise InvalidModelError(
            "the tensor's quantised dimension does not exist",
            where=where,
            actual=axis,
            allowed=f"0..{len(tensor.shape) - 1}" if tensor.shape else "none",
        )
    if len(quantization.scales) != tensor.shape[axis]:
        raise InvalidModelError(
            f"the tensor's scales do not fit dimension {axis} of shape {list(tensor.shape)}",
            where=where,
            actual=len(quantization.scales),
            allowed=tensor.shape[axis],
        )


def _check_options(graph: Graph, operator: Operator) -> None:
    for name, largest in ENUM_OPTIONS.items():
        value = operator.options.get(name)
        if isinstance(value, int) and not 0 <= value <= largest:
            raise InvalidModelError(
                f"the option {name} has no such value",
                where=_operator_where(graph, operator),
                actual=value,
                allowed=f"0..{largest}",
            )
    for name in POSITIVE_OPTIONS:
        value = operator.options.get(name)
        if isinstance(value, int) and value < 1:
            raise InvalidModelError(
                f"the option {name} must be positive",
                where=_operator_where(graph, operator),
                actual=value,
            )


def _check_order(graph: Graph) -> None:
    """Each tensor has one source, and operators come after the ones they read."""
    source = {tensor.index: "a constant" for tensor in graph.tensors if tensor.is_constant}
    for index in graph.inputs:
        if index in source:
            raise InvalidModelError(
                f"a graph input is already {source[index]}",
                where=_tensor_where(graph, graph.tensors[index]),
            )
        source[index] = "a graph input"
    for operator in graph.operators:
        for index in operator.inputs:
            if index >= 0 and index not in source:
                _check_readable(graph, operator, graph.tensors[index])
        for index in operator.outputs:
            if index in source:
                raise InvalidModelError(
                    f"the operator writes a tensor that is already {source[index]}",
                    where=_writer_where(graph, operator, index),
                )
            source[index] = f"written by operator {operator.index}"
    for index in graph.outputs:
        if index not in source and not graph.tensors[index].is_variable:
            raise InvalidModelError(
                "no operator writes this graph output",
                where=_tensor_where(graph, graph.tensors[index]),
            )


def _check_readable(graph: Graph, operator: Operator, tensor: Tensor) -> None:
    """`operator` reads `tensor`, which nothing before it provides."""
    writer = graph.producers().get(tensor.index)
    if writer is None and tensor.is_variable:
        return
    problem = "which nothing writes"
    if writer == operator.index:
        problem = "which it writes itself"
    elif writer is not None:
        problem = f"which operator {writer} writes later"
    raise InvalidModelError(
        f"the operator reads a tensor {problem}",
        where=_writer_where(graph, operator, tensor.index),
        hint="The operators of a model must be in execution order" if writer is not None else "",
    )


def _writer_where(graph: Graph, operator: Operator, index: int) -> Where:
    place = _operator_where(graph, operator)
    return Where(place.file, place.op, graph.tensors[index].name or str(index))


def _check_used(graph: Graph) -> None:
    """Activations that operators touch hold something (a dynamic one may say 0)."""
    for operator in graph.operators:
        for index in (*operator.inputs, *operator.outputs):
            tensor = graph.tensors[index] if index >= 0 else None
            if tensor and not tensor.is_constant and 0 in tensor.shape and not tensor.is_dynamic:
                raise InvalidModelError(
                    "the tensor has no elements",
                    where=_writer_where(graph, operator, index),
                    actual=list(tensor.shape),
                )
