"""A checked edgetpu.yaml. Names of fields are those of the keys (fields.py)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from .document import Node


@dataclass(frozen=True, slots=True)
class Options:
    """Options of a compilation; None: the compiler's default."""

    min_runtime_version: int | None = None
    emulate_release: str | None = None
    timeout_sec: int | None = None
    enable_multiple_subgraphs: bool = False
    show_operations: bool = False
    search_delegate: bool = False
    delegate_search_step: int | None = None


@dataclass(frozen=True, slots=True)
class Device:
    """A machine with Edge TPUs."""

    name: str
    node: Node
    runtime_version: int | None = None
    edge_tpus: int = 1


@dataclass(frozen=True, slots=True)
class Model:
    """A model to compile. options: its own over the defaults."""

    name: str
    node: Node
    src: str
    package: str
    device: str | None
    intermediate_tensors: tuple[str, ...]
    options: Options

    @property
    def output(self) -> str:
        """Name of the compiled file."""
        return f"{self.name}_edgetpu.tflite"


@dataclass(frozen=True, slots=True)
class Group:
    """Models that are compiled together, in priority order."""

    name: str
    node: Node
    package: str
    models: tuple[Model, ...]
    options: Options


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A model cut into segments."""

    name: str
    node: Node
    package: str
    model: Model
    num_segments: int
    partitioner: str
    device: str | None
    options: Options

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the compiled segments, in order."""
        count = self.num_segments
        stem = self.model.name
        return tuple(f"{stem}_segment_{i}_of_{count}_edgetpu.tflite" for i in range(count))


@dataclass(frozen=True, slots=True)
class Test:
    """What a model, or every segment of a pipeline, must fulfil. None: no limit;
    cpu_operators: None if any may run on the CPU."""

    name: str
    node: Node
    package: str
    subject: Model | Pipeline
    cpu_operators: tuple[str, ...] | None
    budgets: Mapping[str, int]
    inputs: tuple[str, ...]
    max_difference: int | None


@dataclass(frozen=True, slots=True)
class Bundle:
    """Models and pipelines in one archive or folder."""

    name: str
    node: Node
    package: str
    models: tuple[Model, ...]
    pipelines: tuple[Pipeline, ...]
    format: str
    prefix: str


@dataclass(frozen=True, slots=True)
class Config:
    """All of the file; every mapping is in the file's order."""

    file: str
    devices: Mapping[str, Device]
    models: Mapping[str, Model]
    groups: Mapping[str, Group]
    pipelines: Mapping[str, Pipeline]
    tests: Mapping[str, Test]
    bundles: Mapping[str, Bundle]

    def group_of(self, model: Model) -> Group | None:
        """The co-compile group of a model."""
        members = (group for group in self.groups.values() if model in group.models)
        return next(members, None)

    def alone(self) -> Iterator[Model]:
        """Models that are in no group."""
        return (model for model in self.models.values() if self.group_of(model) is None)


def is_label(path: str) -> bool:
    """Whether a source is a Bazel label."""
    return path.startswith(("//", "@", ":"))


def package_of(src: str) -> str:
    """Bazel package of a source, relative to the file; of a label its own."""
    if is_label(src):
        return src.partition(":")[0].rpartition("//")[2]
    folder = str(PurePosixPath(src).parent)
    return "" if folder == "." else folder
