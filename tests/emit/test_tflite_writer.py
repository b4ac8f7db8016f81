"""The outer model: the vendor's bytes from the source graph, and what else it must write."""

from __future__ import annotations

from dataclasses import replace

import pytest

from compiler.beagle.reader import compiled_ops
from compiler.emit.outer_model import CustomOp, OuterModel, outer_model
from compiler.emit.tflite_writer import write_model
from compiler.errors import InternalError, InvalidModelError
from compiler.frontend.graph import Graph, Operator
from compiler.frontend.option_tables import option_table, option_table_names
from compiler.frontend.tflite_reader import read_model, read_model_bytes
from compiler.frontend.validate import validate
from compiler.mapping.subsets import Subset, split
from tests.model_builder import ModelBuilder
from tests.vendor_models import VendorOperator, corpus_parameters, vendor_operators

METADATA = b"TFLITE_METADATA"


def kept_subsets(vendor: VendorOperator) -> list[Subset]:
    """The subset the vendor mapped: what its file does not run on the CPU."""
    compiled = read_model_bytes(vendor.compiled, "compiled", compiled=True)
    on_cpu = {
        compiled.tensors[t].name
        for op in compiled.operators
        if op.custom_code != "edgetpu-custom-op"
        for t in op.outputs
    }
    names = [{vendor.graph.tensors[t].name for t in op.outputs} for op in vendor.graph.operators]
    subsets = split(vendor.graph, [not outputs & on_cpu for outputs in names])
    return [subset for subset in subsets if subset.on_edge_tpu]


def comparable(data: bytes) -> tuple[str, list[bytes], list[tuple[int, ...]]]:
    graph = read_model_bytes(data, "model", compiled=True)
    constants = [t.data.tobytes() for t in graph.tensors if t.data is not None]
    ops = compiled_ops(data)
    return graph.text(), constants + [op.custom_options for op in ops], [op.inputs for op in ops]


@pytest.mark.parametrize("vendor", corpus_parameters(vendor_operators(with_source=True)))
def test_vendor_files_from_their_sources(vendor: VendorOperator) -> None:
    """The final file, byte for byte; files whose metadata was put back in later are compared
    by content."""
    written = write_model(outer_model(vendor.graph, kept_subsets(vendor), [vendor.blob]))
    if METADATA in vendor.compiled:
        assert comparable(written) == comparable(vendor.compiled)
    else:
        assert written == vendor.compiled


@pytest.fixture
def chain() -> Graph:
    model = ModelBuilder(seed=3).input("x", (1, 8, 8, 4))
    model.conv2d(8, 3).relu().conv2d(8, 3).average_pool_2d(2).softmax()
    return read_model_bytes(model.build(), "chain")


def test_nothing_mapped_keeps_the_model(chain: Graph) -> None:
    again = read_model_bytes(write_model(outer_model(chain, (), ())), "again")
    assert again.text().count("\n") == chain.text().count("\n")
    for before, after in zip(chain.operators, again.operators, strict=True):
        assert (before.name, before.options) == (after.name, after.options)
        assert after.version == 1
    for before, after in zip(chain.tensors, again.tensors, strict=True):
        assert (before.name, before.shape, before.type) == (after.name, after.shape, after.type)
        assert before.quantization == after.quantization
        assert before.data is None or (before.data == after.data).all()


def test_several_edge_tpu_operators(chain: Graph) -> None:
    subsets = [Subset(True, (0, 1)), Subset(True, (3,))]
    assert [s.operators for s in split(chain, [True, True, False, True, False])] == [
        (0, 1),
        (2,),
        (3,),
        (4,),
    ]
    data = write_model(outer_model(chain, subsets, [b"first", b"second"]))
    ops = compiled_ops(data)
    assert [(op.operator, op.custom_options) for op in ops] == [(0, b"first"), (2, b"second")]
    again = read_model_bytes(data, "again", compiled=True)
    assert [op.name for op in again.operators] == ["CUSTOM", "CONV_2D", "CUSTOM", "SOFTMAX"]
    assert data.index(b"first") % 32 == 0 and data.index(b"second") % 32 == 0


