"""Models in spatial passes for tests: compiled for a small narrow memory, run on the emulator."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from compiler.driver import PlannedModel, compile_graph
from compiler.emulator import CompiledModel, Device, random_inputs
from compiler.frontend.graph import Graph
from compiler.frontend.tflite_reader import read_model_bytes
from compiler.mapping.partition import Options, partition
from compiler.options import CompileOptions
from compiler.planning.plan import Plan
from compiler.planning.planner import Region, plan_region

from .emulator.compiled import faults
from .emulator.reference import Reference, counted


@dataclass(frozen=True)
class PassRun:
    """A compiled model's plan, what it computed, and what the concurrent emulator found."""

    plan: Plan
    differing: int
    hazards: list[str]

    def count(self, kind: type) -> int:
        return sum(isinstance(step, kind) for step in self.plan.steps)


def small_plan(graph: Graph, words: int) -> Plan:
    """Plan the mapped part of a graph for `words` words of narrow memory a tile."""
    options = CompileOptions()
    (subset,) = partition(graph, options.runtime, options=Options()).kept
    region = Region(subset.operators, subset.inputs(graph), subset.outputs(graph))
    return plan_region(graph, region, options.release, narrow_words=words)


def compiled(graph: Graph, plan: Plan) -> bytes:
    options = CompileOptions()
    part = partition(graph, options.runtime, options=Options())
    return compile_graph(PlannedModel(graph, part, (plan,)), 1, options)


def run_in_passes(data: bytes, words: int, *, concurrent: bool = False) -> PassRun:
    """Compile for `words` words of narrow memory, run, and compare with the reference."""
    graph = read_model_bytes(data, "test")
    plan = small_plan(graph, words)
    plan.verify()
    assert max(plan.narrow[b.name] + b.words for b in plan.buffers) <= words
    model = CompiledModel(compiled(graph, plan))
    inputs = random_inputs(model, seed=1)
    device = Device("concurrent" if concurrent else "functional")
    result = model.run(inputs, device)
    names = {tensor.name: tensor.index for tensor in graph.tensors}
    values = {names[name]: counted(array) for name, array in inputs.items()}
    reference = Reference(graph, values).run()
    differing = sum(
        int(np.count_nonzero(counted(array) != reference[names[name]]))
        for name, array in result.outputs.items()
    )
    return PassRun(plan, differing, faults(result))
