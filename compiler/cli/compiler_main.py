"""`edgetpu_compiler`: compile TensorFlow Lite models for the Edge TPU."""

from __future__ import annotations

import sys
from collections.abc import Callable

from ..emit import texts
from ..errors import CompilerError, OptionError
from ..options import CompileOptions, parse_release, parse_runtime
from . import arguments


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit status (0 only when every model compiled)."""
    try:
        args = arguments.parse(sys.argv[1:] if argv is None else argv)
        return _run(args)
    except CompilerError as error:
        print(f"{error.code}: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        return 1
    except Exception as error:
        print(f"internal-error: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def _run(args: arguments.Arguments) -> int:
    if args.has("version"):
        print(texts.VERSION_LINE)
        return 0
    if args.has("help"):
        print(f"{texts.VERSION_LINE}\n\n{arguments.help_text()}", end="")
        return 0
    if not args.models:
        raise OptionError("no model given", hint="See edgetpu_compiler --help.")
    options = CompileOptions(
        release=parse_release(args.get("emulate_release", "16.0")),
        min_runtime=parse_runtime(args.get("min_runtime_version"))
        if args.has("min_runtime_version")
        else None,
    )
    if args.has("dump-ir"):
        return _dump(args, options)
    return _compile(args, options)


def _dump(args: arguments.Arguments, options: CompileOptions) -> int:
    from ..driver import LEVELS, dump_level  # noqa: PLC0415 - keeps --version fast

    level = args.get("dump-ir")
    if level not in LEVELS:
        raise OptionError("unknown level for --dump-ir", actual=level, allowed=", ".join(LEVELS))
    for model in args.models:
        sys.stdout.write(dump_level(model, options, level))
    return 0


def _compile(args: arguments.Arguments, options: CompileOptions) -> int:
    print(texts.VERSION_LINE)
    status = 0
    for model in args.models:
        status |= _guarded(lambda model=model: _compile_one(model, args, options))  # type: ignore[misc]
    return status


def _guarded(action: Callable[[], None]) -> int:
    """Run one compilation between the vendor's timer and result lines."""
    print(texts.timer_line(180))
    try:
        action()
    except CompilerError as error:
        print(f"Compilation failed: {error}")
        print(texts.CHILD_COMPLETED)
        print(texts.FAILED)
        return 1
    print(texts.CHILD_COMPLETED)
    print(texts.SUCCEEDED)
    return 0


def _compile_one(model: str, args: arguments.Arguments, options: CompileOptions) -> None:
    from ..driver import compile_file  # noqa: PLC0415 - keeps --version fast

    result = compile_file(model, args.get("out_dir"), options)
    print(
        texts.success_text([result.report], result.milliseconds, args.has("show_operations")),
        end="\n" if args.has("show_operations") else "",
    )


if __name__ == "__main__":
    sys.exit(main())