def test_segments_have_borders_of_their_own(chain: Graph) -> None:
    last, first = chain.operators[3], chain.operators[2]
    activation = first.inputs[0]
    op = CustomOp(b"segment", (activation,), last.outputs)
    model = OuterModel(chain, (op, 4), (activation,), chain.outputs)
    model.verify()
    again = read_model_bytes(write_model(model), "again", compiled=True)
    assert [again.tensors[t].name for t in again.inputs] == [chain.tensors[activation].name]
    assert len(again.tensors) == 3
    with pytest.raises(InternalError, match="before it is written"):
        OuterModel(chain, (op,), chain.inputs, last.outputs).verify()


def test_every_options_table_is_written_as_it_is_read(chain: Graph) -> None:
    """Each table of the schema with no field at its default; BuiltinOptions and Options2."""
    for name in option_table_names():
        table = option_table(name)
        values = {field.name: _other_value(field) for field in table.fields}
        operator = Operator(0, "CUSTOM", 1, (0,), (1,), name, values)
        data = write_model(_single(chain, operator))
        assert _options_of(data, table.union, table.number) == values, name


def _other_value(field: object) -> object:
    if field.type == "string":
        return "text"
    if field.is_vector:
        return tuple(_element(field.type[:-2], i) for i in range(3))
    if field.type == "bool":
        return not field.default
    return field.default + 1


def _element(kind: str, index: int) -> object:
    return {"bool": index % 2 == 0, "float32": index + 0.5}.get(kind, index + 1)


def _single(graph: Graph, operator: Operator) -> OuterModel:
    """A model of one operator that keeps its options under a name with no rules of its own."""
    one = Graph("one", "main", graph.tensors[:2], (operator,), (0,), (1,))
    return OuterModel(one, (0,), (0,), (1,))


def _options_of(data: bytes, union: int, number: int) -> dict[str, object]:
    from compiler.flatbuffer.view import root_view
    from compiler.frontend import tflite_schema as schema
    from compiler.frontend.option_tables import option_table_of
    from compiler.frontend.tflite_reader import _option_values

    subgraph = root_view(data, schema.MODEL, "m").tables("subgraphs", schema.SUBGRAPH)[0]
    operator = subgraph.tables("operators", schema.OPERATOR)[0]
    field = "builtin_options" if union == 1 else "builtin_options_2"
    assert operator.integer(f"{field}_type") == number
    stored = operator.table(field, schema.BUFFER)
    return _option_values(stored._table, option_table_of(union, number))


def test_source_models_pass_through(chain: Graph) -> None:
    """All corpus sources, nothing mapped: the writer loses no operator and no constant."""
    for vendor in vendor_operators(with_source=True)[::5]:
        data = write_model(outer_model(vendor.graph, (), ()))
        again = read_model_bytes(data, "again")
        source = read_model(vendor.pair.source)
        assert [op.name for op in again.operators] == [op.name for op in source.operators]
        assert [op.options for op in again.operators] == [op.options for op in source.operators]


def test_intermediates_stay_with_their_operator(chain: Graph) -> None:
    """TensorFlow Lite refuses a quantised LSTM on the CPU without them."""
    first = replace(chain.operators[0], intermediates=(chain.operators[-1].outputs[0],))
    graph = replace(chain, operators=(first,))
    outer = OuterModel(graph, (0,), first.inputs[:1], first.outputs)
    written = read_model_bytes(write_model(outer), "written")
    (op,) = written.operators
    assert [written.tensors[i].name for i in op.intermediates] == [
        graph.tensors[i].name for i in first.intermediates
    ]
    assert first.intermediates[0] in outer.tensors()


def test_intermediates_that_do_not_exist(chain: Graph) -> None:
    first = replace(chain.operators[0], intermediates=(len(chain.tensors),))
    with pytest.raises(InvalidModelError, match="list of intermediates"):
        validate(replace(chain, operators=(first,)))
