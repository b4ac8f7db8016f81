"""The test behind edgetpu_model_test: `model_test_runner.py SPECIFICATION`.

Prints what it finds for each compiled model and exits with 1 if anything is not as it must be.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_BYTES = {
    "max_on_chip_bytes": ("used", "on-chip memory for cached parameters"),
    "max_off_chip_bytes": ("streamed", "off-chip memory for streamed parameters"),
}


def check_operators(manifest: dict[str, Any], allowed: list[str]) -> Iterator[str]:
    """What runs on the CPU and must not."""
    for op in manifest["operators"]:
        if op["target"] == "cpu" and op["name"] not in allowed:
            reason = op.get("message", op["status"])
            yield f"operator {op['index']} {op['name']} runs on the CPU: {reason}"


def check_budgets(
    compiled: bytes, manifest: dict[str, Any], budgets: dict[str, int]
) -> Iterator[str]:
    """Which limits are exceeded; prints all values."""
    values = {
        "max_size_bytes": ("compiled file", len(compiled)),
        **{key: (what, manifest["memory"][name]) for key, (name, what) in _BYTES.items()},
    }
    if "max_cycles" in budgets:
        values["max_cycles"] = ("estimated cycles", cycles(compiled))
    for key, (what, value) in values.items():
        unit = "" if key == "max_cycles" else " bytes"
        limit = budgets.get(key)
        print(f"  {what}: {value}{unit}" + ("" if limit is None else f" (limit {limit})"))
        if limit is not None and value > limit:
            yield f"{what}: {value}{unit} are more than {limit}"


def cycles(compiled: bytes) -> int:
    """Estimated cycles of one inference, with cached parameters in place."""
    from compiler.beagle.reader import (  # noqa: PLC0415
        compiled_ops,
        read_custom_options,
        read_package,
    )
    from compiler.pipeline.latency import static_cycles  # noqa: PLC0415

    packages = [read_custom_options(op.custom_options).package for op in compiled_ops(compiled)]
    return sum(static_cycles(read_package(package).executables[0]) for package in packages)


def check_accuracy(compiled: bytes, source: str, inputs: list[str], limit: int) -> Iterator[str]:
    """Where the emulated Edge TPU and the CPU differ by more than `limit`."""
    import numpy as np  # noqa: PLC0415
    from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415

    from compiler.emulator.device import Device  # noqa: PLC0415
    from compiler.emulator.model import CompiledModel  # noqa: PLC0415

    model, device = CompiledModel(compiled), Device()
    interpreter = Interpreter(model_path=source)
    interpreter.allocate_tensors()
    places = interpreter.get_input_details()
    if len(places) != 1:
        yield f"the model has {len(places)} inputs: only models with one can be compared"
        return
    for file in inputs:
        array = np.load(file, allow_pickle=False)
        try:
            interpreter.set_tensor(places[0]["index"], array)
        except ValueError as error:
            yield f"{file}: {str(error).splitlines()[0]}"
            continue
        interpreter.invoke()
        outputs = model.run({places[0]["name"]: array}, device).outputs
        for place in interpreter.get_output_details():
            expected = interpreter.get_tensor(place["index"])
            found = outputs[place["name"]].reshape(expected.shape)
            difference = np.abs(found.astype(np.float64) - expected.astype(np.float64)).max()
            print(f"  {file}: {place['name']} differs by {difference:g} at most (limit {limit})")
            if difference > limit:
                yield f"{file}: {place['name']} differs by {difference:g}, more than {limit}"


def check_model(model: dict[str, str], specification: dict[str, Any]) -> list[str]:
    """What is wrong with one compiled model."""
    compiled = Path(model["compiled"]).read_bytes()
    manifest = json.loads(Path(model["manifest"]).read_text())
    print(Path(model["compiled"]).name)
    problems = []
    if specification["all_mapped"]:
        problems += check_operators(manifest, specification["cpu_operators"])
    problems += check_budgets(compiled, manifest, specification["budgets"])
    if specification["inputs"]:
        inputs, limit = specification["inputs"], specification["max_difference"]
        problems += check_accuracy(compiled, model["source"], inputs, limit)
    return problems


def main(specification_file: str) -> int:
    """Check all models; returns the exit status."""
    specification = json.loads(Path(specification_file).read_text())
    failed = False
    for model in specification["models"]:
        for problem in check_model(model, specification):
            failed = True
            print(f"  FAILED: {problem}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
