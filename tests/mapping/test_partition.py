"""The partition rule against a plain reading of it, and the options of `partition`."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.errors import InternalError, InvalidModelError, OptionError
from compiler.frontend.graph import Graph
from compiler.mapping.partition import Options, partition, refusal
from compiler.mapping.reasons import Status
from compiler.mapping.subsets import Subset, split
from tests.mapping.graph_factory import FLOAT32, INT8, PROBABILITY, GraphFactory

VENDOR = Options(ignore_lowering_support=True)


def _diamond() -> Graph:
    """0 RELU -> 1 LEAKY_RELU (CPU) -> 3 ADD; 0 -> 2 RELU -> 3 ADD -> 4 RELU."""
    factory = GraphFactory()
    image = factory.activation(1, 8, 8, 4)
    trunk = factory.unary("RELU", image)
    left = factory.unary("LEAKY_RELU", trunk)
    right = factory.unary("RELU", trunk)
    joined = factory.activation(1, 8, 8, 4)
    factory.op("ADD", [left, right], [joined])
    return factory.graph([image], [factory.unary("RELU", joined)])


def test_first_subset_absorbs_all_that_is_ready() -> None:
    result = partition(_diamond(), 14, options=VENDOR)
    result.verify()
    assert result.mapped == (0, 2)
    assert result.inputs == (0,)
    assert result.outputs == (1, 3)
    assert [result.status(op) for op in range(5)] == [
        Status.MAPPED,
        Status.NOT_SUPPORTED,
        Status.MAPPED,
        Status.MORE_THAN_ONE_SUBGRAPH,
        Status.MORE_THAN_ONE_SUBGRAPH,
    ]


def test_all_subsets() -> None:
    result = partition(_diamond(), 14, options=replace(VENDOR, all_subsets=True))
    result.verify()
    assert [subset.operators for subset in result.kept] == [(0, 2), (3, 4)]
    assert set(result.reasons) == {1}
    assert result.kept[1].inputs(result.graph) == (2, 3)


def test_intermediate_tensors_cut_what_follows() -> None:
    options = replace(VENDOR, intermediate_tensors=("t3",), all_subsets=True)
    result = partition(_diamond(), 14, options=options)
    result.verify()
    assert result.mapped == (0, 2)
    assert {op: r.constraint for op, r in result.reasons.items()} == {
        1: "known_operator",
        3: "intermediate_tensors",
        4: "intermediate_tensors",
    }
    assert result.status(3) is Status.MORE_THAN_ONE_SUBGRAPH


def test_intermediate_tensor_that_does_not_exist() -> None:
    with pytest.raises(OptionError, match="no such tensor"):
        partition(_diamond(), 14, options=Options(intermediate_tensors=("nope",)))


def test_a_later_stage_may_refuse() -> None:
    reason = refusal(2, "It does not fit.", actual=3, allowed=2)
    result = partition(_diamond(), 14, options=VENDOR, refused={2: reason})
    result.verify()
    assert result.mapped == (0,)
    assert result.reasons[2] is reason
    assert str(reason) == "It does not fit (found 3, allowed 2)."


def test_text() -> None:
    text = partition(_diamond(), 14, options=VENDOR).text()
    assert text.splitlines()[:8] == [
        'partition "main" runtime 14',
        "  edge_tpu #0 #2",
        "    inputs %0",
        "    outputs %1 %3",
        "  cpu #1",
        "  cpu #3 #4",
        "  #0 RELU: Mapped to Edge TPU",
        "  #1 LEAKY_RELU: Operation not supported [known_operator] The Edge TPU does not have this"
        " operator (found LEAKY_RELU). It runs on the CPU.",
    ]


def test_float_start_and_end_stay_on_the_cpu() -> None:
    factory = GraphFactory()
    image = factory.activation(1, 8, 8, 4, type=FLOAT32, quantization=None)
    quantised = factory.activation(1, 8, 8, 4)
    factory.op("QUANTIZE", [image], [quantised])
    features = factory.conv(quantised, 8)
    result = factory.activation(1, 8, 8, 8, type=FLOAT32, quantization=None)
    factory.op("DEQUANTIZE", [features], [result])
    found = partition(factory.graph([image], [result]), 14)
    found.verify()
    assert (found.mapped, found.inputs, found.outputs) == ((1,), (quantised,), (features,))
    assert found.status(0) is Status.UNSPECIFIED
    assert found.status(2) is Status.UNSUPPORTED_DATA_TYPE


def test_state_is_an_input() -> None:
    factory = GraphFactory()
    state, image = factory.activation(1, 8, is_variable=True), factory.activation(1, 8)
    result = factory.activation(1, 8)
    factory.op("ADD", [image, state], [result])
    assert partition(factory.graph([image], [result]), 14, options=VENDOR).inputs == (state, image)


def test_a_result_nobody_reads_is_no_output() -> None:
    factory = GraphFactory()
    image = factory.activation(1, 8)
    factory.unary("RELU", image)
    result = factory.unary("RELU", image)
    assert partition(factory.graph([image], [result]), 14, options=VENDOR).outputs == (result,)


def test_operators_in_wrong_order() -> None:
    factory = GraphFactory()
    first, second, third = (factory.activation(1, 8) for _ in range(3))
    factory.op("RELU", [second], [third])
    factory.op("RELU", [first], [second])
    with pytest.raises(InvalidModelError, match="execution order"):
        partition(factory.graph([first], [third]), 14)


def test_verify_finds_a_wrong_partition() -> None:
    good = partition(_diamond(), 14, options=VENDOR)
    for wrong in (
        replace(good, subsets=good.subsets[:1]),
        replace(good, reasons={}),
        replace(good, subsets=good.subsets[::-1]),
    ):
        with pytest.raises(InternalError):
            wrong.verify()


def _reference(graph: Graph, supported: list[bool]) -> list[tuple[bool, list[int]]]:
    """TensorFlow Lite's loop, written as it is told: pass after pass over what is left."""
    written = {t for op in graph.operators for t in op.outputs}
    done: set[int] = set()
    left = list(graph.operators)
    subsets: list[tuple[bool, list[int]]] = []
    while left:
        kind: bool | None = None
        taken: list[int] = []
        progress = True
        while progress:
            progress = False
            for op in list(left):
                if any(t in written and t not in done for t in op.inputs):
                    continue
                kind = supported[op.index] if kind is None else kind
                if supported[op.index] == kind:
                    taken.append(op.index)
                    done.update(op.outputs)
                    left.remove(op)
                    progress = True
        assert kind is not None
        subsets.append((kind, taken))
    return subsets


