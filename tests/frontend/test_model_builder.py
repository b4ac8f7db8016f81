"""The model builder's models load and run in the reference interpreter, and use their range."""

import numpy as np
import pytest

from compiler.frontend.tflite_reader import read_model_bytes
from tests.model_builder import ModelBuilder


def _run(model: bytes) -> list[np.ndarray]:
    runtime = pytest.importorskip("ai_edge_litert.interpreter")
    interpreter = runtime.Interpreter(model_content=model, num_threads=1)
    interpreter.allocate_tensors()
    random = np.random.default_rng(7)
    for detail in interpreter.get_input_details():
        kind = detail["dtype"]
        if kind == np.float32:
            value = random.normal(0, 1, detail["shape"]).astype(kind)
        else:
            bounds = np.iinfo(kind)
            value = random.integers(bounds.min, bounds.max + 1, detail["shape"], dtype=kind)
        interpreter.set_tensor(detail["index"], value)
    interpreter.invoke()
    shapes = {d["index"]: tuple(d["shape"]) for d in interpreter.get_tensor_details()}
    for tensor in read_model_bytes(model, "model").tensors:
        assert shapes[tensor.index] == tensor.shape, tensor.name
    return [interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()]


def _check_range(values: np.ndarray) -> None:
    bounds = np.iinfo(values.dtype)
    saturated = np.mean((values == bounds.min) | (values == bounds.max))
    assert values.std() > 10, "the values hardly move"
    assert saturated < 0.1, "the values saturate"


def _network(kind: str) -> ModelBuilder:
    builder = ModelBuilder(kind, seed=3).input("x", (1, 16, 16, 3))
    builder.conv2d(16, 3, stride=2).depthwise_conv2d(3).conv2d(32, 1)
    trunk = builder.last
    left = builder.conv2d(32, 3, dilation=2).last
    return builder.add(trunk, left).average_pool_2d(2).fully_connected(20)


@pytest.mark.parametrize("kind", ["int8", "uint8"])
def test_network_runs_and_uses_its_range(kind):
    builder = _network(kind)
    (values,) = _run(builder.build())
    assert values.shape == (1, 20)
    _check_range(values)


def _input(kind: str = "int8") -> ModelBuilder:
    return ModelBuilder(kind, seed=5).input("x", (1, 8, 8, 8))


LAYERS = {
    "conv2d": lambda b: b.conv2d(16, 3, padding="valid", stride=(1, 2)),
    "conv2d_relu6": lambda b: b.conv2d(16, (3, 1), activation="relu6"),
    "conv2d_no_bias": lambda b: b.conv2d(16, 1, bias=False),
    "depthwise": lambda b: b.depthwise_conv2d(3, multiplier=2, stride=2),
    "depthwise_dilated": lambda b: b.depthwise_conv2d(3, dilation=2, padding="valid"),
    "fully_connected": lambda b: b.fully_connected(10),
    "fully_connected_kept": lambda b: b.fully_connected(10, keep_num_dims=True),
    "average_pool": lambda b: b.average_pool_2d(2, padding="same"),
    "max_pool": lambda b: b.max_pool_2d(3, stride=1, padding="same"),
    "reshape": lambda b: b.reshape((1, 64, 8)),
    "pad": lambda b: b.pad([(0, 0), (1, 2), (3, 0), (0, 0)]),
    "transpose": lambda b: b.transpose((0, 2, 1, 3)),
    "strided_slice": lambda b: b.strided_slice((0, 1, 0, 0), (1, 7, 8, 8), (1, 2, 1, 1)),
    "resize_bilinear": lambda b: b.resize_bilinear((16, 16), half_pixel_centers=True),
    "resize_nearest": lambda b: b.resize_nearest_neighbor((16, 12)),
    "mean": lambda b: b.mean((3,), keep_dims=True),
    "add": lambda b: b.add(b.last, b.last),
    "add_channels": lambda b: b.add(b.last, b.average_pool_2d(8).last),
    "sub": lambda b: b.sub(b.last, b.conv2d(8, 1).last),
    "mul": lambda b: b.mul(b.last, b.conv2d(8, 1).last),
    "concatenation": lambda b: b.concatenation(b.last, b.max_pool_2d(1).last),
    "softmax": lambda b: b.softmax(),
    "logistic": lambda b: b.logistic(),
    "tanh": lambda b: b.tanh(),
    "relu": lambda b: b.relu(),
    "relu6": lambda b: b.relu(six=True),
    "quantize": lambda b: b.quantize("uint8" if b.type == "int8" else "int8"),
    "dequantize": lambda b: b.dequantize(),
    "op": lambda b: b.op("ABS", [b.last], b.last.shape, output=b.last.output),
}


@pytest.mark.parametrize("kind", ["int8", "uint8"])
@pytest.mark.parametrize("name", LAYERS)
def test_layer_runs(name, kind):
    if (name, kind) == ("op", "uint8"):
        pytest.skip("TFLite has no uint8 ABS")
    builder = LAYERS[name](_input(kind))
    (values,) = _run(builder.build())
    assert values.shape == builder.last.shape
    if name in ("conv2d", "depthwise", "add", "sub"):
        _check_range(values)


@pytest.mark.parametrize("kind", ["int8", "uint8"])
def test_split_gives_every_part(kind):
    builder = _input(kind)
    parts = builder.split(4, axis=3)
    results = _run(builder.output(*parts).build())
    assert [value.shape for value in results] == [(1, 8, 8, 2)] * 4


def test_float_input_is_quantised():
    builder = ModelBuilder("uint8").input("x", (1, 4, 4, 3), "float32").quantize(output=(0.02, 128))
    (values,) = _run(builder.conv2d(4, 3).build())
    assert values.dtype == np.uint8


def test_same_seed_same_bytes():
    assert _network("int8").build() == _network("int8").build()
    other = ModelBuilder(seed=4).input("x", (1, 4)).fully_connected(3).build()
    assert other != ModelBuilder(seed=5).input("x", (1, 4)).fully_connected(3).build()
