"""TensorFlow Lite's reference kernels, for tests and benchmarks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ai_edge_litert.interpreter import Interpreter

Array = np.ndarray[Any, np.dtype[Any]]


def outputs(model: bytes, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """What a model makes of `inputs`, all by the names of the tensors."""
    interpreter = _invoked(model, inputs, keep=False)
    return {
        detail["name"]: interpreter.get_tensor(detail["index"])
        for detail in interpreter.get_output_details()
    }


def tensors(model: bytes, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The same for every tensor that has a name and values."""
    interpreter = _invoked(model, inputs, keep=True)
    return {
        detail["name"]: interpreter.get_tensor(detail["index"])
        for detail in interpreter.get_tensor_details()
        if detail["name"] and detail["shape"].size
    }


def _invoked(model: bytes, inputs: Mapping[str, Array], *, keep: bool) -> Interpreter:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        model_content=model,
        experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
        experimental_preserve_all_tensors=keep,
    )
    interpreter.allocate_tensors()
    for detail in interpreter.get_input_details():
        interpreter.set_tensor(detail["index"], inputs[detail["name"]])
    interpreter.invoke()
    return interpreter
