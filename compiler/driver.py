"""The stages one after the other: Graph in, bytes of the compiled model out.

mapping -> planning -> lowering -> beagle -> emit; each stage reads the level above and writes
the level below. An operator that planning refuses goes back to mapping, once, with its reason,
and stays on the CPU. Models of one run share the wide memory and the caching token.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from .beagle.assembler import assemble
from .beagle.build import activation_names, border_layers, build_executable, build_package
from .beagle.chunks import cut_into_chunks
from .beagle.package import custom_options, write_package
from .emit.outer_model import outer_model
from .emit.report import MemoryReport, OperatorRow
from .emit.tflite_writer import write_model
from .errors import InternalError, ResourceError, UnsupportedModelError, Where
from .fast_dataclass import dataclass
from .frontend.compilable import require_compilable
from .frontend.graph import Graph
from .frontend.tflite_reader import read_model
from .lowering.caching_program import cached_parameters, lower_caching_program
from .lowering.lower import lower
from .lowering.program import Program
from .mapping.partition import Options, Partition, partition, refusal
from .mapping.reasons import Reason, Status
from .mapping.subsets import Subset
from .options import CompileOptions
from .planning.plan import TILES, Plan
from .planning.planner import Region, plan_region
from .planning.refusal import NoRoom, Refusal
from .planning.shared_memory import cached_lines, share, shared_capacity, streamed_lines

if TYPE_CHECKING:
    from .planning.order_search import OrderChoice

LINE_BYTES = 256
NO_ROOM, NOT_PLANNABLE = "fits_the_chip", "plannable"
"""Constraints of operators that planning refuses."""
SINGLE_REFUSALS = 16
"""Refusals for want of room that cost one operator each."""
_TOO_LARGE = "Make the model's input or its first layers smaller"
LEVELS = ("graph", "partition", "plan", "program", "bitstream")


@dataclass(frozen=True, slots=True)
class Cut:
    """Where the Edge TPU part has to end. tensors: names that leave the chip, what follows them
    stays on the CPU; operators: only so many, in execution order (None: all)."""

    tensors: tuple[str, ...] = ()
    operators: int | None = None

    def shortened(self, operators: int) -> Cut:
        """The same, and not more than `operators`."""
        return replace(self, operators=operators)


NO_CUT = Cut()


@dataclass(frozen=True, slots=True, eq=False)
class PlannedModel:
    """A model whose mapped part is planned: one plan for each custom operator.

    shares_chip: other programs of the run use the same chip in turn with these."""

    graph: Graph
    partition: Partition
    plans: tuple[Plan, ...]
    shares_chip: bool = False

    @property
    def plan(self) -> Plan | None:
        """The first plan, None where nothing is mapped."""
        return self.plans[0] if self.plans else None

    def verify(self) -> None:
        """Raise InternalError unless every kept subset has its plan."""
        if len(self.plans) != len(self.partition.kept):
            raise InternalError(
                "a subset has no plan", actual=len(self.plans), allowed=len(self.partition.kept)
            )


def plan_model(graph: Graph, options: CompileOptions, cut: Cut = NO_CUT) -> PlannedModel:
    """Map and plan; what planning refuses is mapped again without that operator."""
    model = _Planning(graph, options, cut).run()
    if options.allow_scratch and _refused_for_room(model):
        other = _Planning(graph, options, cut, cutting=True).run()
        if len(other.partition.reasons) < len(model.partition.reasons):
            return other
    return model


def require_room(model: PlannedModel) -> None:
    """Raise ResourceError if nothing is mapped, and that is for want of room on the chip."""
    for reason in () if model.plans else _refused_for_room(model):
        op = model.graph.operators[reason.op]
        raise ResourceError(
            reason.message,
            where=Where(model.graph.source, f"operator {op.index} ({op.name})"),
            actual=reason.actual,
            allowed=reason.allowed,
            hint=_TOO_LARGE,
        )


def _refused_for_room(model: PlannedModel) -> list[Reason]:
    """The operators that could be mapped if the chip's memories were larger."""
    reasons = model.partition.reasons
    return [reasons[op] for op in sorted(reasons) if reasons[op].constraint == NO_ROOM]


