"""Well-formed files with wrong shapes, types, operands, options and constants.

The reader accepts much of this, as TensorFlow Lite would compute it anew; mapping must then
keep it on the CPU, or what is mapped must compile. Whatever happens, nothing but a
CompilerError that names the file may come out.
"""

import copy
import random
from collections.abc import Callable
from typing import Any

import pytest

from compiler.beagle.reader import compiled_ops
from compiler.driver import compile_graph, plan_model
from compiler.errors import CompilerError, InternalError
from compiler.frontend.tflite_reader import read_model_bytes
from compiler.mapping.partition import partition
from compiler.options import CompileOptions
from compiler.release import RELEASE_15
from tests.model_builder import ModelBuilder
from tests.tflite_writer import ModelSpec, write_model

CASES = 250
COMPILED_CASES = 60
OPTIONS = (CompileOptions(), CompileOptions(RELEASE_15, 12))
INTEGERS = (-1, 0, 1, 2, 3, 4, 5, 7, 16, 17, 1000, 65536, 2**31 - 1, -(2**31))
TYPES = (0, 2, 3, 4, 7, 9)


def _chain(kind: str) -> ModelSpec:
    builder = ModelBuilder(kind).input("x", (1, 16, 16, 8)).conv2d(16, 3).depthwise_conv2d(3)
    builder.average_pool_2d(16).reshape((1, 16)).fully_connected(80).softmax()
    return builder.spec()


def _branches(kind: str) -> ModelSpec:
    builder = ModelBuilder(kind).input("x", (1, 8, 8, 8)).conv2d(8, 3)
    trunk = builder.last
    builder.add(trunk, builder.conv2d(8, 1).last).mul(builder.last, trunk)
    builder.concatenation(trunk, trunk).mean().logistic()
    return builder.spec()


def _moves(kind: str) -> ModelSpec:
    builder = ModelBuilder(kind).input("x", (1, 8, 8, 8)).pad([(0, 0), (1, 1), (1, 1), (0, 0)])
    builder.strided_slice((0, 0, 0, 0), (1, 8, 8, 8)).transpose((0, 2, 1, 3))
    builder.resize_bilinear((16, 16)).max_pool_2d(2).quantize().split(2)
    builder.tanh().relu().sub(builder.last, builder.last)
    return builder.spec()


def _dense(kind: str) -> ModelSpec:
    builder = ModelBuilder(kind).input("x", (1, 256)).fully_connected(512)
    return builder.fully_connected(1000).softmax().spec()


def _change_list(items: list[int], values: range | tuple[int, ...], source: random.Random) -> None:
    """One edit: replace, add, insert or remove an item, or remove all."""
    edit = source.randrange(5)
    if edit == 0 and items:
        items[source.randrange(len(items))] = source.choice(values)
    elif edit == 1:
        items.append(source.choice(values))
    elif edit == 2:
        items.insert(0, 1)
    elif edit == 3 and items:
        items.pop()
    elif edit == 4 and source.random() < 0.2:
        items.clear()


def _shape(spec: ModelSpec, source: random.Random) -> None:
    tensor = source.choice(spec.tensors)
    shape = list(tensor.shape or ())
    _change_list(shape, INTEGERS, source)
    tensor.shape = shape


def _type(spec: ModelSpec, source: random.Random) -> None:
    source.choice(spec.tensors).type = source.choice(TYPES)


def _inputs(spec: ModelSpec, source: random.Random) -> None:
    operator = source.choice(spec.operators)
    inputs = list(operator.inputs)
    _change_list(inputs, range(-1, len(spec.tensors)), source)
    operator.inputs = inputs


def _option(spec: ModelSpec, source: random.Random) -> None:
    options: dict[str, Any] = source.choice(spec.operators).options
    names = [name for name, value in options.items() if type(value) is int]
    if names:
        options[source.choice(names)] = source.choice(INTEGERS[:9])


def _constant(spec: ModelSpec, source: random.Random) -> None:
    number = source.randrange(1, len(spec.buffers))
    stored = spec.buffers[number]
    assert isinstance(stored, bytes)
    data = bytearray(stored)
    for _ in range(3):
        data[source.randrange(len(data))] = source.randrange(256)
    spec.buffers[number] = bytes(data)


def _quantization(spec: ModelSpec, source: random.Random) -> None:
    tensor = source.choice(spec.tensors)
    tensor.scales = source.choice([None, [1e-30], [1e30], [0.5, 0.25]])
    tensor.zero_points = None if tensor.scales is None else [0] * len(tensor.scales)
    tensor.axis = source.randrange(4)


CHANGES: tuple[Callable[[ModelSpec, random.Random], None], ...] = (
    _shape,
    _type,
    _inputs,
    _option,
    _constant,
    _quantization,
)


@pytest.mark.parametrize("kind", ["int8", "uint8"])
@pytest.mark.parametrize("make", [_chain, _branches, _moves])
def test_wrong_graphs_never_crash(make, kind):
    source = random.Random(f"{make.__name__} {kind}")
    whole = make(kind)
    accepted = 0
    for _ in range(CASES):
        spec = copy.deepcopy(whole)
        for _ in range(source.choice([1, 1, 2])):
            source.choice(CHANGES)(spec, source)
        try:
            graph = read_model_bytes(write_model(spec), "m.tflite")
            partition(graph, 14)
            accepted += 1
        except CompilerError as error:
            assert error.where.file == "m.tflite"
    assert accepted > CASES // 10, "too few cases get past the reader"


@pytest.mark.parametrize("kind", ["int8", "uint8"])
@pytest.mark.parametrize("make", [_chain, _branches, _moves, _dense])
def test_what_is_mapped_compiles(make, kind):
    source = random.Random(f"compile {make.__name__} {kind}")
    whole = make(kind)
    compiled = 0
    for _ in range(COMPILED_CASES):
        spec = copy.deepcopy(whole)
        for _ in range(source.choice([1, 1, 2, 3])):
            source.choice(CHANGES)(spec, source)
        options = source.choice(OPTIONS)
        try:
            graph = read_model_bytes(write_model(spec), "m.tflite")
            data = compile_graph(plan_model(graph, options), 1, options)
        except InternalError:
            raise
        except CompilerError as error:
            assert error.where.file == "m.tflite"
        else:
            read_model_bytes(data, "out.tflite", compiled=True)
            compiled += len(compiled_ops(data))
    assert compiled > COMPILED_CASES // 10, "too few cases with a mapped operator"
