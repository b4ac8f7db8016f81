"""Valid models of random layers, sizes and parameters: they compile, or the operators that do
not fit stay on the CPU with a reason. No size may end in an error or in a broken file."""

import random

import pytest

from compiler.beagle.assembler import assemble
from compiler.beagle.disassembler import disassemble
from compiler.beagle.reader import compiled_ops, read_custom_options, read_package
from compiler.driver import compile_graph, plan_model
from compiler.frontend.tflite_reader import read_model_bytes
from compiler.options import CompileOptions
from compiler.planning.plan import NARROW_WORDS
from compiler.release import RELEASE_15
from tests.model_builder import ModelBuilder

CASES = 20
GROUPS = 5
OPTIONS = (CompileOptions(), CompileOptions(RELEASE_15, 12))
HEIGHTS = (1, 2, 3, 4, 5, 7, 8, 12, 15, 16, 17, 28, 32, 33, 56, 64, 96)
WIDTHS = (1, 2, 4, 6, 8, 12, 16, 20, 33, 64, 100, 200)
CHANNELS = (1, 2, 3, 4, 5, 8, 12, 16, 24, 32, 48, 64, 100, 128, 256)
LENGTHS = (1, 4, 8, 10, 64, 100, 256, 512, 777, 961, 1000, 1001, 1024, 1025, 2048)
KERNELS = (1, 1, 2, 3, 3, 4, 5, 7, 11)
STRIDES = (1, 1, 1, 2, 2, 3, 4)
ACTIVATIONS = ("none", "relu", "relu6")


def _vector_layer(builder: ModelBuilder, source: random.Random) -> None:
    kind = source.choice(["dense", "dense", "softmax", "logistic", "quantize"])
    if kind == "dense" and builder.last.shape[-1] <= 2 * max(LENGTHS):
        builder.fully_connected(source.choice(LENGTHS), activation=source.choice(ACTIVATIONS))
    elif kind == "softmax":
        builder.softmax()
    elif kind == "logistic":
        builder.logistic()
    else:
        builder.quantize()


def _convolution(builder: ModelBuilder, source: random.Random, depthwise: bool) -> None:
    _, height, width, _ = builder.last.shape
    padding, kernel = source.choice(["same", "same", "valid"]), source.choice(KERNELS)
    if padding == "valid":
        kernel = min(kernel, height, width)
    stride, activation = source.choice(STRIDES), source.choice(ACTIVATIONS)
    if depthwise:
        builder.depthwise_conv2d(kernel, stride=stride, padding=padding)
        return
    builder.conv2d(
        source.choice(CHANNELS),
        kernel,
        stride=stride,
        padding=padding,
        activation=activation,
        dilation=source.choice([1, 1, 2]) if stride == 1 and padding == "same" else 1,
    )


def _map_layer(builder: ModelBuilder, source: random.Random) -> None:
    _, height, width, channels = builder.last.shape
    kind = source.choice(["conv"] * 3 + ["depthwise"] * 2 + ["pool", "whole", "max", "vector"])
    if kind in ("conv", "depthwise"):
        _convolution(builder, source, kind == "depthwise")
    elif kind == "pool":
        builder.average_pool_2d(min(source.choice([2, 3, 4]), height, width))
    elif kind == "whole":
        builder.average_pool_2d((height, width))
    elif kind == "max":
        builder.max_pool_2d(min(2, height, width))
    else:
        builder.reshape((1, height * width * channels))


def random_model(source: random.Random) -> bytes:
    """One to six layers behind a picture or a vector."""
    builder = ModelBuilder(source.choice(["int8", "uint8"]), seed=source.randrange(99))
    if source.random() < 0.25:
        builder.input("x", (1, source.choice(LENGTHS)))
    else:
        height = source.choice(HEIGHTS)
        width = source.choice((height, height, *WIDTHS))
        builder.input("x", (1, height, width, source.choice(CHANNELS)))
    for _ in range(source.randint(1, 6)):
        layer = _map_layer if len(builder.last.shape) == 4 else _vector_layer
        layer(builder, source)
    return builder.build()


def _check_file(data: bytes) -> None:
    """The file can be read again, its programs are whole and stay in the tile's memory."""
    read_model_bytes(data, "out.tflite", compiled=True)
    for op in compiled_ops(data):
        for executable in read_package(read_custom_options(op.custom_options).package).executables:
            assert executable.used_narrow_bytes <= 4 * NARROW_WORDS
            chunks = [chunk.bitstream for chunk in executable.chunks if chunk.bitstream]
            assert list(assemble(disassemble(chunks))) == chunks


@pytest.mark.parametrize("group", range(GROUPS))
def test_random_models_compile(group):
    source = random.Random(f"random models {group}")
    mapped = 0
    for _ in range(CASES):
        options = source.choice(OPTIONS)
        graph = read_model_bytes(random_model(source), "m.tflite")
        model = plan_model(graph, options)
        model.verify()
        model.partition.verify()
        for plan in model.plans:
            plan.verify()
        _check_file(compile_graph(model, 1, options))
        mapped += bool(model.plans)
    assert mapped >= CASES // 4