class _Planning:
    """Mapping and planning in turns. cutting: what does not fit together becomes several custom
    operators where that helps."""

    def __init__(
        self, graph: Graph, options: CompileOptions, cut: Cut, *, cutting: bool = False
    ) -> None:
        self.graph = graph
        self.options = options
        self.cutting = cutting
        self.mapping = Options(all_subsets=options.all_subgraphs, intermediate_tensors=cut.tensors)
        end = len(graph.operators) if cut.operators is None else cut.operators
        self.refused = {op: _behind_cut(op) for op in range(end, len(graph.operators))}
        self.unnamed = 0
        self.crowded = 0
        self.plans: dict[Subset, Plan] = {}

    def run(self) -> PlannedModel:
        """The model when everything that is mapped is planned."""
        graph, runtime = self.graph, self.options.runtime
        while True:
            part = partition(graph, runtime, options=self.mapping, refused=self.refused)
            plans = []
            for subset in part.kept:
                plan = self._plan(subset)
                if plan is None:
                    break
                plans.append(plan)
            else:
                return PlannedModel(graph, part, tuple(plans))

    def _plan(self, subset: Subset) -> Plan | None:
        """The plan; or None, and what is at fault is refused, or cut off."""
        if subset not in self.plans:
            region = Region(subset.operators, subset.inputs(self.graph), subset.outputs(self.graph))
            try:
                self.plans[subset] = plan_region(self.graph, region, self.options.release)
            except Refusal as error:
                self._give_up(subset, error)
                return None
        return self.plans[subset]

    def _give_up(self, subset: Subset, error: Refusal) -> None:
        """A refusal that names no operator costs the last operators: one the first time, then
        twice as many each time. For want of room the same goes for the operator at fault and
        those in front of it, from the refusal behind `SINGLE_REFUSALS` on, so that the plans that
        are made grow in number as the logarithm of the operators. Where cutting is allowed, the
        subset is cut before the operator at fault, or behind it if it is the first."""
        no_room, count = isinstance(error, NoRoom), len(subset.operators)
        if no_room and self.cutting and count > 1:
            place = count // 2 if error.op is None else subset.operators.index(error.op)
            cuts = self.mapping.cuts | {subset.operators[place or 1]}
            self.mapping = replace(self.mapping, cuts=cuts)
            return
        if error.op is None:
            faults = subset.operators[-(1 << self.unnamed) :]
            self.unnamed += 1
        else:
            faults = (error.op,)
            self.crowded += no_room
            if self.crowded > SINGLE_REFUSALS and error.op in subset.operators:
                end = subset.operators.index(error.op) + 1
                more = 1 << (self.crowded - SINGLE_REFUSALS)
                faults = subset.operators[max(end - more, 0) : end]
        for op in faults:
            self.refused[op] = refusal(
                op,
                error.message,
                actual=error.actual,
                allowed=error.allowed,
                constraint=NO_ROOM if no_room else NOT_PLANNABLE,
            )


def _behind_cut(op: int) -> Reason:
    return Reason(
        Status.MORE_THAN_ONE_SUBGRAPH,
        "search_delegate",
        "The search for a point to stop at left this operator out.",
        op=op,
    )


def border_names(graph: Graph, operators: int) -> list[str]:
    """Names of the tensors that leave the first `operators` operators, in their order."""
    first = Subset(True, tuple(range(operators)))
    return [graph.tensors[index].name for index in first.outputs(graph)]


def share_in_best_order(
    models: Sequence[PlannedModel], weights: Sequence[float]
) -> tuple[list[PlannedModel], OrderChoice]:
    """`share_memory` with the priorities that stream least; the models keep their places."""
    from .planning.order_search import optimize_order  # noqa: PLC0415 - rarely asked for

    choice = optimize_order([model.plans for model in models], weights or None)
    shared = share_memory([models[number] for number in choice.order], by_order=True)
    by_number = dict(zip(choice.order, shared, strict=True))
    return [by_number[number] for number in range(len(models))], choice


