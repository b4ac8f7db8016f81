"""`partition_with_profiling`: cut a model for a pipeline so that its segments take the same
time, and compile the segments."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ..errors import OptionError
from .guard import guarded

DEVICE_TYPES = ("any", "pcionly", "usbonly")
LATENCIES = ("auto", "device", "emulator", "static")


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit status (0 only when the segments are written)."""
    options = _parser().parse_args(argv)
    return guarded(lambda: _run(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="partition_with_profiling",
        description="Cuts a model into segments of about the same latency and compiles them.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--edgetpu_compiler_binary", metavar="FILE", help="compiler to use (default: this one)")
    add("--model_path", metavar="FILE", required=True, help="the .tflite model")
    add("--num_segments", metavar="N", type=int, required=True, help="segments, 2 or more")
    add("--output_dir", metavar="DIR", default="/tmp/models/", help="default: %(default)s")
    add("--device_type", choices=DEVICE_TYPES, default="any", help="default: %(default)s")
    add(
        "--diff_threshold_ns",
        metavar="N",
        type=int,
        default=1_000_000,
        help="stop when the bounds of the slowest segment's latency are closer than this "
        "(default: %(default)s)",
    )
    add(
        "--partition_search_step",
        metavar="N",
        type=int,
        default=1,
        help="operators by which a segment is made longer or shorter (default: %(default)s)",
    )
    add(
        "--delegate_search_step",
        metavar="N",
        type=int,
        default=1,
        help="the compiler's option of that name (default: %(default)s)",
    )
    for bound in ("lower", "upper"):
        add(
            f"--initial_{bound}_bound_ns",
            metavar="N",
            type=int,
            default=-1,
            help=f"first {bound} bound (default: as measured when cut by parameter bytes)",
        )
    add(
        "--latency",
        choices=LATENCIES,
        default="auto",
        help="where latencies come from (default: a device if there is one, else the emulator, "
        "which only counts instructions in large programs)",
    )
    return parser


def _run(options: argparse.Namespace) -> int:
    _check(options)
    from ..pipeline.latency import latency_model  # noqa: PLC0415 - keeps --help fast
    from ..pipeline.profiling import Search  # noqa: PLC0415
    from ..pipeline.profiling_run import ProfilingRun  # noqa: PLC0415
    from ..pipeline.segment_compiler import OtherCompiler, OwnCompiler  # noqa: PLC0415

    binary, step = options.edgetpu_compiler_binary, options.delegate_search_step
    run = ProfilingRun(
        options.model_path,
        Path(options.output_dir),
        OtherCompiler(binary, step) if binary else OwnCompiler(step),
        latency_model(options.latency, options.device_type),
    )
    search = Search(
        options.num_segments,
        options.diff_threshold_ns,
        options.partition_search_step,
        options.initial_lower_bound_ns,
        options.initial_upper_bound_ns,
    )
    run.run(search, _say, _progress)
    return 0


def _check(options: argparse.Namespace) -> None:
    for name, least in (
        ("num_segments", 2),
        ("diff_threshold_ns", 0),
        ("partition_search_step", 1),
        ("delegate_search_step", 1),
    ):
        value = getattr(options, name)
        if value < least:
            raise OptionError(
                f"invalid value for --{name}", actual=value, allowed=f"{least} or more"
            )


def _say(text: str) -> None:
    clear = "\r\x1b[K" if sys.stderr.isatty() else ""
    print(clear, end="", file=sys.stderr, flush=True)
    print(text, flush=True)


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
