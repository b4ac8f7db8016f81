"""`edgetpu_diff`: what two compiled models differ in."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import CompilerError
from .guard import guarded

if TYPE_CHECKING:
    from ..beagle.difference import Difference

_EPILOG = """\
OLD and NEW are models compiled for the Edge TPU (.tflite), packages or single executables, of
any compiler. Compared is what they say: operators, tensors and constants of the outer model,
options, runtime version, caching token, layers, DMA hints, parameters and, decoded, every
instruction; not where it lies in the file.
Exit status: 0 equal, 1 different, 2 error.
"""
EQUAL, DIFFERENT, FAILED = 0, 1, 2
DEFAULT_LINES = 20


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    options = _parser().parse_args(argv)
    return guarded(lambda: _run(options), failed=FAILED)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="edgetpu_diff",
        description="Compares the contents of two compiled models.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("old", metavar="OLD", type=Path)
    add("new", metavar="NEW", type=Path)
    add("-q", "--quiet", action="store_true", help="print nothing")
    add("-s", "--summary", action="store_true", help="print only how many differences there are")
    add("-a", "--all", action="store_true", help=f"print all, not {DEFAULT_LINES} a section")
    add("--ignore_token", action="store_true", help="caching tokens may differ")
    return parser


def _run(options: argparse.Namespace) -> int:
    from ..beagle.contents import Contents, read_contents  # noqa: PLC0415 - keeps --help fast
    from ..beagle.difference import compare  # noqa: PLC0415

    files: list[Contents] = []
    for path in (options.old, options.new):
        try:
            files.append(read_contents(path))
        except CompilerError as error:
            if error.where.file != str(path):
                print(f"{error.code}: {path}: {error}", file=sys.stderr)
                return FAILED
            raise
    old, new = files
    found = list(compare(old, new, ignore_token=options.ignore_token))
    if not options.quiet:
        for line in _report(found, options, same_bytes=old.data == new.data):
            print(line)
    return DIFFERENT if found else EQUAL


def _report(
    found: list[Difference], options: argparse.Namespace, *, same_bytes: bool
) -> Iterator[str]:
    if not found:
        yield "same bytes" if same_bytes else "same content, in other bytes"
        return
    sections = Counter(_section(difference) for difference in found)
    if not options.summary:
        shown: Counter[str] = Counter()
        for difference in found:
            section = _section(difference)
            shown[section] += 1
            if options.all or shown[section] <= DEFAULT_LINES:
                yield str(difference)
            elif shown[section] == DEFAULT_LINES + 1:
                yield f"{section}: {sections[section] - DEFAULT_LINES} more (--all shows them)"
    else:
        for name, count in sections.items():
            yield f"{name}: {count}"
    yield f"{len(found)} difference{'s' * (len(found) != 1)}"


def _section(difference: Difference) -> str:
    """What a difference belongs to: the first words of its path, without numbers of items."""
    first, *rest = difference.where.split(".")
    return ".".join([first, *(part.split(" ")[0] for part in rest[:2])])


if __name__ == "__main__":
    sys.exit(main())
