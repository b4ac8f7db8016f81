"""What the user asked for, checked; the same object serves the command line, `edgetpu.yaml`
and the Bazel worker."""

from __future__ import annotations

from dataclasses import field

from .errors import OptionError
from .fast_dataclass import dataclass
from .release import RELEASE_16, RELEASES, RUNTIME_VERSIONS, Release

DEFAULT_TIMEOUT = 180
"""Seconds, as the vendor's tool has it."""
PRIORITIES = ("size", "order")
"""Values of `--cache_priority`, the default first."""
AUTO_SEGMENTS = 0
"""Value of `Request.segments` for the smallest count that streams nothing."""


@dataclass(frozen=True, slots=True)
class CompileOptions:
    """Options of one compilation.

    min_runtime: value of `-m`, None for the release's default.
    all_subgraphs: every supported subgraph becomes a custom op of its own (`-a`).
    by_order: parameters of the first model are cached before those of the second, and so on
    (`--cache_priority order`), else the layers of all models compete by size.
    weights: runs per second of each model for `--optimize_order`, () for equal ones; None to
    keep the models' order.
    allow_scratch: what does not fit the chip together becomes several custom operators, with
    the tensors between them in the host's memory (`--allow_scratch`).
    """

    release: Release = RELEASE_16
    min_runtime: int | None = None
    all_subgraphs: bool = False
    by_order: bool = False
    weights: tuple[float, ...] | None = None
    allow_scratch: bool = False

    @property
    def runtime(self) -> int:
        """The Edge TPU runtime version the output requires."""
        return self.release.default_runtime if self.min_runtime is None else self.min_runtime

    def fingerprint(self) -> str:
        """Everything that can change the output, as one line (part of the caching token)."""
        text = f"release={self.release.name} runtime={self.runtime}"
        if self.all_subgraphs:
            text += " subgraphs=all"
        if self.allow_scratch:
            text += " scratch"
        if self.weights is not None:
            return f"{text} optimized={list(self.weights)}"
        return text + " priority=order" if self.by_order else text


@dataclass(frozen=True, slots=True)
class Request:
    """One run of the compiler over `models`.

    intermediate_tensors: argument of `-i` as the user wrote it.
    segments: 1 compiles the model as a whole, `AUTO_SEGMENTS` finds the count.
    search_step: operators to step back after a failure, None without `--search_delegate`.
    timeout: seconds for one compilation.
    report: also write the JSON manifest.
    """

    models: tuple[str, ...]
    out_dir: str = ""
    options: CompileOptions = field(default_factory=CompileOptions)
    intermediate_tensors: str = ""
    segments: int = 1
    search_step: int | None = None
    timeout: int = DEFAULT_TIMEOUT
    show_operations: bool = False
    report: bool = False

    def verify(self) -> None:
        """Raise OptionError for options that exclude each other."""
        if not self.models:
            raise OptionError("no model given", hint="See edgetpu_compiler --help.")
        segmented, several = self.segments != 1, len(self.models) > 1
        if segmented and several:
            raise OptionError("--num_segments cannot be used with several models")
        if segmented and self.intermediate_tensors:
            raise OptionError("--num_segments cannot be combined with --intermediate_tensors")
        if self.search_step is not None and several:
            raise OptionError("--search_delegate cannot be used with several models")
        weights = self.options.weights
        if weights and len(weights) != len(self.models):
            raise OptionError(
                "--weights needs one number for each model",
                actual=len(weights),
                allowed=len(self.models),
            )

    def fingerprint(self, segments: int = 1) -> str:
        """As `CompileOptions.fingerprint`, for a whole run of so many segments."""
        text = self.options.fingerprint()
        if self.intermediate_tensors:
            text += f" intermediate={self.intermediate_tensors!r}"
        return f"{text} segments={segments}" if segments != 1 else text


def parse_release(text: str) -> Release:
    """The release named on the command line. Raises OptionError."""
    if text not in RELEASES:
        raise OptionError(
            "unknown release for --emulate_release", actual=text, allowed=" or ".join(RELEASES)
        )
    return RELEASES[text]


def parse_runtime(text: str) -> int:
    """A runtime version. Raises OptionError."""
    if not text.isdecimal() or int(text) not in RUNTIME_VERSIONS:
        allowed = f"{RUNTIME_VERSIONS[0]} to {RUNTIME_VERSIONS[-1]}"
        raise OptionError(
            "invalid value for --min_runtime_version", actual=repr(text), allowed=allowed
        )
    return int(text)


def parse_weights(text: str) -> tuple[float, ...]:
    """Comma-separated numbers, none below 0. Raises OptionError."""
    try:
        weights = tuple(float(number) for number in text.split(","))
    except ValueError:
        weights = (-1.0,)
    if not all(0 <= weight < float("inf") for weight in weights):
        raise OptionError(
            "invalid value for --weights", actual=repr(text), allowed="numbers such as 30,2.5"
        )
    return weights


def parse_priority(text: str) -> bool:
    """Whether the models' order counts. Raises OptionError."""
    if text not in PRIORITIES:
        raise OptionError(
            "invalid value for --cache_priority", actual=repr(text), allowed=" or ".join(PRIORITIES)
        )
    return text == "order"


def parse_count(option: str, text: str, limit: int = 10**6) -> int:
    """A number of 1 or more. Raises OptionError naming `option`."""
    if not (text.isascii() and text.isdecimal()) or not 1 <= int(text[:20]) <= limit:
        raise OptionError(
            f"invalid value for --{option}", actual=repr(text), allowed=f"1 to {limit}"
        )
    return int(text)


def parse_segments(text: str) -> int:
    """A number of segments, or `auto`. Raises OptionError."""
    return AUTO_SEGMENTS if text == "auto" else parse_count("num_segments", text)
