"""The planner's driver: Graph level in, Plan level out.

schedule -> steps of each operator family -> narrow memory -> capacity -> cached parameters.
It names no operator; the families do the work (`families.py`). An output leaves for the host
right behind the operator that makes it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

from ..fast_dataclass import dataclass
from ..frontend.channel_layers import expand_channels
from ..frontend.equivalent_layers import as_layers
from ..frontend.functions_first import functions_first
from ..frontend.graph import Graph, Operator
from ..frontend.joined_outputs import split_outputs
from ..frontend.padded_groups import pad_groups
from ..release import RELEASE_16, Release
from .builder import PlanBuilder
from .convolution import plan_early_halo
from .dataflow import build_dataflow
from .families import FAMILIES, INPUTS, OUTPUTS
from .family import Border
from .fully_connected import plan_early_gather
from .host_maps import fetch_parked
from .identity import NAME as IDENTITY
from .identity import ImageIdentity, SharedIdentity
from .image import accepts_image
from .map_layout import MapLayout
from .narrow_memory import NarrowOverflow, allocate
from .origins import refusals_of_origin, with_origins
from .output_parts import in_place
from .parked_pool import parked_maps
from .pass_overflow import Overflow, RunOverflow, long_loops, overflows
from .pass_runs import RunChooser
from .passes import Run, plan_run
from .plan import NARROW_WORDS, Plan, Segment
from .refusal import NoRoom, Refusal
from .schedule import schedule
from .shared_memory import share
from .wide_memory import WideOverflow, place_small_blocks


@dataclass(frozen=True, slots=True)
class Region:
    """The part of a graph that one executable computes: operators in the graph's order, and
    the tensors that come from and go to the host."""

    operators: tuple[int, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def whole_graph(graph: Graph) -> Region:
    """All operators of a graph, for models that are mapped as a whole."""
    states = tuple(tensor.index for tensor in graph.tensors if tensor.is_variable)
    inputs = (*graph.inputs, *states)
    return Region(tuple(op.index for op in graph.operators), inputs, graph.outputs)


def plan_region(
    graph: Graph,
    region: Region | None = None,
    release: Release = RELEASE_16,
    *,
    narrow_words: int = NARROW_WORDS,
) -> Plan:
    """Plan a region (default: the whole graph) as one executable.

    narrow_words: size of a tile's narrow memory (smaller for tests of spatial passes).
    Raises Refusal with the operator that cannot be planned.
    """
    region = region or whole_graph(graph)
    mapped = frozenset(region.operators)
    graph = functions_first(as_layers(pad_groups(graph, mapped), mapped), mapped)
    expanded = expand_channels(graph, region.operators)
    if expanded is None:
        return _plan_outputs_in_parts(graph, region, release, narrow_words)
    layers = Region(expanded.operators, region.inputs, region.outputs)
    with refusals_of_origin(expanded.origins):
        plan = _plan_outputs_in_parts(expanded.graph, layers, release, narrow_words)
    return with_origins(plan, expanded.origins)


def _plan_outputs_in_parts(
    graph: Graph, region: Region, release: Release, narrow_words: int
) -> Plan:
    split = split_outputs(graph, region.operators, region.outputs)
    if split is None:
        return _plan_region(graph, region, release, narrow_words)
    parts = Region(split.operators, region.inputs, split.outputs)
    with refusals_of_origin(split.origins):
        plan = _plan_region(split.graph, parts, release, narrow_words)
    return in_place(plan, split)


def _plan_region(graph: Graph, region: Region, release: Release, narrow_words: int) -> Plan:
    from ..beagle.parameters import pack_layer  # noqa: PLC0415 - numpy is imported late

    operators = [graph.operators[index] for index in region.operators]
    order = schedule(graph, operators, parked_maps(graph, operators))
    flow = build_dataflow(graph, order.operators, region.inputs, region.outputs)
    mapped = frozenset(region.operators)
    packed: dict[int, tuple[Segment, ...]] = {}

    def pack(op: Operator) -> tuple[Segment, ...]:
        if op.index not in packed:
            packed[op.index] = pack_layer(graph, op, mapped)
        return packed[op.index]

    def attempt(runs: Sequence[Run], counted: bool) -> _Attempt:
        shared, image = SharedIdentity(), ImageIdentity()
        while True:
            planner = PlanBuilder(
                graph, release, flow, pack, FAMILIES, identity=shared, image_identity=image
            )
            planner.capacity, planner.counted = narrow_words, counted
            spans = _plan_steps(planner, runs)
            names = _names(planner)
            again = shared.next_plan(names, [run.last for run in runs]), image.next_plan(names)
            if again == (None, None):
                return _Attempt(planner, spans)
            shared = again[0] or shared.fresh()
            image = again[1] or ImageIdentity(image.uses, may_be_kept=image.may_be_kept)

    first = attempt((), True)
    try:
        return _plan_with_runs(attempt, first, narrow_words, counted=True)
    except NoRoom:
        return _plan_with_runs(attempt, first, narrow_words, counted=False)


def _plan_with_runs(
    attempt: _Attempts, current: _Attempt, narrow_words: int, *, counted: bool
) -> Plan:
    """Attempts with more and more passes until everything fits. counted: results of passes count
    for longer than they live (docs/format/passes.md), as long as there are enough passes."""
    chooser = RunChooser(current.planner, narrow_words, counted=counted)
    while True:
        planner = current.planner
        buffers = planner.counted_buffers if counted else planner.buffers
        found = overflows(buffers, planner.now, narrow_words) or long_loops(planner.steps)
        if not found:
            try:
                return finish(planner, narrow_words)
            except NarrowOverflow as error:
                found = [Overflow(error.step, error.words, scattered=True)]
        chooser.next(planner, current.spans, found)
        current = _attempt_with_runs(attempt, chooser, counted=counted)


def _attempt_with_runs(attempt: _Attempts, chooser: RunChooser, *, counted: bool) -> _Attempt:
    """An attempt in which no run is known not to fit before it is planned to its end, and what is
    parked fits into wide memory."""
    while True:
        try:
            return attempt(chooser.runs, counted)
        except RunOverflow as error:
            chooser.better(error)
        except WideOverflow as error:
            if not chooser.more_rows(error.op):
                raise


@dataclass(frozen=True, slots=True)
class _Attempt:
    """A plan without addresses. spans: the steps of each operator; those of a run of spatial
    passes are its first operator's."""

    planner: PlanBuilder
    spans: tuple[range, ...]


