"""One compile action of a build: the command line without its folders.

The compilation runs in a folder of its own below the output folder, where its inputs lie
under their plain names: so console, log and manifest name files without the folders of this
machine. Exactly the files that were made come to the output folder.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..cli import arguments
from ..cli.compiler_main import request
from ..cli.guard import error_line
from ..errors import OptionError
from ..session import Session


@dataclass(frozen=True, slots=True)
class Result:
    """Exit status, and what the user has to see."""

    status: int
    console: str = ""


def run_action(argv: Sequence[str]) -> Result:
    """Compile as `edgetpu_compiler` would with these arguments, of which `--out_dir` is one.

    The console text is kept back unless the compilation fails or `--show_operations` asks for
    it. Never raises.
    """
    console: list[str] = []
    try:
        kind, options = _session_kind(argv)
        args = arguments.parse(options)
        wanted = request(args)
        with _scratch(Path(wanted.out_dir or "."), wanted.models) as names:
            local = replace(wanted, models=names, out_dir="")
            status = kind(local, console.append).run()
    except Exception as error:
        console.append(error_line(error))
        status = 1
    shown = status or "--show_operations" in argv
    return Result(status, "".join(f"{text}\n" for text in console) if shown else "")


def _session_kind(argv: Sequence[str]) -> tuple[type[Session], list[str]]:
    """How `--partitioner NAME` cuts a model into segments, and the other arguments."""
    options = list(argv)
    if "--partitioner" not in options:
        return Session, options
    at = options.index("--partitioner")
    name = options[at + 1] if at + 1 < len(options) else ""
    del options[at : at + 2]
    if name == "profiling":
        from ..pipeline.profiled_session import ProfiledSession  # noqa: PLC0415 - seldom needed

        return ProfiledSession, options
    raise OptionError("unknown partitioner", actual=name, allowed="profiling")


@contextlib.contextmanager
def _scratch(out_dir: Path, models: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Work in a new folder with the models under their plain names; what is new there in the
    end goes to `out_dir`."""
    names = tuple(Path(model).name for model in models)
    if len(set(names)) != len(names):
        raise OptionError("two models have the same file name", actual=", ".join(names))
    sources = [Path(model).absolute() for model in models]
    target = out_dir.absolute()
    with tempfile.TemporaryDirectory(dir=target) as folder, _inside(folder):
        for name, source in zip(names, sources, strict=True):
            Path(name).symlink_to(source)
        yield names
        for made in sorted(Path.cwd().iterdir()):
            if not made.is_symlink():
                made.replace(target / made.name)


@contextlib.contextmanager
def _inside(folder: str) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
