"""L2_NORMALIZATION and RSQRT on the emulator, exactly as the reference has them, which is at most
a step from TensorFlow Lite's kernels."""

from __future__ import annotations

import math

import numpy as np
import pytest

from compiler.driver import plan_model
from compiler.frontend.tflite_reader import read_model_bytes
from compiler.options import CompileOptions
from compiler.planning.inverse_root import RootStep
from compiler.planning.normalization import NormalizationStep
from tests.emulator.reference import Reference, counted
from tests.model_builder import ModelBuilder

from .test_movement_emulation import check, steps_of

KINDS = ["int8", "uint8"]
SIZES = [(1, 1, 128), (1, 1, 70), (7, 9, 8), (3, 1, 2), (5, 6, 30)]


def lowest(kind: str) -> int:
    return -128 if kind == "int8" else 0


def features(kind: str, size: tuple[int, int, int]) -> ModelBuilder:
    return ModelBuilder(kind, seed=3).input("x", (1, *size[:2], 4)).conv2d(size[2], 1)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", KINDS)
def test_normalized_maps(kind: str, size: tuple[int, int, int]) -> None:
    assert steps_of(check(features(kind, size).l2_normalization()), NormalizationStep)
    builder = features(kind, size)
    source = builder.last
    builder.l2_normalization().conv2d(8, 3)
    check(builder.output(source, builder.last), concurrent=kind == "int8")


@pytest.mark.parametrize("channels", [2, 126, 1280, 2050, 4096])
def test_normalized_vectors(channels: int) -> None:
    layer = ModelBuilder("int8", seed=3).input("x", (1, 64)).fully_connected(channels)
    check(layer.l2_normalization(), concurrent=channels == 126)
    check(ModelBuilder("uint8", seed=3).input("x", (1, channels)).l2_normalization())


def test_large_maps_are_normalized_in_bands() -> None:
    builder = ModelBuilder("int8", seed=3).input("x", (1, 20, 20, 4)).conv2d(512, 1)
    assert len(steps_of(check(builder.l2_normalization()), NormalizationStep)) > 1
    builder = ModelBuilder("int8", seed=3).input("x", (1, 20, 20, 4)).conv2d(700, 1).relu()
    assert len(steps_of(check(builder.rsqrt(output=(0.02, -128))), RootStep)) > 1


def test_normalized_parts_of_a_joint_map() -> None:
    builder = features("int8", (5, 6, 8))
    source = builder.last
    parts = [builder.l2_normalization(source=source).last for _ in range(2)]
    check(builder.concatenation(*parts).conv2d(8, 3))


def extremes(kind: str, zero: int, channels: int) -> np.ndarray:
    """Pixels with one value, equal values, the smallest and largest ones, and random ones."""
    random = np.random.default_rng(5)
    rows = [np.full(channels, size) for size in (0, 1, -1, 255, -255, 7)]
    rows += [row * size for size in (1, -3, 255) for row in np.eye(channels, dtype=int)[-2:]]
    rows += [random.integers(-size, size + 1, channels) for size in (1, 2, 9, 60, 255)]
    rows += [np.where(np.arange(channels) < channels // 3, size, 1) for size in (2, 50, 255)]
    low, dtype = lowest(kind), np.int8 if kind == "int8" else np.uint8
    return (np.stack(rows) + zero).clip(low, low + 255).astype(dtype)


@pytest.mark.parametrize("channels", [2, 128, 2048, 8192])
@pytest.mark.parametrize("kind", KINDS)
def test_extreme_norms(kind: str, channels: int) -> None:
    for zero in (0, 77, 255) if channels < 8192 else (100,):
        values = extremes(kind, lowest(kind) + zero, channels)
        shape = (1, len(values), 1, channels)
        builder = ModelBuilder(kind, seed=3).input("x", shape, zero_point=lowest(kind) + zero)
        builder.l2_normalization()
        inputs = {"x": values.reshape(shape)}
        if channels <= 128 or (channels == 2048 and zero == 77):
            check(builder, inputs=inputs)
        assert distance(builder, inputs) <= 1


def distance(builder: ModelBuilder, inputs: dict[str, np.ndarray]) -> int:
    """The largest distance of the reference's outputs from TensorFlow Lite's."""
    pytest.importorskip("ai_edge_litert.interpreter")
    from tests.tensorflow_lite import outputs

    data = builder.build()
    graph = read_model_bytes(data, "test")
    names = {tensor.name: tensor.index for tensor in graph.tensors}
    values = Reference(graph, {names[n]: counted(array) for n, array in inputs.items()}).run()
    pairs = [(values[names[n]], counted(array)) for n, array in outputs(data, inputs).items()]
    return max(int(np.abs(a.astype(int) - b.astype(int)).max()) for a, b in pairs)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", KINDS)
def test_inverse_roots(kind: str, size: tuple[int, int, int]) -> None:
    low = lowest(kind)
    for output in ((0.02, low), (0.05, low + 200), (0.0001, low + 9)):
        assert steps_of(check(features(kind, size).relu().rsqrt(output=output)), RootStep)
    builder = features(kind, size).relu().rsqrt(output=(0.03, low)).conv2d(8, 3)
    check(builder, concurrent=kind == "int8")


@pytest.mark.parametrize("largest", [20, 60, 255, 6000])
@pytest.mark.parametrize("unit", [0.0003, 3.0])
def test_all_arguments_of_inverse_roots(unit: float, largest: int) -> None:
    for zero in (-128, 5):
        values = np.arange(zero, 128).astype(np.int8).reshape(1, -1)
        builder = ModelBuilder("int8", seed=3).input("x", values.shape, "", unit, zero)
        builder.rsqrt(output=(1 / (math.sqrt(unit) * largest), zero))
        check(builder, inputs={"x": values})
        assert distance(builder, {"x": values}) <= 1


@pytest.mark.parametrize(
    ("builder", "reason"),
    [
        (features("int8", (4, 4, 7)).l2_normalization(), "even number of channels"),
        (features("int8", (4, 4, 8)).rsqrt(output=(0.5, -128)), "beyond the result's range"),
    ],
)
def test_what_stays_on_the_cpu(builder: ModelBuilder, reason: str) -> None:
    model = plan_model(read_model_bytes(builder.build(), "test"), CompileOptions())
    (found,) = model.partition.reasons.values()
    assert reason in str(found), found


@pytest.mark.parametrize("size", [(7, 9, 8), (5, 6, 30)])
def test_instance_normalization(size: tuple[int, int, int]) -> None:
    """(x - mean) * rsqrt(variance), a mean and a variance for each channel."""
    builder = features("int8", size)
    source = builder.last
    mean = builder.mean((1, 2), keep_dims=True, source=source).last
    square = builder.squared_difference(source, builder.quantize(source=mean).last).last
    variance = builder.mean((1, 2), keep_dims=True, source=square).last
    root = 1 / math.sqrt(variance.output[0])
    factor = builder.rsqrt(output=(root / 100, -128), source=variance).last
    check(builder.mul(builder.sub(source, mean).last, factor).conv2d(8, 3))
