"""`edgetpu_compiler`: compile TensorFlow Lite models for the Edge TPU."""

from __future__ import annotations

import sys
from typing import NoReturn

from ..emit import texts
from ..errors import OptionError
from ..options import (
    DEFAULT_TIMEOUT,
    CompileOptions,
    Request,
    parse_count,
    parse_priority,
    parse_release,
    parse_runtime,
    parse_segments,
    parse_weights,
)
from . import arguments
from .guard import guarded
from .process import run_and_exit

_REPORTS = ("json",)


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit status (0 only when every model compiled)."""
    return guarded(lambda: _run(arguments.parse(sys.argv[1:] if argv is None else argv)))


def request(args: arguments.Arguments) -> Request:
    """What the command line asks for. Raises OptionError for values that are not allowed."""
    runtime = args.get("min_runtime_version")
    step = parse_count("delegate_search_step", args.get("delegate_search_step", "1"))
    if args.has("report") and args.get("report") not in _REPORTS:
        raise OptionError("unknown format for --report", actual=args.get("report"), allowed="json")
    return Request(
        models=args.models,
        out_dir=args.get("out_dir"),
        options=CompileOptions(
            release=parse_release(args.get("emulate_release", "16.0")),
            min_runtime=parse_runtime(runtime) if args.has("min_runtime_version") else None,
            all_subgraphs=args.has("enable_multiple_subgraphs"),
            by_order=parse_priority(args.get("cache_priority", "size")),
            weights=_weights(args),
            allow_scratch=args.has("allow_scratch"),
        ),
        intermediate_tensors=args.get("intermediate_tensors"),
        segments=parse_segments(args.get("num_segments", "1")),
        search_step=step if args.has("search_delegate") else None,
        timeout=parse_count("timeout_sec", args.get("timeout_sec", str(DEFAULT_TIMEOUT))),
        show_operations=args.has("show_operations"),
        report=args.has("report"),
    )


def _weights(args: arguments.Arguments) -> tuple[float, ...] | None:
    if args.has("optimize_order"):
        return parse_weights(args.get("weights")) if args.has("weights") else ()
    if args.has("weights"):
        raise OptionError("--weights needs --optimize_order")
    return None


def _run(args: arguments.Arguments) -> int:
    if args.has("version"):
        print(texts.VERSION_LINE)
        return 0
    if args.has("help"):
        print(f"{texts.VERSION_LINE}\n\n{arguments.help_text()}", end="")
        return 0
    wanted = request(args)
    if args.has("config"):
        return _configured(args.get("config"), wanted)
    wanted.verify()
    if args.has("dump-ir"):
        return _dump(args.get("dump-ir"), wanted)
    if args.has("explain"):
        return _explain(args.get("explain"), wanted)
    from ..session import Session  # noqa: PLC0415 - keeps --version fast

    return Session(wanted, lambda text: print(text, flush=True)).run()


def _configured(file: str, wanted: Request) -> int:
    from ..config.command import run  # noqa: PLC0415 - keeps --version fast

    return run(file, wanted, lambda text: print(text, flush=True))


def _dump(level: str, wanted: Request) -> int:
    from ..driver import LEVELS, dump_level  # noqa: PLC0415 - keeps --version fast

    if level not in LEVELS:
        raise OptionError("unknown level for --dump-ir", actual=level, allowed=", ".join(LEVELS))
    for model in wanted.models:
        sys.stdout.write(dump_level(model, wanted.options, level))
    return 0


def _explain(op: str, wanted: Request) -> int:
    from ..explain import explain  # noqa: PLC0415 - keeps --version fast

    for model in wanted.models:
        sys.stdout.write(explain(model, wanted, op))
    return 0


def command() -> NoReturn:
    """Entry point of the process."""
    run_and_exit(main)


if __name__ == "__main__":
    command()
