"""What the user asked for, checked; the same object serves the command line, `edgetpu.yaml`
and the Bazel worker."""

from __future__ import annotations

from dataclasses import dataclass

from .errors import OptionError
from .release import RELEASE_16, RELEASES, RUNTIME_VERSIONS, Release


@dataclass(frozen=True, slots=True)
class CompileOptions:
    """Options of one compilation.

    min_runtime: value of `-m`, None for the release's default.
    """

    release: Release = RELEASE_16
    min_runtime: int | None = None

    @property
    def runtime(self) -> int:
        """The Edge TPU runtime version the output requires."""
        return self.release.default_runtime if self.min_runtime is None else self.min_runtime

    def fingerprint(self) -> str:
        """Everything that can change the output, as one line (part of the caching token)."""
        return f"release={self.release.name} runtime={self.runtime}"


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
