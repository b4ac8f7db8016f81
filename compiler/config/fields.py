"""Every key of edgetpu.yaml, once: reader, messages, JSON Schema and reference page use it."""

from __future__ import annotations

from dataclasses import dataclass

from ..release import RELEASES, RUNTIME_VERSIONS
from .kinds import Choice, FilePath, Kind, Reference, Several, Switch, Text, Whole

FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class Field:
    """One key. doc: a sentence for the reference page and the schema."""

    name: str
    kind: Kind
    doc: str
    required: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """A top-level key. named: a mapping of names to entries, else one entry."""

    name: str
    doc: str
    fields: tuple[Field, ...]
    named: bool = True


_RUNTIME = Whole(RUNTIME_VERSIONS[0], RUNTIME_VERSIONS[-1])

OPTIONS = (
    Field(
        "min_runtime_version",
        _RUNTIME,
        "The oldest Edge TPU runtime that must run the result. Default: that of the device, else "
        "the compiler's.",
    ),
    Field(
        "emulate_release",
        Choice(tuple(RELEASES)),
        "Write what this release of the vendor's compiler wrote.",
    ),
    Field("timeout_sec", Whole(1, 10**6), "Give up a compilation after so many seconds."),
    Field(
        "enable_multiple_subgraphs",
        Switch(),
        "Map every supported subgraph, each as a custom operator of its own.",
    ),
    Field("show_operations", Switch(), "Print where every operator runs."),
)
SEARCH = (
    Field(
        "search_delegate",
        Switch(),
        "After a failure, search for an earlier point to stop compiling at. Not for models that "
        "are co-compiled.",
    ),
    Field("delegate_search_step", Whole(1, 10**6), "Operators to step back in each attempt."),
)
_DEVICE = Field("device", Reference("devices"), "The device it runs on.")
_INTERMEDIATE = Field(
    "intermediate_tensors",
    Several(Text("the name of a tensor")),
    "Tensors that become outputs of the Edge TPU operator; what follows them runs on the CPU.",
)
_BUDGET = Whole(0)

DEFAULTS = Section(
    "defaults",
    "Values for every model, group and pipeline that has none of its own.",
    (*OPTIONS, *SEARCH, _DEVICE),
    named=False,
)
DEVICES = Section(
    "devices",
    "Machines with Edge TPUs. What is co-compiled shares the memory of one Edge TPU, so it runs "
    "on one device.",
    (
        Field("runtime_version", _RUNTIME, "The Edge TPU runtime that is installed on it."),
        Field("edge_tpus", Whole(1, 64), "How many Edge TPUs it has. Default: 1."),
    ),
)
MODELS = Section(
    "models",
    "Models to compile. `NAME` becomes the target `NAME_edgetpu` and the file "
    "`NAME_edgetpu.tflite`.",
    (
        Field(
            "src",
            FilePath(".tflite", label=True),
            "The model, relative to this file; in Bazel also a label.",
            required=True,
        ),
        Field(
            "package",
            Text("a folder"),
            "The Bazel package that declares the target. Default: the folder of `src`.",
        ),
        _DEVICE,
        _INTERMEDIATE,
        *OPTIONS,
        *SEARCH,
    ),
)
GROUPS = Section(
    "cocompile_groups",
    "Models that are compiled together, so that their parameters stay in the Edge TPU's memory "
    "side by side.",
    (
        Field(
            "models",
            Several(Reference("models"), 2),
            "The members, those first that shall get memory first.",
            required=True,
        ),
        *OPTIONS,
    ),
)
PIPELINES = Section(
    "pipelines",
    "Models cut into segments, one for each Edge TPU.",
    (
        Field("model", Reference("models"), "The model to cut.", required=True),
        Field("num_segments", Whole(2, 64), "How many segments.", required=True),
        Field(
            "partitioner",
            Choice(("parameter_count", "profiling")),
            "Cut by parameter bytes (default), or by the latency of each segment.",
        ),
        _DEVICE,
        *OPTIONS,
        *SEARCH,
    ),
)
TESTS = Section(
    "tests",
    "What a compiled model must fulfil: each is a Bazel test.",
    (
        Field("model", Reference("models"), "The model, as compiled (alone or in its group)."),
        Field("pipeline", Reference("pipelines"), "Instead of a model: all segments of one."),
        Field("all_mapped", Switch(), "Every operator must run on the Edge TPU."),
        Field(
            "cpu_operators",
            Several(Text("an operator"), 0),
            "Operators that may run on the CPU; all others must run on the Edge TPU.",
        ),
        Field("max_on_chip_bytes", _BUDGET, "Limit of the memory for cached parameters."),
        Field("max_off_chip_bytes", _BUDGET, "Limit of the parameters that are streamed."),
        Field("max_size_bytes", _BUDGET, "Limit of the compiled file."),
        Field("max_cycles", _BUDGET, "Limit of the Edge TPU's cycles for one inference."),
        Field(
            "inputs",
            Several(FilePath(".npy", label=True)),
            "Inputs, one file for each inference, for a comparison of the emulated Edge TPU with "
            "the CPU.",
        ),
        Field(
            "max_difference",
            _BUDGET,
            "Largest allowed difference of an output value, in quantisation steps. Default: 0.",
        ),
    ),
)
BUNDLES = Section(
    "bundles",
    "Compiled models and a manifest for a firmware image: one reproducible archive or folder.",
    (
        Field("models", Several(Reference("models")), "Models to pack."),
        Field("pipelines", Several(Reference("pipelines")), "Pipelines to pack, all segments."),
        Field("format", Choice(("tar", "directory")), "Default: `tar`."),
        Field("prefix", Text("a folder"), "Folder inside the archive."),
        Field("package", Text("a folder"), "The Bazel package that declares the target."),
    ),
)
VERSION = Field(
    "version", Whole(FORMAT_VERSION, FORMAT_VERSION), "Version of this format: 1.", required=True
)
SECTIONS = (DEFAULTS, DEVICES, MODELS, GROUPS, PIPELINES, TESTS, BUNDLES)
