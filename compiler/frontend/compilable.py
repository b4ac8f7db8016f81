"""Refuses models that are valid, but of which nothing can be compiled.

Reads the Graph level of an input file. Facts: docs/format/tflite_input.md, "Not compiled".
"""

from __future__ import annotations

from ..errors import NotQuantisedError, UnsupportedModelError, Where
from .graph import Graph
from .validate import check_quantised


def require_compilable(graph: Graph) -> None:
    """Raise UnsupportedModelError for a dynamic shape, NotQuantisedError for a float model.

    Quantised weights alone are enough: such a model compiles, with no operator mapped.
    """
    _require_static(graph)
    if not check_quantised(graph).any:
        raise NotQuantisedError(
            "the model is not quantised",
            where=Where(file=graph.source),
            hint="The Edge TPU runs int8 and uint8 models: convert it with full integer "
            "quantisation",
        )


def _require_static(graph: Graph) -> None:
    """A dimension of -1 in `shape_signature` alone is a default size that was filled in."""
    for tensor in graph.tensors:
        if any(size < 0 for size in tensor.shape):
            raise UnsupportedModelError(
                "the tensor's shape is dynamic",
                where=Where(graph.source, tensor=tensor.name or str(tensor.index)),
                actual=list(tensor.shape),
                hint="Convert the model with a fixed input shape",
            )