@st.composite
def _random_graphs(draw: st.DrawFn) -> tuple[Graph, list[bool]]:
    factory = GraphFactory()
    tensors = [factory.activation(1, 8)]
    supported: list[bool] = []
    for _ in range(draw(st.integers(1, 14))):
        inputs = draw(st.lists(st.sampled_from(tensors), min_size=1, max_size=3))
        tensors.append(factory.activation(1, 8))
        factory.op("ADD", inputs, [tensors[-1]])
        supported.append(draw(st.booleans()))
    return factory.graph(tensors[:1], tensors[-1:]), supported


@settings(derandomize=True, deadline=None, max_examples=300)
@given(_random_graphs())
def test_split_is_tensorflow_lites_rule(case: tuple[Graph, list[bool]]) -> None:
    graph, supported = case
    assert split(graph, supported) == tuple(
        Subset(kind, tuple(taken)) for kind, taken in _reference(graph, supported)
    )


@st.composite
def _random_networks(draw: st.DrawFn) -> Graph:
    """Networks of convolutions, clamps, renames and branches."""
    factory = GraphFactory()
    maps = [factory.activation(1, 8, 8, 4)]
    for _ in range(draw(st.integers(1, 10))):
        source = draw(st.sampled_from(maps))
        kind = draw(st.sampled_from(["conv", "conv", "QUANTIZE", "RELU", "LEAKY_RELU", "ADD"]))
        if kind == "conv":
            maps.append(factory.conv(source, 4))
        elif kind == "ADD":
            maps.append(factory.activation(1, 8, 8, 4))
            factory.op("ADD", [source, draw(st.sampled_from(maps[:-1]))], [maps[-1]])
        else:
            maps.append(factory.unary(kind, source))
    outputs = draw(st.sets(st.sampled_from(maps[1:]), min_size=1))
    return factory.graph(maps[:1], sorted(outputs))


@settings(derandomize=True, deadline=None, max_examples=300)
@given(_random_networks(), st.booleans())
def test_what_is_mapped_computes_something(graph: Graph, all_subsets: bool) -> None:
    result = partition(graph, 14, options=Options(all_subsets=all_subsets))
    result.verify()
    for subset in result.kept:
        assert any(graph.operators[op].name != "QUANTIZE" for op in subset.operators)
        assert all(graph.operators[op].name != "LEAKY_RELU" for op in subset.operators)


_SIZES = st.lists(st.integers(-1, 5), max_size=5).map(tuple)


@settings(derandomize=True, deadline=None, max_examples=400)
@given(st.data())
def test_hostile_operators_are_answered(data: st.DataObject) -> None:
    """Any shapes, constants and option values: a partition, never another exception."""
    from compiler.mapping.constraints import OPERATORS

    factory = GraphFactory()
    name = data.draw(st.sampled_from(sorted(OPERATORS)))
    inputs = []
    for _ in range(data.draw(st.integers(1, 4))):
        if data.draw(st.booleans()):
            inputs.append(factory.activation(*data.draw(_SIZES)))
        else:
            inputs.append(factory.constant(data.draw(st.lists(st.integers(-9, 9), max_size=8))))
    inputs.append(factory.weights(*(max(0, size) for size in data.draw(_SIZES))))
    output = factory.activation(*data.draw(_SIZES), type=INT8, quantization=PROBABILITY)
    keys = ["padding", "stride_h", "stride_w", "filter_height", "filter_width", "axis"]
    options = data.draw(st.dictionaries(st.sampled_from(keys), st.integers(-3, 5)))
    order = data.draw(st.permutations(inputs))
    factory.op(name, order, [output], **options)
    for setting in (Options(), VENDOR):
        partition(factory.graph([], [output]), 14, options=setting).verify()
