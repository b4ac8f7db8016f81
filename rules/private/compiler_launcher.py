"""Entry point of the compiler in a build: `edgetpu_compiler` with one more option, `--quiet`.

`--quiet` (first argument) keeps the console text back unless the compilation fails: a build prints
what went wrong, not what went well.
"""

from __future__ import annotations

import contextlib
import io
import sys

from compiler.cli.compiler_main import main


def _run_quietly(arguments: list[str]) -> int:
    console = io.StringIO()
    status = 1
    try:
        with contextlib.redirect_stdout(console):
            status = main(arguments)
    finally:
        if status:
            sys.stdout.write(console.getvalue())
    return status


if __name__ == "__main__":
    if sys.argv[1:2] == ["--quiet"]:
        sys.exit(_run_quietly(sys.argv[2:]))
    sys.exit(main(sys.argv[1:]))
