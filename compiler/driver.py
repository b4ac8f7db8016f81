"""The whole way of a model: file in, compiled file and log out.

frontend -> mapping -> planning -> lowering -> beagle -> emit; each stage reads the level above
and writes the level below. An operator that planning refuses goes back to mapping, once, with
its reason, and stays on the CPU.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from .beagle.assembler import assemble
from .beagle.build import border_layers, build_executable, build_package
from .beagle.package import custom_options, write_package
from .emit.files import make_directory, write_files
from .emit.outer_model import outer_model
from .emit.report import MemoryReport, ModelReport, OperatorRow
from .emit.texts import log_text
from .emit.tflite_writer import write_model
from .emit.token import caching_token
from .errors import UnsupportedModelError, Where
from .frontend.file_kind import read_file
from .frontend.graph import Graph
from .frontend.tflite_reader import read_model, read_model_bytes
from .lowering.caching_program import cached_parameters, lower_caching_program
from .lowering.lower import lower
from .lowering.program import Program
from .mapping.partition import Partition, partition, refusal
from .mapping.reasons import Reason
from .options import CompileOptions
from .planning.plan import TILES, Plan
from .planning.planner import Region, plan_region
from .planning.refusal import Refusal

LINE_BYTES = 256
LEVELS = ("graph", "partition", "plan", "program", "bitstream")


@dataclass(frozen=True, slots=True, eq=False)
class PlannedModel:
    """A model whose mapped part is planned; `plan` is None where nothing is mapped."""

    graph: Graph
    partition: Partition
    plan: Plan | None


@dataclass(frozen=True, slots=True)
class Result:
    """A compiled model on disk."""

    report: ModelReport
    milliseconds: int


def plan_model(graph: Graph, options: CompileOptions) -> PlannedModel:
    """Map and plan; what planning refuses is mapped again without that operator."""
    refused: dict[int, Reason] = {}
    while True:
        part = partition(graph, options.runtime, refused=refused)
        if not part.mapped:
            return PlannedModel(graph, part, None)
        try:
            region = Region(part.mapped, part.inputs, part.outputs)
            return PlannedModel(graph, part, plan_region(graph, region, options.release))
        except Refusal as error:
            for op in part.mapped if error.op is None else (error.op,):
                refused[op] = refusal(op, error.message, actual=error.actual, allowed=error.allowed)


def caching_program(planned: Plan) -> Program | None:
    """The program that loads the cached parameters, None where there are none."""
    if not any(planned.placement):
        return None
    return lower_caching_program(planned.segments, planned.placement, planned.release)


def compile_package(model: PlannedModel, token: int, options: CompileOptions) -> bytes:
    """Custom options of the Edge TPU operator: both executables in their package."""
    planned, part = model.plan, model.partition
    assert planned is not None
    program = lower(planned)
    caching = caching_program(planned)
    border = border_layers(model.graph, part.inputs, part.outputs)
    streamed = b"".join(
        segment.data
        for segment, pieces in zip(planned.segments, planned.placement, strict=True)
        if not pieces
    )
    execution = build_executable(
        program,
        assemble(program),
        streamed,
        token=token if caching else 0,
        border=border,
    )
    loader = None
    if caching:
        cached = cached_parameters(planned.segments, planned.placement)
        loader = build_executable(caching, assemble(caching), cached, token=token)
    package = build_package(options.release, execution, loader, options.runtime)
    return custom_options(write_package(package))


def compile_graph(model: PlannedModel, token: int, options: CompileOptions) -> bytes:
    """The whole `_edgetpu.tflite` file."""
    if model.plan is None:
        return write_model(outer_model(model.graph, (), ()))
    data = compile_package(model, token, options)
    return write_model(outer_model(model.graph, model.partition.kept, [data]))


def compile_file(path: str, out_dir: str, options: CompileOptions) -> Result:
    """Compile one file into `out_dir`. Raises CompilerError; then nothing is written."""
    start = time.monotonic()
    source = read_file(path)
    graph = read_model_bytes(source, path)
    model = plan_model(graph, options)
    data = compile_graph(model, caching_token([source], options.fingerprint()), options)
    stem = Path(out_dir) / Path(path).name.removesuffix(".tflite")
    output, log = (Path(f"{stem}_edgetpu{suffix}") for suffix in (".tflite", ".log"))
    report = ModelReport(
        input_path=path,
        output_path=str(output),
        log_path=str(log),
        input_size=len(source),
        output_size=len(data),
        memory=memory_report(model.plan),
        subgraphs=len(model.partition.kept),
        operators=operator_rows(model.partition),
    )
    if out_dir:
        make_directory(Path(out_dir))
    write_files({output: data, log: log_text(report).encode()})
    return Result(report, round((time.monotonic() - start) * 1000))


def dump_level(path: str, options: CompileOptions, level: str) -> str:
    """The printed form of one level for `--dump-ir`."""
    graph = read_model(path)
    if level == "graph":
        return graph.text()
    model = plan_model(graph, options)
    if level == "partition":
        return model.partition.text()
    if model.plan is None:
        raise UnsupportedModelError(
            f"there is no {level} level: no operator is mapped", where=Where(file=path)
        )
    if level == "plan":
        return model.plan.text()
    programs = [lower(model.plan), caching_program(model.plan)]
    if level == "program":
        return "".join(program.text() for program in programs if program)
    from .beagle.listing import listing  # noqa: PLC0415 - only this level needs it

    return "".join(listing(program) for program in programs if program)


def memory_report(planned: Plan | None) -> MemoryReport:
    """The three memory lines (docs/format/memory.md, "Reported sizes")."""
    if planned is None:
        return MemoryReport()
    used = streamed = 0
    for segment, pieces in zip(planned.segments, planned.placement, strict=True):
        if pieces:
            used += sum(piece.lines for piece in pieces)
        else:
            streamed += segment.lines()
    remaining = TILES * planned.capacity - used
    return MemoryReport(*(lines * LINE_BYTES for lines in (used, remaining, streamed)))


def operator_rows(part: Partition) -> tuple[OperatorRow, ...]:
    """Where each operator runs, in the words of the log."""
    return tuple(
        OperatorRow(op.name, part.status(op.index).value, part.on_edge_tpu(op.index))
        for op in part.graph.operators
    )
