"""Timed mode: the same clock as concurrent mode, without values."""

from __future__ import annotations

from dataclasses import replace

import pytest

from compiler.emulator import Device, random_inputs
from compiler.emulator.device import choose
from compiler.emulator.timed import emulated_cycles
from compiler.errors import CompilerError
from tests.emulator.compiled import compile_model
from tests.model_builder import ModelBuilder


def _layers() -> ModelBuilder:
    builder = ModelBuilder(seed=2).input("x", (1, 16, 16, 3)).conv2d(16, 3, stride=2)
    first = builder.last
    builder.depthwise_conv2d(3).conv2d(16, 1)
    return builder.add(builder.last, first).average_pool_2d(8).conv2d(24, 1)


def _vector() -> ModelBuilder:
    return ModelBuilder("uint8", seed=3).input("x", (1, 300)).fully_connected(200)


@pytest.mark.parametrize("builder", [_layers(), _vector()])
def test_the_clock_of_concurrent_mode(builder):
    model = compile_model(builder.build())
    (run,) = model.run(random_inputs(model), Device("concurrent")).runs
    ((_, executables),) = model.executables.items()
    assert emulated_cycles(choose(executables)[0]) == round(run.cycles) > 100


def test_a_damaged_program_is_an_error():
    """Bits of a program that is cut short: it waits for what never comes."""
    ((_, executables),) = compile_model(_layers().build()).executables.items()
    program = choose(executables)[0]
    (chunk,) = program.chunks
    short = replace(chunk, bitstream=chunk.bitstream[: len(chunk.bitstream) // 2 // 16 * 16])
    with pytest.raises(CompilerError):
        emulated_cycles(replace(program, chunks=(short,)))
