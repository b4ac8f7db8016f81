"""Entry point of the compiler in a build: `edgetpu_compiler`, and two more ways to call it.

`--build_action ARGUMENT...` runs one compile action (an argument `@FILE` stands for the lines
of that file), and `--build_action --persistent_worker` is Bazel's worker.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path


def _expanded(arguments: list[str]) -> Iterator[str]:
    for argument in arguments:
        if argument.startswith("@"):
            yield from Path(argument[1:]).read_text().splitlines()
        else:
            yield argument


def _build_action(arguments: list[str]) -> int:
    if arguments and arguments[-1] == "--persistent_worker":
        from compiler.worker.server import serve_standard_streams  # noqa: PLC0415

        return serve_standard_streams(arguments[:-1])
    from compiler.worker.action import run_action  # noqa: PLC0415

    result = run_action(list(_expanded(arguments)))
    sys.stdout.write(result.console)
    return result.status


def _main(arguments: list[str]) -> int:
    if arguments[:1] == ["--build_action"]:
        return _build_action(arguments[1:])
    from compiler.cli.compiler_main import main  # noqa: PLC0415

    return main(arguments)


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
