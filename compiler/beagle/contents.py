"""What is in a file: a compiled model, a Package or a single Executable.

For the tools that read any of them (`edgetpu_objdump`, `edgetpu_diff`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..errors import InvalidModelError
from ..fast_dataclass import dataclass
from ..frontend import tflite_schema
from ..frontend.file_kind import read_file
from . import reader, schema
from .executable import Executable
from .package import CustomOptions, Package


@dataclass(frozen=True, slots=True)
class Part:
    """One Package of a file. place: of the operator it belongs to (empty for a file that is a
    package or an executable); options, package: None where the file holds only what is inside."""

    place: str
    executables: tuple[Executable, ...]
    options: CustomOptions | None = None
    package: Package | None = None

    def titles(self) -> Iterator[tuple[str, Executable]]:
        """Each executable with a title that names it."""
        if self.package is None:
            yield "executable", self.executables[0]
            return
        place = self.place or "package"
        for number, executable in enumerate(self.executables):
            yield (
                f"{place}, runtime {self.package.min_runtime_version}, executable {number}:",
                executable,
            )


@dataclass(frozen=True, slots=True)
class Contents:
    """A file's bytes and its parts; is_model: whether it is a .tflite file."""

    data: bytes
    parts: tuple[Part, ...]
    is_model: bool = False


def read_contents(path: Path) -> Contents:
    """The file at `path`. Raises InvalidModelError, also for a model without any Edge TPU
    operator."""
    data = read_file(path)
    identifier = data[4:8]
    if identifier == schema.PACKAGE_IDENTIFIER:
        return Contents(data, (_package("", data),))
    if identifier != tflite_schema.IDENTIFIER:
        return Contents(data, (Part("", (reader.read_executable(data),)),))
    operators = reader.compiled_ops(data, str(path))
    if not operators:
        raise InvalidModelError(
            "the model has no Edge TPU operator", hint="It is not compiled for the Edge TPU"
        )
    parts = []
    for op in operators:
        options = reader.read_custom_options(op.custom_options)
        place = f"subgraph {op.subgraph} operator {op.operator}"
        parts.append(_package(place, options.package, options))
    return Contents(data, tuple(parts), is_model=True)


def _package(place: str, data: bytes, options: CustomOptions | None = None) -> Part:
    package = reader.read_package(data)
    return Part(place, package.executables, options, package)
