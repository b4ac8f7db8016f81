"""Cycles of single operators on one map, between two 1x1 convolutions, by the emulator's clock.

    python3 -m benchmarks.operator_cycles [--channels N] [--size N] [--only PART]

Prints, for each operator, the cycles it adds to the two convolutions alone, and cycles for each
word (four values) that a tile reads and writes: an operator that only copies its words could do
with about one. What is slow there is slow because of how it is lowered, not of what it computes.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from math import prod

from compiler.driver import compile_graph, plan_model
from compiler.emulator.timed import emulated_cycles
from compiler.frontend.tflite_reader import read_model_bytes
from compiler.options import CompileOptions
from compiler.pipeline.latency import programs
from tests.model_builder import ModelBuilder

from .pages import table

TILES, WORD = 16, 4
HEAD = ("operator", "cycles", "words a tile reads and writes", "cycles a word")
Build = Callable[[ModelBuilder], object]


def _join(builder: ModelBuilder, channels: int) -> None:
    trunk = builder.last
    unit = (0.05, 3)
    parts = [builder.conv2d(channels, 1, source=trunk, output=unit).last for _ in range(2)]
    builder.concatenation(*parts, axis=3)


def _split(builder: ModelBuilder) -> None:
    left, right = builder.split(2, 3)
    builder.add(left, right)


def operators(size: int, channels: int) -> dict[str, Build]:
    """What is measured, by name."""
    shape = (1, size, size, channels)
    return {
        "RELU": lambda b: b.relu(),
        "LOGISTIC": lambda b: b.logistic(),
        "ADD": lambda b: b.add(b.last, b.conv2d(channels, 1).last),
        "MUL": lambda b: b.mul(b.last, b.conv2d(channels, 1).last),
        "MAX_POOL_2D 2": lambda b: b.max_pool_2d(2),
        "MAX_POOL_2D 3, stride 1": lambda b: b.max_pool_2d(3, stride=1, padding="same"),
        "AVERAGE_POOL_2D 2": lambda b: b.average_pool_2d(2),
        "MEAN": lambda b: b.mean((1, 2), keep_dims=True),
        "CONCATENATION": lambda b: _join(b, channels),
        "CONCATENATION, odd": lambda b: _join(b, channels - 1),
        "SPLIT": _split,
        "PAD": lambda b: b.pad([(0, 0), (1, 1), (1, 1), (0, 0)]).max_pool_2d(2),
        "STRIDED_SLICE": lambda b: b.strided_slice((0, 0, 0, 0), shape, (1, 2, 2, 1)),
        "TRANSPOSE": lambda b: b.transpose((0, 2, 1, 3)),
        "RESHAPE": lambda b: b.reshape((1, size * 2, size // 2, channels)),
        "RESIZE_BILINEAR": lambda b: b.resize_bilinear((2 * size, 2 * size)),
        "RESIZE_NEAREST_NEIGHBOR": lambda b: b.resize_nearest_neighbor((2 * size, 2 * size)),
        "DEPTHWISE_CONV_2D 3": lambda b: b.depthwise_conv2d(3),
        "CONV_2D 1": lambda b: b.conv2d(channels, 1),
        "CONV_2D 3": lambda b: b.conv2d(channels, 3),
    }


def cycles(size: int, channels: int, build: Build | None) -> tuple[int, int]:
    """Cycles of the whole program, and words of the operator's input and output on a tile; 0
    cycles if something is not mapped."""
    builder = ModelBuilder("uint8", seed=2).input("x", (1, size, size, 4)).conv2d(channels, 1)
    before = prod(builder.last.shape)
    if build is not None:
        build(builder)
    words = (before + prod(builder.last.shape)) // (TILES * WORD)
    if len(builder.last.shape) == len((1, size, size, channels)):
        builder.conv2d(4, 1)
    planned = plan_model(read_model_bytes(builder.build(), "operator"), CompileOptions())
    if planned.partition.reasons:
        return 0, words
    compiled = compile_graph(planned, 1, CompileOptions())
    return sum(map(emulated_cycles, programs(compiled))), words


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table, the slowest operator first."""
    parser = argparse.ArgumentParser(prog="operator_cycles")
    parser.add_argument("--size", type=int, default=32, help="rows and columns")
    parser.add_argument("--channels", type=int, default=32)
    parser.add_argument("--only", default="", metavar="PART", help="of the operators' names")
    options = parser.parse_args(arguments)
    alone, _ = cycles(options.size, options.channels, None)
    rows = []
    for name, build in operators(options.size, options.channels).items():
        if options.only in name:
            total, words = cycles(options.size, options.channels, build)
            ratio = (total - alone) / words if total else 0.0
            rows.append((ratio, name, f"{total - alone:,}" if total else "not mapped", words))
    rows.sort(reverse=True)
    lines = ((name, found, words, f"{ratio:.2f}") for ratio, name, found, words in rows)
    print(table(HEAD, lines), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
