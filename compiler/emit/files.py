"""Writes output files so that a reader sees either all of a file or none of it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

from ..errors import OutputError, Where


def write_files(contents: Mapping[Path, bytes]) -> None:
    """Write every file under a temporary name first, then rename them all in order.

    A failure before the first rename leaves nothing behind. Raises OutputError.
    """
    staged: list[tuple[Path, Path]] = []
    try:
        for path, data in contents.items():
            temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
            staged.append((temporary, path))
            _write(temporary, path, data)
        while staged:
            temporary, path = staged[0]
            _rename(temporary, path)
            staged.pop(0)
    finally:
        for temporary, _ in staged:
            with contextlib.suppress(OSError):
                temporary.unlink()


def make_directory(path: Path) -> None:
    """Create the output directory if it is missing. Raises OutputError."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _failure("cannot create the output directory", path, error) from error


def _write(temporary: Path, path: Path, data: bytes) -> None:
    try:
        temporary.write_bytes(data)
    except OSError as error:
        raise _failure("cannot write the output file", path, error) from error


def _rename(temporary: Path, path: Path) -> None:
    try:
        temporary.replace(path)
    except OSError as error:
        raise _failure("cannot write the output file", path, error) from error


def _failure(message: str, path: Path, error: OSError) -> OutputError:
    return OutputError(f"{message}: {error.strerror or error}", where=Where(file=str(path)))
