"""Reference arithmetic of the chip, operator by operator, straight from a .tflite graph.

Independent of the emulator: it knows no instruction, only what each TFLite operator must give
when sums are exact, the requantisation is one float32 multiplication, clamps come before the
rounding and halves round to even. Values are counted from the lowest value of their type, so
int8 tensors appear as uint8 (+128); shapes are the tensors' own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from compiler.frontend.graph import Graph, Operator

from .lstm_reference import lstm
from .reference_arithmetic import Array, NoReferenceError, Tensors, counted
from .reference_moves import (
    concatenation,
    cut,
    pack,
    pad,
    reshape,
    resize_bilinear,
    resize_nearest,
    space_to_depth,
    split,
    strided_slice,
    tile,
    transpose,
)
from .reference_sums import (
    add,
    average_pool,
    convolution,
    extreme,
    fully_connected,
    largest,
    max_pool,
    mean,
    multiply,
    prelu,
    quantize,
    rectify,
    smallest,
    squared_difference,
    total,
    transposed_convolution,
)
from .reference_tables import hyperbolic, l2_normalization, logistic, rsqrt, softmax


class Reference(Tensors):
    """Evaluates a graph's operators in order; `unknown` names those it does not know."""

    def __init__(self, graph: Graph, inputs: dict[int, Array]) -> None:
        super().__init__(graph, inputs)
        self.unknown: set[str] = set()

    def run(self) -> dict[int, Array]:
        """All tensors that can be computed; `unknown` names operators that cannot."""
        for op in self.graph.operators:
            if op.outputs[0] in self.values:
                continue
            try:
                results = OPERATORS[op.name](self, op)
            except KeyError:
                self.unknown.add(op.name)
                continue
            except NoReferenceError:
                continue
            results = results if isinstance(results, tuple) else (results,)
            for index, result in zip(op.outputs, results, strict=True):
                self.values[index] = result.reshape(self.graph.tensors[index].shape)
        return self.values


OPERATORS: dict[str, Callable[[Tensors, Operator], Any]] = {
    "ADD": add,
    "AVERAGE_POOL_2D": average_pool,
    "CONCATENATION": concatenation,
    "CONV_2D": convolution,
    "DEPTHWISE_CONV_2D": convolution,
    "EXPAND_DIMS": reshape,
    "FULLY_CONNECTED": fully_connected,
    "L2_NORMALIZATION": l2_normalization,
    "LOGISTIC": logistic,
    "MAXIMUM": extreme,
    "MAX_POOL_2D": max_pool,
    "MEAN": mean,
    "MINIMUM": extreme,
    "MUL": multiply,
    "PACK": pack,
    "PAD": pad,
    "PRELU": prelu,
    "QUANTIZE": quantize,
    "REDUCE_MAX": largest,
    "REDUCE_MIN": smallest,
    "RELU": rectify,
    "RELU6": rectify,
    "RELU_N1_TO_1": rectify,
    "RESHAPE": reshape,
    "RESIZE_BILINEAR": resize_bilinear,
    "RESIZE_NEAREST_NEIGHBOR": resize_nearest,
    "RSQRT": rsqrt,
    "SLICE": cut,
    "SOFTMAX": softmax,
    "SPACE_TO_DEPTH": space_to_depth,
    "SPLIT": split,
    "SQUARED_DIFFERENCE": squared_difference,
    "SQUEEZE": reshape,
    "STRIDED_SLICE": strided_slice,
    "SUB": add,
    "SUM": total,
    "TANH": hyperbolic,
    "TILE": tile,
    "TRANSPOSE": transpose,
    "TRANSPOSE_CONV": transposed_convolution,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": lstm,
}


__all__ = ["NoReferenceError", "Reference", "counted"]
