"""`edgetpu_compiler --config edgetpu.yaml [target...]`: the same compilations as in Bazel.

A target is the name of a model, group or pipeline; a model that is co-compiled stands for its
group. Outputs lie below the output folder in the folder of their package.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..compilation import Source, read_source
from ..emit.files import make_directory
from ..errors import OptionError
from ..options import CompileOptions, Request, parse_release
from ..pipeline.profiled_session import ProfiledSession
from ..session import Session
from .config import Config, Group, Model, Options, Pipeline, is_label
from .reader import read_config

Say = Callable[[str], None]
Subject = Model | Group | Pipeline


@dataclass(frozen=True, slots=True)
class Job:
    """One run of the compiler. stems: name of each model's outputs; profiled: segments are to
    take about the same time."""

    name: str
    request: Request
    stems: tuple[str, ...]
    profiled: bool = False


class _NamedSession(Session):
    """A session whose outputs are named after the entries of the file."""

    def __init__(self, job: Job, say: Say) -> None:
        super().__init__(job.request, say)
        self._stems = dict(zip(job.request.models, job.stems, strict=True))

    def _read(self, path: str) -> Source:
        source = read_source(path, self.request.out_dir)
        return replace(source, stem=str(Path(self.request.out_dir, self._stems[path])))


class _NamedProfiledSession(_NamedSession, ProfiledSession):
    """The same, cut by latency."""


def run(file: str, base: Request, say: Say) -> int:
    """Compile and return the exit status. base: the command line, whose models are names of
    targets (none: all); its options hold where the file gives none. Raises ConfigError and
    OptionError before anything is compiled."""
    _check_command_line(base)
    todo = list(jobs(read_config(file), base.models, base))
    status = 0
    for job in todo:
        make_directory(Path(job.request.out_dir or "."))
        kind = _NamedProfiledSession if job.profiled else _NamedSession
        status = kind(job, say).run() or status
    return status


def _check_command_line(base: Request) -> None:
    """What differs from model to model belongs in the file."""
    if base.segments != 1 or base.intermediate_tensors or base.search_step is not None:
        raise OptionError(
            "--num_segments, --intermediate_tensors and --search_delegate are not for --config",
            hint="Give them in the file.",
        )


def jobs(config: Config, wanted: Sequence[str], base: Request) -> Iterator[Job]:
    """The runs that the targets need, in the order of the file."""
    named = _subjects(config)
    for name in wanted:
        if name not in named:
            raise OptionError(
                f"no such target in {config.file}", actual=name, allowed=", ".join(named)
            )
    chosen = [named[name] for name in wanted] if wanted else list(named.values())
    done: list[Subject] = []
    for subject in chosen:
        if subject not in done:
            done.append(subject)
            yield _job(config, subject, base)


def _subjects(config: Config) -> dict[str, Subject]:
    """What every name stands for."""
    models: dict[str, Subject] = {
        name: config.group_of(model) or model for name, model in config.models.items()
    }
    return models | dict(config.groups) | dict(config.pipelines)


def _job(config: Config, subject: Subject, base: Request) -> Job:
    models = _models(subject)
    folder = Path(config.file).parent
    for model in models:
        if is_label(model.src):
            model.node.fail("a Bazel label cannot be compiled without Bazel", actual=model.src)
    request = replace(
        _with_options(base, subject.options),
        models=tuple(str(folder / model.src) for model in models),
        out_dir=str(Path(base.out_dir, subject.package)),
    )
    profiled = False
    if isinstance(subject, Pipeline):
        profiled = subject.partitioner == "profiling"
        request = replace(request, segments=subject.num_segments)
    else:
        tensors = [",".join(model.intermediate_tensors) for model in models]
        request = replace(request, intermediate_tensors=":".join(tensors) if any(tensors) else "")
    return Job(subject.name, request, tuple(model.name for model in models), profiled)


def _models(subject: Subject) -> tuple[Model, ...]:
    if isinstance(subject, Group):
        return subject.models
    return (subject.model if isinstance(subject, Pipeline) else subject,)


def _with_options(base: Request, options: Options) -> Request:
    release = options.emulate_release
    return replace(
        base,
        options=CompileOptions(
            release=parse_release(release) if release else base.options.release,
            min_runtime=options.min_runtime_version or base.options.min_runtime,
            all_subgraphs=options.enable_multiple_subgraphs or base.options.all_subgraphs,
        ),
        search_step=(options.delegate_search_step or 1) if options.search_delegate else None,
        timeout=options.timeout_sec or base.timeout,
        show_operations=options.show_operations or base.show_operations,
    )
