"""`edgetpu_objdump`: what is inside a compiled model."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import CompilerError, InvalidModelError, OptionError

if TYPE_CHECKING:
    from ..beagle.executable import Executable

_EPILOG = """\
FILE is a model compiled for the Edge TPU (.tflite), a package or a single executable.
The instruction listing is explained in docs/format/instructions.md.
"""


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit status (0 when everything could be read)."""
    options = _parser().parse_args(argv)
    try:
        for line in _run(options):
            print(line)
        sys.stdout.flush()
        return 0
    except CompilerError as error:
        place = "" if error.where.file == str(options.file) else f"{options.file}: "
        print(f"{error.code}: {place}{error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


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

    found = list(_executables(options.file))
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


def _executables(path: Path) -> Iterator[tuple[str, Executable]]:
    """(title, executable) of everything in the file."""
    from ..beagle import reader, schema  # noqa: PLC0415
    from ..frontend import tflite_schema  # noqa: PLC0415
    from ..frontend.file_kind import read_file  # noqa: PLC0415

    data = read_file(path)
    identifier = data[4:8]
    if identifier == schema.PACKAGE_IDENTIFIER:
        yield from _package("package", data)
    elif identifier != tflite_schema.IDENTIFIER:
        yield "executable", reader.read_executable(data)
    else:
        operators = reader.compiled_ops(data, str(path))
        if not operators:
            raise InvalidModelError(
                "the model has no Edge TPU operator", hint="It is not compiled for the Edge TPU"
            )
        for op in operators:
            title = f"subgraph {op.subgraph} operator {op.operator}"
            yield from _package(title, reader.read_custom_options(op.custom_options).package)


def _package(title: str, data: bytes) -> Iterator[tuple[str, Executable]]:
    from ..beagle import reader  # noqa: PLC0415

    package = reader.read_package(data)
    for number, executable in enumerate(package.executables):
        text = f"{title}, runtime {package.min_runtime_version}, executable {number}:"
        yield text, executable


if __name__ == "__main__":
    sys.exit(main())
