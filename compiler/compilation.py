"""From input files to output files in memory: what one run of the compiler makes.

Nothing is written here; `emit.files` writes the files of a run together, so that a failure
leaves none behind.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .driver import (
    NO_CUT,
    Cut,
    PlannedModel,
    compile_graph,
    memory_reports,
    operator_rows,
    plan_model,
    require_room,
    share_in_best_order,
    share_memory,
)
from .emit.report import ModelReport
from .emit.texts import log_text
from .emit.token import caching_token
from .errors import OptionError, Where
from .fast_dataclass import dataclass
from .frontend.compilable import require_compilable
from .frontend.file_kind import read_file
from .frontend.graph import Graph
from .frontend.tflite_reader import read_model_bytes
from .options import CompileOptions

if TYPE_CHECKING:
    from .planning.order_search import OrderChoice

MODEL_SUFFIX = ".tflite"


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A model to compile. path: as the texts show it; stem: output path without
    `_edgetpu.tflite`; extra: whether the model itself is an output (a segment)."""

    path: str
    data: bytes
    graph: Graph
    stem: str
    extra: bool = False

    @property
    def output(self) -> Path:
        return Path(f"{self.stem}_edgetpu{MODEL_SUFFIX}")

    @property
    def log(self) -> Path:
        return Path(f"{self.stem}_edgetpu.log")

    @property
    def manifest(self) -> Path:
        return Path(f"{self.stem}_edgetpu.json")


@dataclass(frozen=True, slots=True, eq=False)
class CompiledModel:
    """A compiled model in memory. choice: the order found by `--optimize_order`."""

    source: Source
    model: PlannedModel
    data: bytes
    token: int
    report: ModelReport
    cut: Cut = NO_CUT
    choice: OrderChoice | None = None

    def files(self) -> dict[Path, bytes]:
        """Its outputs; the model comes last, so that where it is, the others are too."""
        segment = {Path(self.source.path): self.source.data} if self.source.extra else {}
        return segment | {
            self.source.log: log_text(self.report).encode("utf-8", "surrogateescape"),
            self.source.output: self.data,
        }


@dataclass(frozen=True, slots=True)
class Run:
    """What the models of one run share. token_sources: the input files, in priority order;
    fingerprint: `Request.fingerprint()`."""

    options: CompileOptions
    token_sources: tuple[bytes, ...]
    fingerprint: str

    def token(self, cuts: Sequence[Cut] = ()) -> int:
        """The run's caching token; cuts that a search found are part of it."""
        text = self.fingerprint
        if any(cut.operators is not None for cut in cuts):
            text += f" cut={[cut.operators for cut in cuts]}"
        return caching_token(self.token_sources, text)


def output_stem(path: str, out_dir: str) -> str:
    """Output path of an input file, without `_edgetpu.tflite`."""
    return str(Path(out_dir) / Path(path).name.removesuffix(MODEL_SUFFIX))


def read_source(path: str, out_dir: str) -> Source:
    """The input file at `path`. Raises InvalidModelError or UnsupportedModelError."""
    data = read_file(path)
    graph = read_model_bytes(data, path)
    require_compilable(graph)
    return Source(path, data, graph, output_stem(path, out_dir))


def check_outputs(paths: Sequence[str], out_dir: str) -> None:
    """Raise OptionError if two inputs have the same output, or one is another's output."""
    taken = {Path(path).absolute(): path for path in paths}
    for path in paths:
        output = Path(output_stem(path, out_dir) + f"_edgetpu{MODEL_SUFFIX}").absolute()
        if output in taken:
            raise OptionError(
                "the output file of the model is that of another, or one of the inputs",
                where=Where(file=path),
                actual=f"{output.name}, also for {taken[output]}",
                hint="Give the models names of their own.",
            )
        taken[output] = path


def compile_together(
    sources: Sequence[Source], run: Run, cuts: Sequence[Cut] = (), token: int | None = None
) -> list[CompiledModel]:
    """Compile models that share one Edge TPU's memory and one caching token."""
    all_cuts = list(cuts) or [NO_CUT] * len(sources)
    planned = [
        plan_model(source.graph, run.options, cut)
        for source, cut in zip(sources, all_cuts, strict=True)
    ]
    for model in planned:
        require_room(model)
    choice = None
    if run.options.weights is None or len(sources) == 1:
        models = share_memory(planned, by_order=run.options.by_order)
    else:
        models, choice = share_in_best_order(planned, run.options.weights)
    token = run.token(all_cuts) if token is None else token
    reports = memory_reports(models)
    compiled = []
    for source, model, memory, cut in zip(sources, models, reports, all_cuts, strict=True):
        data = compile_graph(model, token, run.options)
        report = ModelReport(
            input_path=source.path,
            output_path=str(source.output),
            log_path=str(source.log),
            input_size=len(source.data),
            output_size=len(data),
            memory=memory,
            subgraphs=len(model.partition.kept),
            operators=operator_rows(model.partition),
        )
        compiled.append(CompiledModel(source, model, data, token, report, cut, choice))
    return compiled
