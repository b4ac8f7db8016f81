"""Vendor programs on the emulator: values that differ from the float32 reference and from
TensorFlow Lite's reference kernels.

    python3 -m benchmarks.emulator_accuracy [MAX_BYTES]

Prints the table of docs/emulator.md, "Accuracy" (markdown).
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from compiler.emulator.model import CompiledModel, ModelResult, random_inputs
from tests.corpus_paths import Pair
from tests.emulator.reference import counted
from tests.emulator.vendor_runs import compare, fast_pairs, slow_pairs

Array = np.ndarray[Any, Any]


def tensorflow_lite(pair: Pair, inputs: dict[str, Array]) -> dict[str, Array]:
    """Every tensor of the source model, by the reference kernels; {} if they cannot run it."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType  # noqa: PLC0415

    try:
        interpreter = Interpreter(
            model_path=str(pair.source),
            experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
            experimental_preserve_all_tensors=True,
        )
        interpreter.allocate_tensors()
        details = interpreter.get_input_details()
        for detail in details:
            default = next(iter(inputs.values()))
            interpreter.set_tensor(detail["index"], inputs.get(detail["name"], default))
        interpreter.invoke()
        return {
            detail["name"]: interpreter.get_tensor(detail["index"])
            for detail in interpreter.get_tensor_details()
            if detail["name"] and detail["shape"].size
        }
    except (ValueError, RuntimeError):
        return {}


def row(pair: Pair) -> str:
    """One line of the table."""
    model = CompiledModel(pair.compiled)
    inputs = random_inputs(model, 1)
    result = model.run(inputs, partial=True)
    exact = compare(pair, model, result)
    reference = "none"
    if exact:
        reference = f"{sum(c.differing for c in exact)} of {sum(c.values for c in exact)}"
    return (
        f"| {pair.name.removesuffix('_edgetpu')} | {reference} | {_against(model, result, pair)} |"
    )


def _against(model: CompiledModel, result: ModelResult, pair: Pair) -> str:
    """Differing values and largest difference of the Edge TPU operators' outputs."""
    inputs = {name: result.tensors[name] for name in model.inputs()}
    expected = tensorflow_lite(pair, inputs)
    differing = values = largest = 0
    for op in model.graph.operators:
        for index in op.outputs if op.index in model.executables else ():
            name = model.graph.tensors[index].name
            if name in expected and expected[name].size == result.tensors[name].size:
                actual = counted(result.tensors[name]).ravel().astype(int)
                wanted = counted(expected[name]).ravel().astype(int)
                differing += int((actual != wanted).sum())
                values += actual.size
                largest = max(largest, int(np.abs(actual - wanted).max()))
    return f"{differing} of {values}, at most {largest}" if values else "none"


def main(limit: int) -> None:
    """Print the table."""
    print("| model | differ from the reference | differ from TensorFlow Lite |\n|---|---|---|")
    for pair in [*fast_pairs(), *slow_pairs()]:
        if pair.source is not None and pair.compiled.stat().st_size <= limit:
            print(row(pair), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1 << 30)
