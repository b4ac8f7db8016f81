"""Tells a quantised model from a float one.

Reads the Graph level. Facts: docs/format/texts.md, "Failures".
"""

from __future__ import annotations

from ..errors import NotQuantisedError, Where
from .graph import Graph, Tensor, TensorType

_QUANTISED_TYPES = frozenset({TensorType.INT8, TensorType.UINT8, TensorType.INT16})


def require_quantised(graph: Graph) -> None:
    """Raise NotQuantisedError if no tensor of the model is quantised: nothing of it can run on
    the Edge TPU. Weights alone are enough (such a model compiles, with no operator mapped)."""
    if not any(map(is_quantised, graph.tensors)):
        raise NotQuantisedError(
            "the model is not quantised",
            where=Where(file=graph.source),
            hint="The Edge TPU runs int8 and uint8 models only: convert it with full integer "
            "quantisation",
        )


def is_quantised(tensor: Tensor) -> bool:
    """Whether the tensor's integers stand for real values."""
    quantization = tensor.quantization
    return (
        tensor.type in _QUANTISED_TYPES and quantization is not None and bool(quantization.scales)
    )
