"""With the code generator's limits off, the mapping is the vendor's, operator by operator."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from compiler.frontend.graph import Graph
from compiler.frontend.tflite_reader import read_model
from compiler.mapping.partition import Options, partition
from tests.corpus_paths import CORPUS, Pair, pairs, require_corpus

VENDOR = Options(ignore_lowering_support=True)
CUSTOM = "edgetpu-custom-op"
WITH_SOURCE = [pair for pair in pairs() if pair.source is not None]
JOINED_LATER = "PosenetDecoderOp"
"""An operator that another tool joined to the compiled models; that changed tensor indices."""
NEWER_IN_THE_TABLE = {"keras_lstm_mnist_ptq_edgetpu"}
"""Packages for runtime 12 with an operator that the vendor's table has from runtime 14."""


def _vendor_mapping(source: Graph, compiled: Graph) -> set[int]:
    """Operators of the source whose results no CPU operator of the compiled model writes."""
    on_cpu = {
        compiled.tensors[t].name
        for op in compiled.operators
        if op.custom_code != CUSTOM
        for t in op.outputs
    }
    return {
        op.index
        for op in source.operators
        if not all(source.tensors[t].name in on_cpu for t in op.outputs)
    }


def _custom_operator(compiled: Graph) -> tuple[list[str], list[str]]:
    op = next(op for op in compiled.operators if op.custom_code == CUSTOM)
    inputs = [compiled.tensors[t].name for t in op.inputs]
    return inputs, [compiled.tensors[t].name for t in op.outputs]


def test_the_corpus_is_there() -> None:
    require_corpus()
    assert len(WITH_SOURCE) >= 51


@pytest.mark.parametrize("pair", WITH_SOURCE, ids=str)
def test_mapping_is_the_vendors(pair: Pair) -> None:
    assert pair.source is not None
    source, compiled = read_model(pair.source), read_model(pair.compiled, compiled=True)
    result = partition(source, 14, options=VENDOR)
    result.verify()
    assert set(result.mapped) == _vendor_mapping(source, compiled)
    inputs, outputs = _custom_operator(compiled)
    assert [source.tensors[t].name for t in result.inputs] == inputs
    found = [source.tensors[t].name for t in result.outputs]
    if any(op.custom_code == JOINED_LATER for op in source.operators):
        found, outputs = sorted(found), sorted(outputs)
    assert found == outputs


def _recorded() -> list[dict[str, object]]:
    """The per-operator mapping recorded beside the corpus, [] where absent."""
    path = (CORPUS or Path()).parent / "spec" / "data" / "mapping.json"
    rows = json.loads(path.read_text()) if CORPUS is not None and path.is_file() else []
    known = {str(pair.compiled.relative_to(CORPUS)): pair for pair in WITH_SOURCE if CORPUS}
    return [row | {"pair": known[row["compiled"]]} for row in rows if row["compiled"] in known]


def test_mapping_for_the_packages_runtime() -> None:
    """With the runtime each package asks for, too; the table names the exceptions."""
    require_corpus()
    rows = [row for row in _recorded() if row.get("source_ops")]
    if not rows:
        pytest.skip("no recorded mapping beside the corpus")
    different = set()
    for row in rows:
        pair, operators, runtimes = row["pair"], row["source_ops"], row["min_runtime_version"]
        assert isinstance(pair, Pair) and isinstance(operators, list) and isinstance(runtimes, list)
        assert pair.source is not None
        wanted = {op["i"] for op in operators if op["on"] == "EdgeTPU"}
        if set(partition(read_model(pair.source), runtimes[0], options=VENDOR).mapped) != wanted:
            different.add(pair.name)
    assert different == NEWER_IN_THE_TABLE


FULLY_LOWERED = (
    "dense_256",
    "dense_1024",
    "conv2d_12x128x128_to_128_k3_s1_same_quant",
    "gabor_64x64_7k_4o_2s",
    "gabor_64x64_p4",
    "mobilenet_v1_0.25_128_quant",
    "mobilenet_v1_1.0_224_quant_embedding_extractor",
)


@pytest.mark.parametrize("name", FULLY_LOWERED)
def test_whole_models_that_can_be_lowered(name: str) -> None:
    require_corpus()
    pair = next(pair for pair in WITH_SOURCE if pair.name == f"{name}_edgetpu")
    assert pair.source is not None
    assert partition(read_model(pair.source), 14).reasons == {}


def test_yamnet_is_lowered_but_for_its_float_ends() -> None:
    require_corpus()
    pair = next(pair for pair in WITH_SOURCE if pair.name == "yamnet_spectra_in_edgetpu")
    assert pair.source is not None
    graph = read_model(pair.source)
    left = [graph.operators[op].name for op in sorted(partition(graph, 14).reasons)]
    assert left == ["QUANTIZE", "DEQUANTIZE"]
