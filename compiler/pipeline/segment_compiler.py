"""Compiles single segments for the profiling partitioner: in this process, or by any program
with the command line of `edgetpu_compiler`."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from ..compilation import MODEL_SUFFIX
from ..errors import OptionError, Where
from ..options import DEFAULT_TIMEOUT, Request
from ..session import Session

LEFT_OVER_SECONDS = 60
"""How much longer than its own time limit another compiler may take."""


@dataclass(frozen=True, slots=True)
class CompiledSegment:
    """Contents of `_edgetpu.tflite` and `_edgetpu.log` (empty if there is none)."""

    model: bytes
    log: bytes


class SegmentCompiler(Protocol):
    """Compiles a .tflite file of a given name."""

    def compile(self, source: Path) -> CompiledSegment | None:
        """The result, None if it does not compile. It may write into the file's folder."""
        ...


@dataclass(frozen=True, slots=True)
class OwnCompiler:
    """This compiler, with `--search_delegate`."""

    search_step: int = 1
    timeout: int = DEFAULT_TIMEOUT

    def compile(self, source: Path) -> CompiledSegment | None:
        request = Request(
            (str(source),), str(source.parent), search_step=self.search_step, timeout=self.timeout
        )
        failed = Session(request, lambda _text: None).run()
        return None if failed else _results(source)


@dataclass(frozen=True, slots=True)
class OtherCompiler:
    """The program at `binary`; success is exit status 0 and the output file."""

    binary: str
    search_step: int = 1
    timeout: int = DEFAULT_TIMEOUT
    further: Sequence[str] = field(default=())

    def compile(self, source: Path) -> CompiledSegment | None:
        command = [
            self.binary,
            "--search_delegate",
            f"--out_dir={source.parent}",
            "--num_segments=1",
            str(source),
            f"--delegate_search_step={self.search_step}",
            *self.further,
        ]
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=self.timeout + LEFT_OVER_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return None
        except OSError as error:
            raise OptionError(
                "--edgetpu_compiler_binary cannot be run",
                where=Where(file=self.binary),
                actual=error.strerror,
            ) from error
        return _results(source) if done.returncode == 0 else None


def compile_segment(compiler: SegmentCompiler, name: str, data: bytes) -> CompiledSegment | None:
    """Compile the model `data`, called `name`, in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="edgetpu_segment_") as folder:
        source = Path(folder) / (name + MODEL_SUFFIX)
        source.write_bytes(data)
        return compiler.compile(source)


def _results(source: Path) -> CompiledSegment | None:
    stem = source.with_name(source.name.removesuffix(MODEL_SUFFIX) + "_edgetpu")
    model, log = stem.with_name(stem.name + MODEL_SUFFIX), stem.with_name(stem.name + ".log")
    if not model.is_file():
        return None
    return CompiledSegment(model.read_bytes(), log.read_bytes() if log.is_file() else b"")