_Attempts = Callable[[Sequence[Run], bool], _Attempt]
"""Plans with runs; whether results of passes count for longer than they live."""


def _plan_steps(planner: PlanBuilder, runs: Sequence[Run]) -> tuple[range, ...]:
    """Add all steps; returns the numbers of those of each operator, its inputs from the host
    and its outputs to it included."""
    flow = planner.dataflow
    _check_outputs(planner)
    starts = {run.first: run for run in runs}
    inside = {place: run for run in runs for place in range(run.first, run.last + 1)}
    planner.sliced = frozenset(flow.operators[place].index for place in inside)
    waiting = dict.fromkeys(map(flow.source, flow.inputs))
    spans = []
    begin = 0
    for place, op in enumerate(flow.operators):
        planner.place = place
        _plan_inputs(planner, op, waiting)
        fetch_parked(planner, op)
        _release_identity(planner, max(starts, default=0))
        if place not in inside:
            _plan_operator(planner, op)
            _plan_halo(planner, op)
        elif place in starts:
            plan_run(planner, starts[place])
        if planner.place == planner.shared_identity.until:
            planner.taken.pop(IDENTITY, None)
        if place not in inside:
            _plan_outputs(planner, op)
        elif place == inside[place].last:
            for other in flow.operators[inside[place].first : place + 1]:
                _plan_outputs(planner, other)
        spans.append(range(begin, planner.now))
        begin = planner.now
    for plan_more in planner.later:
        plan_more()
    if spans:
        spans[-1] = range(spans[-1].start, planner.now)
    return tuple(spans)


def _plan_inputs(planner: PlanBuilder, op: Operator, waiting: dict[int, None]) -> None:
    """A picture comes in right before its first reader, everything else before the first operator.
    `waiting`: the tensors (sources) that have not come in yet. Spatial passes take their own."""
    flow = planner.dataflow
    needed = frozenset(map(flow.source, flow.activations(op)))
    for tensor in tuple(waiting):
        if tensor not in needed and accepts_image(planner, tensor):
            continue
        del waiting[tensor]
        if any(reader.index not in planner.sliced for reader in flow.readers(tensor)):
            _plan_border(planner, INPUTS, tensor, "input")


