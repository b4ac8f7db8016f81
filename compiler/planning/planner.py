"""The planner's driver: Graph level in, Plan level out.

schedule -> steps of each operator family -> narrow memory -> capacity -> cached parameters.
It names no operator; the families do the work (`families.py`). An output leaves for the host
right behind the operator that makes it.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..fast_dataclass import dataclass
from ..frontend.graph import Graph, Operator
from ..release import RELEASE_16, Release
from .builder import PlanBuilder
from .dataflow import build_dataflow
from .families import FAMILIES, INPUTS, OUTPUTS
from .family import Border
from .narrow_memory import allocate
from .plan import Plan, Segment
from .refusal import Refusal
from .schedule import schedule
from .shared_memory import share


@dataclass(frozen=True, slots=True)
class Region:
    """The part of a graph that one executable computes: operators in the graph's order, and
    the tensors that come from and go to the host."""

    operators: tuple[int, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def whole_graph(graph: Graph) -> Region:
    """All operators of a graph, for models that are mapped as a whole."""
    return Region(tuple(op.index for op in graph.operators), graph.inputs, graph.outputs)


def plan_region(graph: Graph, region: Region | None = None, release: Release = RELEASE_16) -> Plan:
    """Plan a region (default: the whole graph) as one executable.

    Raises Refusal with the operator that cannot be planned.
    """
    from ..beagle.parameters import pack_layer  # noqa: PLC0415 - numpy is imported late

    region = region or whole_graph(graph)
    order = schedule(graph, (graph.operators[index] for index in region.operators))
    flow = build_dataflow(graph, order.operators, region.inputs, region.outputs)
    mapped = frozenset(region.operators)

    def pack(op: Operator) -> tuple[Segment, ...]:
        return pack_layer(graph, op, mapped)

    planner = PlanBuilder(graph, release, flow, pack, FAMILIES)
    _plan_steps(planner)
    return finish(planner)


def _plan_steps(planner: PlanBuilder) -> None:
    flow = planner.dataflow
    _check_outputs(planner)
    for tensor in dict.fromkeys(map(flow.source, flow.inputs)):
        _plan_border(planner, INPUTS, tensor, "input")
    for op in flow.operators:
        for family in planner.families:
            if op.name in family.operators and family.accepts(planner, op):
                family.plan(planner, op)
                break
        else:
            raise Refusal(op.index, f"no planner takes this {op.name}")
        for tensor in op.outputs:
            if flow.is_output(tensor):
                _plan_border(planner, OUTPUTS, tensor, "output")


def _check_outputs(planner: PlanBuilder) -> None:
    """Every output is the result of an operator, and no two are the same bytes."""
    flow = planner.dataflow
    seen: set[int] = set()
    for tensor in flow.outputs:
        name = planner.graph.tensor(tensor).name
        if flow.producer(tensor) is None:
            raise Refusal(None, f"output '{name}' is an input with another name")
        if flow.source(tensor) in seen:
            raise Refusal(None, f"output '{name}' is another output with another name")
        seen.add(flow.source(tensor))


def _plan_border(planner: PlanBuilder, borders: Sequence[Border], tensor: int, way: str) -> None:
    for border in borders:
        if border.accepts(planner, tensor):
            border.plan(planner, tensor)
            return
    name = planner.graph.tensor(tensor).name
    raise Refusal(None, f"no way to move {way} '{name}' between host and chip")


def finish(planner: PlanBuilder) -> Plan:
    """Addresses for everything the steps asked for."""
    plan = Plan(
        release=planner.release,
        steps=tuple(planner.steps),
        buffers=planner.buffers,
        narrow=allocate(
            planner.buffers, [step.ops[0] if step.ops else None for step in planner.steps]
        ),
        segments=tuple(planner.segments),
        notes=planner.notes,
    )
    (placed,) = share([plan])
    return placed
