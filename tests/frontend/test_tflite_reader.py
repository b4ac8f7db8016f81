"""Everything the reader says of the corpus models equals what the `tflite` package says."""

import re
import time
from pathlib import Path

import numpy as np
import pytest
import tflite

from compiler.errors import InvalidModelError
from compiler.frontend.graph import Graph, Operator, Tensor, TensorType
from compiler.frontend.option_tables import OptionTable, option_table
from compiler.frontend.tflite_reader import STORED_TYPES, read_model, read_model_bytes
from compiler.frontend.validate import check_quantised
from tests.corpus_paths import CORPUS, require_corpus
from tests.model_builder import ModelBuilder
from tests.tflite_writer import write_model

NOT_A_MODEL = ("invalid_models",)


def _models() -> list[Path]:
    if CORPUS is None:
        return []
    found = sorted(CORPUS.rglob("*.tflite"))
    return [path for path in found if not set(path.parts) & set(NOT_A_MODEL)]


def _names(module: object) -> dict[int, str]:
    return {number: name for name, number in vars(module).items() if isinstance(number, int)}


OPERATORS = _names(tflite.BuiltinOperator)
OPTIONS = _names(tflite.BuiltinOptions)


def _vector(table: object, field: str) -> tuple:
    length = getattr(table, f"{field}Length")()
    return tuple(getattr(table, field)(i) for i in range(length))


def _text(raw: bytes | None) -> str:
    return "" if raw is None else raw.decode()


def _check_tensor(ours: Tensor, theirs: tflite.Tensor, model: tflite.Model) -> None:
    assert ours.name == _text(theirs.Name())
    assert ours.shape == _vector(theirs, "Shape")
    assert ours.shape_signature == _vector(theirs, "ShapeSignature")
    assert ours.type == theirs.Type()
    assert ours.is_variable == theirs.IsVariable()
    details = theirs.Quantization()
    if details is None or not details.ScaleLength():
        assert ours.quantization is None
    else:
        assert ours.quantization is not None
        assert ours.quantization.scales == _vector(details, "Scale")
        assert ours.quantization.zero_points == _vector(details, "ZeroPoint")
        assert ours.quantization.axis == details.QuantizedDimension()
    buffer = model.Buffers(theirs.Buffer())
    if not buffer.DataLength():
        assert ours.data is None or ours.data.size == 0
        return
    assert ours.data is not None
    assert ours.data.tobytes() == buffer.DataAsNumpy().tobytes()
    assert ours.data.shape == ours.shape
    assert ours.data.dtype == np.dtype(STORED_TYPES[ours.type][0])
    assert not ours.data.flags.writeable


