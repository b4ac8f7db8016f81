"""`partition_with_num_ops`: cut a model into segments with given numbers of operators."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ..errors import OptionError
from .guard import guarded


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit status (0 only when the segments are written)."""
    options = _parser().parse_args(argv)
    return guarded(lambda: _run(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="partition_with_num_ops",
        description="Cuts a model into segments, in execution order. Nothing is compiled.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--model_path", metavar="FILE", required=True, help="the .tflite model")
    add("--output_dir", metavar="DIR", default="", help="default: current directory")
    add("--segment_prefix", metavar="NAME", default="tmp", help="default: %(default)s")
    add("--num_ops", metavar="N,N...", required=True, help="operators of each segment")
    return parser


def _run(options: argparse.Namespace) -> int:
    from ..emit.files import make_directory  # noqa: PLC0415 - keeps --help fast
    from ..frontend.tflite_reader import read_model  # noqa: PLC0415
    from ..pipeline.profiling_run import write_segments  # noqa: PLC0415
    from ..pipeline.segmentation import execution_order  # noqa: PLC0415

    graph = read_model(options.model_path)
    counts = _counts(options.num_ops, len(graph.operators))
    folder = Path(options.output_dir)
    make_directory(folder)
    stem = str(folder / options.segment_prefix)
    for path in write_segments(graph, execution_order(graph), counts, stem):
        print(path)
    return 0


def _counts(text: str, total: int) -> list[int]:
    parts = text.split(",")
    counts = [int(part) if part.isascii() and part.isdecimal() else 0 for part in parts]
    if len(counts) < 2 or min(counts) < 1 or sum(counts) != total:
        raise OptionError(
            "invalid value for --num_ops",
            actual=repr(text),
            allowed=f"two or more numbers from 1 that add up to {total}",
        )
    return counts


if __name__ == "__main__":
    sys.exit(main())
