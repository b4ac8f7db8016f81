"""Whatever the executable holds, the emulator ends with a value or a CompilerError, and soon."""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compiler.beagle.executable import Chunk, ExecutableType
from compiler.emulator.device import Device, choose
from compiler.emulator.model import random_inputs
from compiler.errors import CompilerError, EmulationError
from tests.emulator.compiled import compile_model
from tests.model_builder import ModelBuilder

_WORD = 16


@functools.cache
def small_model():
    return compile_model(ModelBuilder(seed=4).input("x", (1, 8, 8, 8)).conv2d(8, 3).build())


@functools.cache
def executables():
    (found,) = small_model().executables.values()
    return found


def attempt(damaged, mode):
    device = Device(mode)
    layers = choose(executables())[0].inputs
    inputs = {layer.name: random_inputs(small_model())["x"] for layer in layers}
    try:
        device.run(damaged, inputs)
    except CompilerError as error:
        assert str(error)


def with_bits(executable, flips):
    chunk = executable.chunks[0]
    data = bytearray(chunk.bitstream)
    for position, value in flips:
        data[position % len(data)] ^= value
    return replace(executable, chunks=(Chunk(bytes(data), chunk.field_offsets),))


@pytest.mark.parametrize("mode", ["functional", "concurrent"])
@given(st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(1, 255)), min_size=1, max_size=3))
@settings(
    derandomize=True,
    deadline=None,
    max_examples=25,
    suppress_health_check=[HealthCheck.too_slow],
)
def test_damaged_programs(mode, flips):
    program, caching = choose(executables())
    others = () if caching is None else (caching,)
    attempt((with_bits(program, flips), *others), mode)


def test_missing_program():
    with pytest.raises(EmulationError, match="no program"):
        choose([replace(executables()[0], type=ExecutableType.PARAMETER_CACHING)])


def test_wrong_inputs():
    model = small_model()
    with pytest.raises(EmulationError, match="missing"):
        model.run({})
    with pytest.raises(EmulationError, match="wrong type or shape"):
        model.run({"x": np.zeros((1, 8, 8, 8), np.float32)})
    with pytest.raises(EmulationError, match="wrong type or shape"):
        model.run({"x": np.zeros((1, 8, 8, 7), np.int8)})


def test_cut_program():
    program, *others = executables()
    chunk = program.chunks[0]
    short = Chunk(chunk.bitstream[: 10 * _WORD], ())
    with pytest.raises(CompilerError):
        Device().run([replace(program, chunks=(short,)), *others], random_inputs(small_model()))
