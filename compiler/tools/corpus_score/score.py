"""Compiles the corpus' sources and scores each result against the vendor's file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ...driver import PlannedModel, compile_graph, plan_model, share_memory
from ...errors import CompilerError
from ...frontend.tflite_reader import read_model_bytes
from ...mapping.partition import Partition
from ...mapping.reasons import Status
from .compare import FileScore, ProgramScore, compare, read_compiled
from .convolutions import score_program
from .corpus import Entry, bare_programs, entries


@dataclass(frozen=True, slots=True)
class Fallback:
    """Operators that the vendor mapped and that stay on the CPU here for one reason (name and
    text of the constraint); operators that only follow such a one are left out."""

    operator: str
    count: int
    constraint: str
    message: str


@dataclass(frozen=True, slots=True)
class ModelScore:
    """One vendor file. operators: of the source; mapped: on the Edge TPU; error: why there is
    nothing to compare ("" where there is); score: None after an error."""

    name: str
    group: str
    arguments: str
    operators: int = 0
    mapped: int = 0
    fallback: tuple[Fallback, ...] = ()
    error: str = ""
    score: FileScore | None = None

    @property
    def verdict(self) -> str:
        """The largest part that is the vendor's, byte for byte."""
        score = self.score
        if score is None:
            return "error"
        if score.file:
            return "file"
        if not score.mapping:
            return "-"
        if score.container:
            return "package"
        return "program" if score.execution.identical else "-"


@dataclass(frozen=True, slots=True)
class CorpusScore:
    """Everything that was asked for; `programs`: the bare programs by name."""

    models: tuple[ModelScore, ...]
    programs: tuple[tuple[str, ProgramScore], ...]

    @property
    def identical(self) -> tuple[str, ...]:
        """Names of what is the vendor's as far as it goes: models whose whole Edge TPU part
        is, and bare programs."""
        models = [m.name for m in self.models if m.verdict in ("file", "package")]
        return (*models, *(name for name, score in self.programs if score.identical))


def score_corpus(
    corpus: Path, only: str = "", progress: Callable[[str], None] = lambda _: None
) -> CorpusScore:
    """Score every file whose name contains `only`; `progress` is told each name first."""
    models = []
    for entry in entries(corpus):
        if only in entry.name:
            progress(entry.name)
            models.append(score_model(entry))
    programs = []
    for item in bare_programs(corpus):
        if only in item.name:
            progress(item.name)
            programs.append((item.name, score_program(item)))
    return CorpusScore(tuple(models), tuple(programs))


def score_model(entry: Entry) -> ModelScore:
    """Compile one source with the vendor file's token and compare. Never raises
    CompilerError: it becomes the score's `error`."""
    vendor = read_compiled(entry.compiled.read_bytes(), str(entry.compiled))
    try:
        planned = plan_entry(entry)
        data = compile_graph(planned, vendor.token, entry.options)
    except CompilerError as error:
        return ModelScore(entry.name, entry.group, entry.arguments, error=str(error))
    partition = planned.partition
    return ModelScore(
        entry.name,
        entry.group,
        entry.arguments,
        len(planned.graph.operators),
        len(partition.mapped),
        tuple(_fallback(partition, vendor.on_cpu)),
        score=compare(read_compiled(data, entry.name), vendor, planned.plan),
    )


def plan_entry(entry: Entry) -> PlannedModel:
    """The entry's model, with the others of its run beside it on the chip."""
    graphs = [read_model_bytes(path.read_bytes(), path.name) for path in entry.run]
    models = share_memory([plan_model(graph, entry.options) for graph in graphs])
    return models[entry.run.index(entry.source)]


def _fallback(partition: Partition, on_cpu: frozenset[str]) -> Iterator[Fallback]:
    """One entry per operator type and reason, in execution order; `on_cpu`: the tensors that
    CPU operators write in the vendor's file."""
    counts: dict[tuple[str, str, str], int] = {}
    graph = partition.graph
    for op in graph.operators:
        reason = partition.reasons.get(op.index)
        if reason is None or reason.status is Status.MORE_THAN_ONE_SUBGRAPH:
            continue
        if not on_cpu.issuperset(graph.tensor(t).name for t in op.outputs):
            key = (op.name, reason.constraint, reason.message)
            counts[key] = counts.get(key, 0) + 1
    for (name, constraint, message), count in counts.items():
        yield Fallback(name, count, constraint, message)


def total_words(scores: Iterable[ProgramScore]) -> tuple[int, int]:
    """(identical words, words) of several programs."""
    same = words = 0
    for score in scores:
        same += score.same_words
        words += score.words
    return same, words
