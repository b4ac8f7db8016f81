"""Vector parts of every size class run on the emulator to TensorFlow Lite's results."""

from __future__ import annotations

import numpy as np
import pytest

from compiler.beagle.assembler import assemble
from compiler.beagle.build import border_layers, build_executable
from compiler.emulator.device import Device
from compiler.frontend.tflite_reader import read_model_bytes
from compiler.lowering.caching_program import cached_parameters, lower_caching_program
from compiler.lowering.lower import lower
from compiler.planning.planner import plan_region
from compiler.planning.pooling import RelayoutStep
from compiler.planning.softmax import SoftmaxStep
from compiler.release import RELEASE_16
from tests.model_builder import ModelBuilder

TOKEN = 0x1234


def chip_and_reference(builder: ModelBuilder):
    """(output of our program on the emulator, output of the reference kernels), flat."""
    interpreter = pytest.importorskip("ai_edge_litert.interpreter", reason="no reference kernels")
    data = builder.build()
    graph = read_model_bytes(data, "test")
    plan = plan_region(graph)
    program = lower(plan)
    loader = lower_caching_program(plan.segments, plan.placement, RELEASE_16)
    parameters = cached_parameters(plan.segments, plan.placement)
    border = border_layers(graph, graph.inputs, graph.outputs)
    executables = (
        build_executable(program, assemble(program), b"", token=TOKEN, border=border),
        build_executable(loader, assemble(loader), parameters, token=TOKEN),
    )
    reference = interpreter.Interpreter(
        model_content=data,
        experimental_op_resolver_type=interpreter.OpResolverType.BUILTIN_REF,
    )
    reference.allocate_tensors()
    (details,) = reference.get_input_details()
    kind = np.iinfo(details["dtype"])
    random = np.random.default_rng(7)
    values = random.integers(kind.min, kind.max + 1, details["shape"]).astype(details["dtype"])
    reference.set_tensor(details["index"], values)
    reference.invoke()
    expected = reference.get_tensor(reference.get_output_details()[0]["index"])
    (output,) = Device().run(executables, {details["name"]: values}).outputs.values()
    return plan, output.reshape(-1).astype(int), expected.reshape(-1).astype(int)


def check(builder: ModelBuilder, *, ties: int = 0):
    """Equal, or within `ties` of one (pools round halves to even, the reference away)."""
    plan, output, expected = chip_and_reference(builder)
    assert output.shape == expected.shape
    assert np.abs(output - expected).max(initial=0) <= ties
    assert (output != expected).mean() < 0.2
    assert len(set(expected.tolist())) > 1
    return plan


def vector(size: int = 64, **more) -> ModelBuilder:
    return ModelBuilder(seed=3, **more).input("x", (1, size))


def picture(size: int, channels: int) -> ModelBuilder:
    builder = ModelBuilder("uint8", seed=3).input("x", (1, size, size, 4))
    return builder.conv2d(channels, 1, activation="relu6")


@pytest.mark.parametrize("inputs", [8, 72, 200, 320, 1000])
def test_inputs_of_any_multiple_of_eight(inputs):
    check(vector(inputs).fully_connected(40))


@pytest.mark.parametrize("kind", ["int8", "uint8"])
@pytest.mark.parametrize("activation", ["none", "relu", "relu6"])
def test_layers_behind_one_another(kind, activation):
    builder = vector(256, type=kind).fully_connected(130, activation=activation)
    check(builder.fully_connected(70, bias=False).fully_connected(3))


@pytest.mark.parametrize(
    "elements", [2, 3, 4, 5, 12, 61, 64, 65, 66, 67, 68, 102, 129, 500, 513, 961, 1000, 1001]
)
def test_softmax(elements):
    check(vector().fully_connected(elements).softmax(beta=3.0))


def test_softmax_with_parameters_above_other_layers():
    """The tables lie at different lines on the tiles that hold the first layer."""
    plan = check(vector(64).fully_connected(128).fully_connected(301).softmax(beta=3.0))
    (step,) = (step for step in plan.steps if isinstance(step, SoftmaxStep))
    assert len({piece.address for piece in plan.placement[step.segments[0]]}) > 1


@pytest.mark.parametrize("units", [4, 7, 90])
def test_logistic(units):
    check(vector().fully_connected(units).logistic())


@pytest.mark.parametrize(
    ("size", "channels"), [(4, 64), (8, 30), (8, 160), (12, 24), (20, 72), (4, 576)]
)
def test_global_pools(size, channels):
    plan = check(picture(size, channels).average_pool_2d(size), ties=1)
    assert any(isinstance(step, RelayoutStep) for step in plan.steps)


@pytest.mark.parametrize(("size", "channels", "kernel"), [(12, 4, 3), (24, 128, 3), (16, 64, 4)])
def test_local_pools(size, channels, kernel):
    check(picture(size, channels).average_pool_2d(kernel), ties=1)


def test_a_local_pool_writes_into_a_haloed_map():
    check(picture(12, 16).average_pool_2d(3).conv2d(8, 3))


def test_a_classifier():
    pooled = picture(5, 64).average_pool_2d(5)
    check(pooled.conv2d(48, 1, activation="relu").conv2d(10, 1).softmax(beta=2.0))


def test_logistic_behind_a_pool():
    check(picture(5, 64).average_pool_2d(5).reshape((1, 64)).fully_connected(9).logistic())
