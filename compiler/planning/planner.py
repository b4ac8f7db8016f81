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
from .wide_memory import place_small_blocks


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
    """Every output is the result of an operator, and no two are the same bytes; the operators
    at fault are those that rename, and the last of them is refused."""
    flow = planner.dataflow
    seen: dict[int, int] = {}
    for tensor in flow.outputs:
        name, source = planner.graph.tensor(tensor).name, flow.source(tensor)
        if flow.producer(tensor) is None:
            raise Refusal(_writer(planner, tensor), f"output '{name}' is an input, renamed")
        if source in seen:
            renamed = tensor if tensor != source else seen[source]
            raise Refusal(_writer(planner, renamed), f"output '{name}' is another one, renamed")
        seen[source] = tensor


def _writer(planner: PlanBuilder, tensor: int) -> int | None:
    """The operator of the graph that writes a tensor, computing or not."""
    return planner.graph.producers().get(tensor)


def _plan_border(planner: PlanBuilder, borders: Sequence[Border], tensor: int, way: str) -> None:
    """Refusals name the operator that makes the output, or the first that reads the input."""
    flow = planner.dataflow
    near = flow.producer(tensor) if way == "output" else next(iter(flow.readers(tensor)), None)
    fault = None if near is None else near.index
    try:
        for border in borders:
            if border.accepts(planner, tensor):
                border.plan(planner, tensor)
                return
    except Refusal as error:
        if error.op is None:
            error.op = fault
        raise
    name = planner.graph.tensor(tensor).name
    raise Refusal(fault, f"no way to move {way} '{name}' between host and chip")


def finish(planner: PlanBuilder) -> Plan:
    """Addresses for everything the steps asked for."""
    steps, identity_line = place_small_blocks(planner.steps, planner.uses_identity)
    plan = Plan(
        release=planner.release,
        steps=steps,
        buffers=planner.buffers,
        narrow=allocate(planner.buffers, [step.ops[0] if step.ops else None for step in steps]),
        segments=tuple(planner.segments),
        notes=planner.notes,
        identity_line=identity_line,
    )
    (placed,) = share([plan])
    return placed
