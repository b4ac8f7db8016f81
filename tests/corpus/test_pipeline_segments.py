"""Vendor programs whose source is not public, but whose layers are: parts of an SSD MobileNet v1.

The network is built again from its shapes; the programs are equal up to what depends on the
numbers (quantisation, weights).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from compiler.beagle.assembler import assemble
from compiler.beagle.disassembler import disassemble
from compiler.beagle.executable import ExecutableType
from compiler.beagle.reader import compiled_ops, read_custom_options, read_package
from compiler.driver import caching_program, execution_program, plan_model
from compiler.frontend.tflite_reader import read_model_bytes
from compiler.lowering.program import Instruction, MeshMove, TensorOp
from compiler.options import CompileOptions
from compiler.release import RELEASE_15

from ..corpus_paths import require_corpus
from ..model_builder import ModelBuilder

FOLDER = "google-coral+test_data/pipeline"
NAME = "ssd_mobilenet_v1_coco_quant_postprocess_segment_{}_edgetpu.tflite"
WIDTHS = [64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024]
STRIDES = [1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1]
BRANCH = 11
"""The pair of layers whose result is an output and goes on, too."""


def network(height: int, width: int, channels: int) -> ModelBuilder:
    return ModelBuilder("uint8", seed=1).input("x", (1, height, width, channels))


def layer(model: ModelBuilder, channels: int, kernel: int = 1, stride: int = 1) -> ModelBuilder:
    return model.conv2d(channels, kernel, stride=stride, activation="relu6")


def depthwise(model: ModelBuilder, stride: int = 1) -> ModelBuilder:
    return model.depthwise_conv2d(3, stride=stride, activation="relu6")


def trunk(pairs: int, *, half: bool = False) -> ModelBuilder:
    """The picture's layers: `pairs` pairs, and, if `half`, one depthwise layer more."""
    model = layer(network(300, 300, 3), 32, 3, 2)
    for number in range(pairs + half):
        model = depthwise(model, STRIDES[number])
        if number < pairs:
            model = layer(model, WIDTHS[number])
        if number == BRANCH - 1:
            branch = model.last
    return model.output(branch, model.last)


def two_layers() -> ModelBuilder:
    model = layer(network(10, 10, 1024), 1024)
    first = model.last
    model = layer(model, 256)
    return model.output(first, model.last)


def a_pair_more() -> ModelBuilder:
    return layer(depthwise(layer(network(10, 10, 512), 1024)), 1024)


def shrinking() -> ModelBuilder:
    model = layer(layer(network(10, 10, 1024), 256), 512, 3, 2)
    branch = model.last
    model = layer(model, 128)
    return model.output(branch, model.last)


SEGMENTS: dict[str, Callable[[], ModelBuilder]] = {
    "0_of_2": lambda: trunk(13),
    "0_of_3": lambda: trunk(12, half=True),
    "0_of_4": lambda: trunk(11, half=True),
    "1_of_3": two_layers,
    "1_of_4": a_pair_more,
    "2_of_4": shrinking,
}
NUMBERS = ("multiplier", "clamp_max", "clamp_min", "weight_zero", "input_zero", "output_zero")


def without_numbers(op: Instruction) -> Instruction:
    if isinstance(op, TensorOp):
        return replace(op, **dict.fromkeys(NUMBERS, 0))
    if isinstance(op, MeshMove) and op.fill is not None:
        return replace(op, fill=0)
    return op


@pytest.mark.parametrize("segment", SEGMENTS)
def test_programs_up_to_numbers(segment: str) -> None:
    path = require_corpus() / FOLDER / NAME.format(segment)
    package = read_custom_options(compiled_ops(path.read_bytes(), path.name)[0].custom_options)
    theirs = {
        executable.type: executable for executable in read_package(package.package).executables
    }
    caching = theirs.pop(ExecutableType.PARAMETER_CACHING)
    (execution,) = theirs.values()
    graph = read_model_bytes(SEGMENTS[segment]().build(), segment)
    plan = plan_model(graph, CompileOptions(RELEASE_15, 13)).plan
    assert plan is not None
    for program, vendor in (
        (execution_program(plan), execution),
        (caching_program(plan), caching),
    ):
        ours = disassemble(assemble(program))
        wanted = disassemble([chunk.bitstream for chunk in vendor.chunks])
        assert list(map(without_numbers, ours.instructions)) == list(
            map(without_numbers, wanted.instructions)
        )