def share_memory(models: Sequence[PlannedModel], *, by_order: bool = False) -> list[PlannedModel]:
    """The models of one run with parameters in disjoint wide lines."""
    plans = [plan for model in models for plan in model.plans]
    if len(plans) < 2:
        return list(models)
    placed = iter(share(plans, by_order=by_order))
    return [
        replace(model, plans=tuple(next(placed) for _ in model.plans), shares_chip=True)
        for model in models
    ]


def compile_graph(model: PlannedModel, token: int, options: CompileOptions) -> bytes:
    """The whole `_edgetpu.tflite` file."""
    model.verify()
    packages = [
        compile_package(model, subset, plan, token, options)
        for subset, plan in zip(model.partition.kept, model.plans, strict=True)
    ]
    return write_model(outer_model(model.graph, model.partition.kept, packages))


def compile_package(
    model: PlannedModel, subset: Subset, plan: Plan, token: int, options: CompileOptions
) -> bytes:
    """Custom options of one Edge TPU operator: both executables in their package. A program
    without cached parameters has the token too if it shares the chip, or running it would
    make the runtime forget what the others cached."""
    graph = model.graph
    program = execution_program(plan)
    caching = caching_program(plan)
    execution = build_executable(
        program,
        assemble(program),
        program.parameters,
        token=token if caching or model.shares_chip else 0,
        stands_alone=caching is None,
        border=border_layers(
            graph,
            subset.inputs(graph),
            subset.outputs(graph),
            plan.output_parts,
            plan.joined,
        ),
        activation_names=activation_names(graph, program.activations),
        scratch_bytes=plan.scratch_bytes,
    )
    loader = None
    if caching:
        cached = cached_parameters(plan.segments, plan.placement)
        loader = build_executable(caching, assemble(caching), cached, token=token)
    package = build_package(options.release, execution, loader, options.runtime)
    return custom_options(write_package(package))


def execution_program(plan: Plan) -> Program:
    """The program that runs the model, cut where it is too long for one instruction chunk."""
    return cut_into_chunks(lower(plan))


def caching_program(plan: Plan) -> Program | None:
    """The program that loads the cached parameters, None where there are none."""
    if not any(plan.placement):
        return None
    return lower_caching_program(plan.segments, plan.placement, plan.release)


def memory_reports(models: Sequence[PlannedModel]) -> list[MemoryReport]:
    """The three memory lines of each model of a run that shares the wide memory; what remains
    is the same number for all (docs/format/memory.md, "Reported sizes")."""
    plans = [plan for model in models for plan in model.plans]
    remaining = TILES * shared_capacity(plans) - sum(map(cached_lines, plans))
    reports = []
    for model in models:
        used = sum(map(cached_lines, model.plans))
        streamed = sum(map(streamed_lines, model.plans))
        lines = (used, remaining, streamed) if model.plans else (0, 0, 0)
        reports.append(MemoryReport(*(count * LINE_BYTES for count in lines)))
    return reports


def operator_rows(part: Partition) -> tuple[OperatorRow, ...]:
    """Where each operator runs, in the words of the log."""
    return tuple(
        OperatorRow(op.name, part.status(op.index).value, part.on_edge_tpu(op.index))
        for op in part.graph.operators
    )


def dump_level(path: str, options: CompileOptions, level: str) -> str:
    """The printed form of one level for `--dump-ir`."""
    graph = read_model(path)
    if level == "graph":
        return graph.text()
    require_compilable(graph)
    model = plan_model(graph, options)
    if level == "partition":
        return model.partition.text()
    if not model.plans:
        raise UnsupportedModelError(
            f"there is no {level} level: no operator is mapped", where=Where(file=path)
        )
    plans = share_memory([model])[0].plans
    if level == "plan":
        return "".join(plan.text() for plan in plans)
    programs = [
        program for plan in plans for program in (execution_program(plan), caching_program(plan))
    ]
    if level == "program":
        return "".join(program.text() for program in programs if program)
    from .beagle.listing import listing  # noqa: PLC0415 - only this level needs it

    return "".join(listing(program) for program in programs if program)