def _pascal(name: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def _check_options(ours: Operator, theirs: tflite.Operator) -> None:
    kind: OptionTable = option_table(ours.options_type)
    table = getattr(tflite, ours.options_type)()
    raw = theirs.BuiltinOptions()
    table.Init(raw.Bytes, raw.Pos)
    assert set(ours.options) == {field.name for field in kind.fields}
    for field in kind.fields:
        method = _pascal(field.name)
        if field.is_vector:
            absent = getattr(table, f"{method}IsNone")()
            expected = None if absent else _vector(table, method)
        else:
            expected = getattr(table, method)()
        assert ours.options[field.name] == expected, field.name


def _check_operator(ours: Operator, theirs: tflite.Operator, model: tflite.Model) -> None:
    code = model.OperatorCodes(theirs.OpcodeIndex())
    number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    assert ours.name == OPERATORS[number]
    assert ours.version == code.Version()
    assert ours.custom_code == _text(code.CustomCode())
    assert ours.inputs == _vector(theirs, "Inputs")
    assert ours.outputs == _vector(theirs, "Outputs")
    stored = b"" if theirs.CustomOptionsIsNone() else theirs.CustomOptionsAsNumpy().tobytes()
    assert ours.custom_options == stored
    kind = OPTIONS[theirs.BuiltinOptionsType()]
    assert ours.options_type == ("" if kind == "NONE" else kind)
    if ours.options_type:
        _check_options(ours, theirs)


def _check_graph(graph: Graph, model: tflite.Model) -> None:
    subgraph = model.Subgraphs(0)
    assert graph.name == _text(subgraph.Name())
    assert graph.inputs == _vector(subgraph, "Inputs")
    assert graph.outputs == _vector(subgraph, "Outputs")
    assert len(graph.tensors) == subgraph.TensorsLength()
    assert len(graph.operators) == subgraph.OperatorsLength()
    for index, tensor in enumerate(graph.tensors):
        assert tensor.index == index
        _check_tensor(tensor, subgraph.Tensors(index), model)
    for index, operator in enumerate(graph.operators):
        assert operator.index == index
        _check_operator(operator, subgraph.Operators(index), model)
    graph.verify()


@pytest.mark.parametrize("path", _models() or [None], ids=lambda p: p.name if p else "absent")
def test_corpus_model_equals_the_schema_package(path):
    require_corpus()
    data = path.read_bytes()
    _check_graph(read_model(path, compiled=True), tflite.Model.GetRootAs(data))


def test_built_model_equals_the_schema_package():
    builder = ModelBuilder().input("x", (1, 8, 8, 3)).conv2d(8, 3, activation="relu6")
    data = builder.reshape((1, 512)).softmax(beta=0.5).build()
    graph = read_model_bytes(data, "built")
    _check_graph(graph, tflite.Model.GetRootAs(data))
    assert [operator.name for operator in graph.operators] == ["CONV_2D", "RESHAPE", "SOFTMAX"]
    assert graph.operators[0].options["fused_activation_function"] == 3
    assert graph.operators[0].options["dilation_w_factor"] == 1
    assert graph.operators[1].options["new_shape"] == (1, 512)
    assert graph.operators[2].options["beta"] == 0.5


def test_constants_are_views_of_the_file():
    data = ModelBuilder().input("x", (1, 8)).fully_connected(4).build()
    whole = np.frombuffer(data, np.uint8)
    for tensor in read_model_bytes(data, "built").tensors:
        if tensor.data is not None:
            assert np.shares_memory(tensor.data, whole)


def test_absent_options_are_defaults():
    builder = ModelBuilder().input("x", (1, 8, 8, 3)).reshape((1, 192))
    spec = builder.spec()
    spec.operators[0].options_type = ""
    operator = read_model_bytes(write_model(spec), "built").operators[0]
    assert operator.options_type == ""
    assert operator.options == {"new_shape": None}


def test_dynamic_shapes_are_kept():
    builder = ModelBuilder().input("x", (1, 8)).fully_connected(4)
    spec = builder.spec()
    spec.tensors[0].shape_signature = (-1, 8)
    tensor = read_model_bytes(write_model(spec), "built").tensors[0]
    assert (tensor.shape, tensor.shape_signature, tensor.is_dynamic) == ((1, 8), (-1, 8), True)


def test_custom_operator_keeps_its_options():
    builder = ModelBuilder().input("x", (1, 8))
    builder.op("my_operator", [builder.last], (1, 4), custom_options=b"\1\2\3")
    operator = read_model_bytes(builder.build(), "built").operators[0]
    assert (operator.name, operator.custom_code) == ("CUSTOM", "my_operator")
    assert operator.custom_options == b"\1\2\3"


def test_data_behind_the_flatbuffer():
    builder = ModelBuilder().input("x", (1, 8)).fully_connected(4, bias=False)
    spec = builder.spec()
    weights = spec.buffers[1]
    spec.buffers[1] = (2**20, 32)
    size = len(write_model(spec))
    spec.buffers[1] = (size, 32)
    data = write_model(spec)
    assert len(data) == size
    tensor = read_model_bytes(data + weights, "built").tensors[1]
    assert tensor.data.tobytes() == weights
    with pytest.raises(InvalidModelError, match=re.escape("buffers[1].offset needs 32 bytes")):
        read_model_bytes(data + weights[:-1], "built")


def test_no_elements_is_a_constant():
    builder = ModelBuilder().input("x", (1, 1))
    target = builder.constant(np.zeros(0, np.int32), "scalar_shape")
    builder.op("RESHAPE", [builder.last, target], (), output=builder.last.output)
    tensor = read_model_bytes(builder.build(), "built").tensors[1]
    assert tensor.is_constant
    assert tensor.data.shape == (0,)


def test_check_quantised():
    quantised = read_model_bytes(ModelBuilder().input("x", (1, 8)).fully_connected(4).build(), "m")
    assert check_quantised(quantised).activations == 2
    assert check_quantised(quantised).constants == 1
    builder = ModelBuilder().input("x", (1, 8), "float32")
    builder.op("RELU", [builder.last], (1, 8), type="float32")
    assert not check_quantised(read_model_bytes(builder.build(), "m")).any


def test_a_large_model_is_read_in_milliseconds():
    builder = ModelBuilder().input("x", (1, 14, 14, 32))
    for _ in range(30):
        builder.depthwise_conv2d(3).conv2d(32, 1)
    builder.reshape((1, 14 * 14 * 32)).fully_connected(700)
    data = builder.build()
    assert len(data) > 4_000_000
    best = min(_seconds(data) for _ in range(5))
    assert best < 0.05, "a quiet machine takes under 0.01 s"


def _seconds(data: bytes) -> float:
    start = time.perf_counter()
    read_model_bytes(data, "built")
    return time.perf_counter() - start


def test_enums_are_the_schema_packages():
    for number, name in _names(tflite.TensorType).items():
        assert TensorType(number).name == name