_OTHER_ON_VECTORS = frozenset(
    {"CONCATENATION", "EXPAND_DIMS", "LOGISTIC", "RESHAPE", "SQUEEZE", "TANH"}
)


def _names(planner: PlanBuilder) -> list[str]:
    """Of all operators; on vectors, some have their blocks elsewhere."""
    flow = planner.dataflow
    names = []
    for op in flow.operators:
        on_map = isinstance(planner.layouts.get(flow.source(op.outputs[0])), MapLayout)
        plain = on_map or op.name not in _OTHER_ON_VECTORS
        names.append(op.name if plain else f"{op.name} of a vector")
    return names


def _release_identity(planner: PlanBuilder, last_run: int) -> None:
    """Give the shared identity's line back behind the last operator that asks for it, or, as
    long as that is not known, behind the last run of spatial passes."""
    until = planner.shared_identity.until
    if planner.place > (last_run if until is None else until):
        planner.taken.pop(IDENTITY, None)


def _plan_operator(planner: PlanBuilder, op: Operator) -> None:
    for family in planner.families:
        if op.name in family.operators and family.accepts(planner, op):
            family.plan(planner, op)
            return
    raise Refusal(op.index, f"no planner takes this {op.name}")


def _plan_halo(planner: PlanBuilder, op: Operator) -> None:
    """The halo of a convolution's result is filled (and a vector is gathered) behind it, if
    something else runs before its first reader."""
    flow, behind = planner.dataflow, planner.place + 1
    for tensor in op.outputs:
        readers = flow.readers(tensor)
        apart = readers and readers[0].index != flow.operators[behind].index
        if apart and readers[0].index not in planner.sliced:
            plan_early_halo(planner, tensor)
            plan_early_gather(planner, tensor)


def _plan_outputs(planner: PlanBuilder, op: Operator) -> None:
    """Outputs leave right behind the operator that makes them. Those whose readers on the chip all
    make outputs leave behind the last of these; of several the one with most bytes comes first,
    then the latest. Spatial passes may have sent them in parts."""
    flow = planner.dataflow
    leaving = []
    for tensor in (*op.outputs, *dict.fromkeys(map(flow.source, flow.activations(op)))):
        readers = flow.readers(tensor)
        waits = all(any(map(flow.is_output, reader.outputs)) for reader in readers)
        last = readers[-1] if readers and waits else flow.producer(tensor)
        leaves = last is not None and last.index == op.index
        if leaves and flow.is_output(tensor) and tensor not in planner.sent:
            leaving.append(tensor)
    for tensor in sorted(leaving, key=lambda tensor: -_size(planner, tensor)):
        if tensor in op.outputs and op.index not in planner.sliced:
            plan_early_halo(planner, tensor)
        _plan_border(planner, OUTPUTS, tensor, "output")


def _size(planner: PlanBuilder, tensor: int) -> int:
    return prod(planner.graph.tensor(tensor).shape)


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


def finish(planner: PlanBuilder, narrow_words: int = NARROW_WORDS) -> Plan:
    """Addresses for everything the steps asked for."""
    identity = planner.shared_identity
    steps, identity_line = tuple(planner.steps), identity.line
    if identity_line is None:
        steps, identity_line = place_small_blocks(steps, identity.used)
    plan = Plan(
        release=planner.release,
        steps=steps,
        buffers=planner.buffers,
        narrow=allocate(
            planner.buffers,
            [step.ops[0] if step.ops else None for step in steps],
            narrow_words,
        ),
        segments=tuple(planner.segments),
        notes=planner.notes,
        identity_line=identity_line,
        passes=planner.passes,
    )
    (placed,) = share([plan])
    _check_pinned(placed)
    return placed


def _check_pinned(plan: Plan) -> None:
    """Refuse an operator whose parameters must stay on the chip, on tiles of its choice, and
    cannot."""
    for segment, pieces in zip(plan.segments, plan.placement, strict=True):
        if segment.pinned and not segment.is_pinned_at(pieces):
            raise Refusal(
                segment.op,
                "the operator's parameters must stay in the wide memory",
                actual=f"{sum(s.lines() for s in plan.segments if s.pinned)} lines",
                allowed=f"{plan.capacity} lines on a tile",
            )
