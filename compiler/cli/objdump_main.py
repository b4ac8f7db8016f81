"""`edgetpu_objdump`: what is inside a compiled model."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from ..errors import CompilerError, OptionError
from .guard import guarded

_EPILOG = """\
FILE is a model compiled for the Edge TPU (.tflite), a package or a single executable.
The instruction listing is explained in docs/format/instructions.md.
"""


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit status (0 when everything could be read)."""
    options = _parser().parse_args(argv)

    def place(error: CompilerError) -> str:
        return "" if error.where.file == str(options.file) else f"{options.file}: "

    return guarded(lambda: _print(_run(options)), prefix=place)


def _print(lines: Iterator[str]) -> int:
    for line in lines:
        print(line)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="edgetpu_objdump",
        description="Lists the executables of a compiled model.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("file", metavar="FILE", type=Path)
    add("-d", "--disassemble", action="store_true", help="list the instructions")
    add("-t", "--hints", action="store_true", help="list the DMA hints")
    add("-e", "--executable", type=int, metavar="N", help="only executable N (from 0)")
    add("-s", "--stream", type=int, metavar="N", help="list instruction stream N (from 0)")
    return parser


def _run(options: argparse.Namespace) -> Iterator[str]:
    from ..beagle import description  # noqa: PLC0415 - keeps --help fast
    from ..beagle.contents import read_contents  # noqa: PLC0415

    found = [item for part in read_contents(options.file).parts for item in part.titles()]
    if options.executable is not None:
        _check("executable", options.executable, len(found))
        found = found[options.executable : options.executable + 1]
    for title, executable in found:
        yield title
        yield from description.describe(executable)
        if options.hints:
            yield from description.describe_hints(executable)
        if options.stream is not None:
            _check("stream", options.stream, len(executable.chunks))
        if options.disassemble or options.stream is not None:
            yield from description.describe_instructions(executable, options.stream)


def _check(what: str, number: int, count: int) -> None:
    if not 0 <= number < count:
        raise OptionError(f"no such {what}", actual=number, allowed=f"0..{count - 1}")


if __name__ == "__main__":
    sys.exit(main())
