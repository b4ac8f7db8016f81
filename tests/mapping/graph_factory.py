"""Builds small graphs for the mapping tests: tensors by description, operators by name."""

from __future__ import annotations

from typing import Any

import numpy as np

from compiler.frontend.graph import Graph, Operator, Quantization, Tensor, TensorType

INT8, UINT8, FLOAT32 = TensorType.INT8, TensorType.UINT8, TensorType.FLOAT32
PROBABILITY = Quantization((1 / 256,), (-128,))
PLAIN = Quantization((0.5,), (3,))


class GraphFactory:
    """Tensors are made by `activation` and `constant`, which give their index."""

    def __init__(self) -> None:
        self.tensors: list[Tensor] = []
        self.operators: list[Operator] = []

    def activation(
        self,
        *shape: int,
        type: TensorType = INT8,  # noqa: A002
        quantization: Quantization | None = PLAIN,
        **more: Any,
    ) -> int:
        index = len(self.tensors)
        self.tensors.append(Tensor(index, f"t{index}", shape, type, quantization, **more))
        return index

    def constant(
        self,
        values: Any,
        type: TensorType = TensorType.INT32,  # noqa: A002
        quantization: Quantization | None = None,
    ) -> int:
        data = np.asarray(values)
        index = len(self.tensors)
        name = f"c{index}"
        self.tensors.append(Tensor(index, name, data.shape, type, quantization, data))
        return index

    def weights(self, *shape: int, channels: int = 1, scale: float = 0.25) -> int:
        quantization = Quantization((scale,) * channels, (0,) * channels)
        return self.constant(np.ones(shape, np.int8), INT8, quantization)

    def op(
        self, name: str, inputs: list[int], outputs: list[int], version: int = 1, **options: Any
    ) -> int:
        index = len(self.operators)
        self.operators.append(
            Operator(index, name, version, tuple(inputs), tuple(outputs), "", options)
        )
        return index

    def conv(self, source: int, channels: int, kernel: int = 3, stride: int = 1) -> int:
        """A SAME convolution of `source`; gives its result."""
        _, height, width, depth = self.tensors[source].shape
        result = self.activation(1, -(-height // stride), -(-width // stride), channels)
        filters = self.weights(channels, kernel, kernel, depth)
        bias = self.constant(np.zeros(channels, np.int32))
        options = {"padding": 0, "stride_h": stride, "stride_w": stride}
        self.op("CONV_2D", [source, filters, bias], [result], 3, **options)
        return result

    def unary(self, name: str, source: int, **options: Any) -> int:
        """An operator whose result has the shape and quantisation of `source`."""
        tensor = self.tensors[source]
        result = self.activation(*tensor.shape, quantization=tensor.quantization)
        self.op(name, [source], [result], **options)
        return result

    def graph(self, inputs: list[int], outputs: list[int]) -> Graph:
        graph = Graph(
            "m.tflite",
            "main",
            tuple(self.tensors),
            tuple(self.operators),
            tuple(inputs),
            tuple(outputs),
        )
        graph.verify()
        return graph


def one_operator(
    name: str,
    inputs: list[tuple[int, ...] | list[Any]],
    output: tuple[int, ...],
    *,
    version: int = 1,
    quantization: Quantization = PLAIN,
    **options: Any,
) -> Graph:
    """A graph of one operator: a tuple is the shape of an activation, a list the values of an
    int32 constant."""
    factory = GraphFactory()
    operands = [
        factory.activation(*item) if isinstance(item, tuple) else factory.constant(item)
        for item in inputs
    ]
    result = factory.activation(*output, quantization=quantization)
    factory.op(name, operands, [result], version, **options)
    return factory.graph([t for t in operands if not factory.tensors[t].is_constant], [result])
