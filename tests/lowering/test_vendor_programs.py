"""Whole programs against the vendor's, byte for byte."""

from __future__ import annotations

import json

import numpy as np
import pytest

from compiler.beagle.assembler import assemble
from compiler.beagle.executable import ExecutableType
from compiler.beagle.reader import compiled_ops, read_custom_options, read_executable, read_package
from compiler.frontend.graph import Graph, Operator, Quantization, Tensor, TensorType
from compiler.frontend.tflite_reader import read_model
from compiler.lowering.lower import lower
from compiler.planning.planner import Region, plan_region
from compiler.release import RELEASE_15, RELEASE_16
from tests.corpus_paths import CORPUS, pairs, require_corpus

QUANTISED = (TensorType.INT8, TensorType.UINT8)
IDENTICAL = [
    "posenet_mobilenet_v1_075_353_481_16_quant_decoder",
    "gabor_64x64_7k_4o_2s",
    "mobilenet_v1_0.25_128_quant",
    "mobilenet_v1_0.5_160_quant",
    "mobilenet_v1_1.0_224_quant_embedding_extractor",
    "yamnet_spectra_in",
    *(f"conv2d_12x{w}x{c}_to_{c}_k3_s1_same_quant" for w in (128, 176, 192) for c in (32, 64, 128)),
]


def quantised_region(graph: Graph) -> Region:
    """The operators between 8-bit tensors, and the tensors that cross their border."""

    def on_chip(index: int) -> bool:
        return index < 0 or graph.tensor(index).is_constant or graph.tensor(index).type in QUANTISED

    chosen = [op for op in graph.operators if all(map(on_chip, (*op.inputs, *op.outputs)))]
    made = {tensor for op in chosen for tensor in op.outputs}
    read = [t for op in chosen for t in op.inputs if t >= 0 and not graph.tensor(t).is_constant]
    others = {t for op in graph.operators if op not in chosen for t in op.inputs}
    return Region(
        tuple(op.index for op in chosen),
        tuple(dict.fromkeys(tensor for tensor in read if tensor not in made)),
        tuple(t for op in chosen for t in op.outputs if t in graph.outputs or t in others),
    )


@pytest.mark.parametrize("name", IDENTICAL)
def test_program_of_a_model(name):
    require_corpus()
    pair = next(
        p
        for p in pairs()
        if p.source
        and p.source.stem == name
        and p.generation != "rt10-12"
        and p.name == f"{name}_edgetpu"
    )
    graph = read_model(pair.source)
    release = RELEASE_15 if pair.generation == "rt12-16" else RELEASE_16
    (operator,) = compiled_ops(pair.compiled.read_bytes())
    package = read_package(read_custom_options(operator.custom_options).package)
    (execution,) = (e for e in package.executables if e.type != ExecutableType.PARAMETER_CACHING)
    program = lower(plan_region(graph, quantised_region(graph), release))
    assert list(assemble(program)) == [bytes(chunk.bitstream) for chunk in execution.chunks]


def convolution_graph(entry) -> Graph:
    """CONV_2D 3x3, SAME, int8 per channel, without bias; the program does not depend on the
    weights."""
    height, width, inputs, outputs = (entry[key] for key in ("h", "w", "cin", "cout"))
    channels = Quantization((0.01, 0.02, *(0.015,) * (outputs - 2)), (0,) * outputs)
    values = np.ones((outputs, 3, 3, inputs), np.int8)
    tensors = (
        _activation(0, (1, height, width, inputs), entry["input_quant"]),
        Tensor(1, "weights", values.shape, TensorType.INT8, channels, values),
        Tensor(2, "bias", (outputs,), TensorType.INT32, channels, np.zeros(outputs, np.int32)),
        _activation(3, (1, height, width, outputs), entry["output_quant"]),
    )
    options = {"padding": 0, "stride_h": 1, "stride_w": 1}
    operator = Operator(0, "CONV_2D", 3, (0, 1, 2), (3,), "Conv2DOptions", options)
    return Graph("test", "main", tensors, (operator,), (0,), (3,))


def _activation(index, shape, quantisation) -> Tensor:
    scale, zero = quantisation
    return Tensor(index, f"t{index}", shape, TensorType.INT8, Quantization((scale,), (zero,)))


def _entries():
    if CORPUS is None:
        return []
    return json.loads((CORPUS / "RingCanary_programs" / "index.json").read_text())


def test_programs_of_single_convolutions():
    require_corpus()
    entries = _entries()
    assert len(entries) > 100
    different = []
    for entry in entries:
        executable = read_executable((CORPUS / entry["file"]).read_bytes())
        program = lower(plan_region(convolution_graph(entry)))
        if list(assemble(program)) != [bytes(chunk.bitstream) for chunk in executable.chunks]:
            different.append(entry["file"])
    assert different == []
