"""Compiles a network, runs it on the emulator and compares with the references."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from compiler.driver import PlannedModel, compile_graph, plan_model
from compiler.emulator.device import Device
from compiler.emulator.model import CompiledModel, ModelResult, random_inputs, run_operator
from compiler.emulator.timed import emulated_cycles
from compiler.frontend.graph import Graph, Operator, TensorType
from compiler.frontend.tflite_reader import read_model_bytes
from compiler.mapping.reasons import Reason, Status
from compiler.options import CompileOptions
from tests.emulator.reference import Reference, counted
from tests.emulator.reference_arithmetic import as_stored
from tests.tensorflow_lite import tensors

Array = np.ndarray[Any, Any]
FLOAT_RESULTS = frozenset({"DEQUANTIZE", "CUSTOM", "ARG_MAX"})
"""Operators whose results the reference does not have."""


@dataclass(frozen=True)
class Compiled:
    """seconds: CPU time of mapping, planning and lowering."""

    source: bytes
    planned: PlannedModel
    data: bytes
    seconds: float

    @property
    def mapped(self) -> tuple[int, int]:
        """(operators on the Edge TPU, all)."""
        total = len(self.planned.graph.operators)
        return total - len(self.planned.partition.reasons), total

    def refused(self) -> Counter[str]:
        """Operators on the CPU of their own accord, not because of those around them."""
        return Counter(self._name(reason) for reason in self._reasons())

    def reasons(self) -> list[tuple[str, str]]:
        """(operator, why it is on the CPU of its own accord)."""
        return list(
            dict.fromkeys((self._name(reason), reason.message) for reason in self._reasons())
        )

    def _reasons(self) -> list[Reason]:
        found = self.planned.partition.reasons
        return [
            found[op] for op in sorted(found) if found[op].status != Status.MORE_THAN_ONE_SUBGRAPH
        ]

    def _name(self, reason: Reason) -> str:
        return self.planned.graph.operators[reason.op].name


def compiled(source: bytes, options: CompileOptions | None = None) -> Compiled:
    options = options or CompileOptions()
    graph = read_model_bytes(source, "model")
    start = time.process_time()
    planned = plan_model(graph, options)
    data = compile_graph(planned, 9, options)
    return Compiled(source, planned, data, time.process_time() - start)


@dataclass(frozen=True)
class Comparison:
    """values: of the Edge TPU operators' outputs; `wrong`: unlike the reference arithmetic;
    `unlike`: unlike TensorFlow Lite's reference kernels, by at most `largest` steps."""

    values: int
    wrong: int
    unlike: int
    largest: int


def run(model: CompiledModel, device: Device | None = None) -> ModelResult:
    """On random values, the same ones every time."""
    return model.run(random_inputs(model, 1), device)


def reference(graph: Graph, model: CompiledModel, result: ModelResult) -> Reference:
    """The reference arithmetic of all operators, for the inputs of a run."""
    index = {tensor.name: tensor.index for tensor in graph.tensors}
    found = Reference(graph, {index[n]: counted(result.tensors[n]) for n in model.inputs()})
    found.run()
    return found


def compare(source: bytes, model: CompiledModel, result: ModelResult) -> Comparison:
    """Every output of the Edge TPU operators."""
    graph = read_model_bytes(source, "model")
    index = {tensor.name: tensor.index for tensor in graph.tensors}
    exact = reference(graph, model, result).values
    lite = tensors(source, {name: result.tensors[name] for name in model.inputs()})
    values = wrong = unlike = largest = 0
    for name in edge_tpu_outputs(model):
        actual = counted(result.tensors[name]).ravel().astype(int)
        values += actual.size
        wrong += int((actual != exact[index[name]].ravel()).sum())
        gap = np.abs(actual - counted(lite[name]).ravel().astype(int))
        unlike += int((gap > 0).sum())
        largest = max(largest, int(gap.max()))
    return Comparison(values, wrong, unlike, largest)


def edge_tpu_outputs(model: CompiledModel) -> list[str]:
    operators = [op for op in model.graph.operators if op.index in model.executables]
    return [model.graph.tensors[i].name for op in operators for i in op.outputs]


def operator_gaps(graph: Graph, exact: Reference) -> dict[str, int]:
    """Largest difference between the reference arithmetic and TensorFlow Lite's kernels of one
    operator that reads equal values, by the operator's name."""
    gaps: dict[str, int] = {}
    for op in graph.operators:
        if op.name not in FLOAT_RESULTS and op.outputs[0] in exact.values:
            lite = _one_operator(graph, op, exact)
            actual = exact.values[op.outputs[0]].ravel().astype(int)
            gap = int(np.abs(actual - counted(lite).ravel().astype(int)).max())
            gaps[op.name] = max(gaps.get(op.name, 0), gap)
    return gaps


def _one_operator(graph: Graph, op: Operator, exact: Reference) -> Array:
    reads = dict.fromkeys(i for i in op.inputs if i >= 0 and not graph.tensors[i].is_constant)
    inputs = [
        as_stored(exact.values[i], signed=graph.tensors[i].type == TensorType.INT8) for i in reads
    ]
    return run_operator(graph, op, inputs, reference_kernels=True)[0]


def cycles(model: CompiledModel) -> int:
    """Of one run of all Edge TPU operators, parameters loaded."""
    return sum(emulated_cycles(parts[0]) for parts in model.executables.values())
