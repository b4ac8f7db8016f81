"""A vendor file next to the source model it was made from: mapped operators and blobs."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

from compiler.beagle.executable import Executable, ExecutableType
from compiler.beagle.parameters import PackingRules
from compiler.beagle.reader import compiled_ops, read_custom_options, read_package
from compiler.frontend.graph import Graph, Operator, Quantization
from compiler.frontend.tflite_reader import read_model, read_model_bytes

from .corpus_paths import Pair, pairs


@dataclass(frozen=True)
class VendorLayers:
    """`cached` and `streamed`: parameters of the two executables of the first Edge TPU
    operator; `graph`: the source with the output scales of the compiled file."""

    pair: Pair
    graph: Graph
    mapped: tuple[Operator, ...]
    caching: Executable | None
    cached: bytes
    streamed: bytes
    rules: PackingRules


def executables(pair: Pair) -> tuple[tuple[Executable, ...], int, bool]:
    """Executables of the first Edge TPU operator, the package's runtime version, and
    whether a compiler of the current generation wrote it."""
    operator = compiled_ops(pair.compiled.read_bytes())[0]
    options = read_custom_options(operator.custom_options)
    package = read_package(options.package)
    return package.executables, package.min_runtime_version, options.further is not None


def caching_executable(pair: Pair) -> Executable | None:
    """The PARAMETER_CACHING executable, if it has a program."""
    found = [e for e in executables(pair)[0] if e.type == ExecutableType.PARAMETER_CACHING]
    return found[0] if found and any(chunk.bitstream for chunk in found[0].chunks) else None


@functools.cache
def vendor_layers(pair: Pair) -> VendorLayers | None:
    """None where the file holds no parameters or its source is unknown."""
    if pair.source is None:
        return None
    programs, runtime, current = executables(pair)
    blobs = {program.type: program.parameters for program in programs}
    cached = blobs.get(ExecutableType.PARAMETER_CACHING, b"")
    streamed = blobs.get(ExecutableType.EXECUTION_ONLY, blobs.get(ExecutableType.STAND_ALONE, b""))
    if not cached and not streamed:
        return None
    source = read_model(pair.source)
    outer = read_model_bytes(pair.compiled.read_bytes(), str(pair.compiled), compiled=True)
    rules = PackingRules(
        keep_zero_bias=runtime <= 10,
        flat_kernels=runtime <= 10,
        softmax_tables=current,
        lstm_transposes=True,
    )
    return VendorLayers(
        pair,
        _with_output_scales(source, outer),
        _mapped(source, outer),
        caching_executable(pair),
        cached,
        streamed,
        rules,
    )


def all_vendor_layers() -> list[VendorLayers]:
    return [layers for pair in pairs() if (layers := vendor_layers(pair)) is not None]


def _mapped(source: Graph, outer: Graph) -> tuple[Operator, ...]:
    """The source's operators whose results no ordinary operator of the outer model makes."""
    name = lambda graph, index: graph.tensor(index).name  # noqa: E731
    ordinary = [op for op in outer.operators if not op.custom_code.startswith("edgetpu")]
    made = {name(outer, t) for op in ordinary for t in op.outputs}
    fed = {
        name(outer, t)
        for op in outer.operators
        if op.custom_code.startswith("edgetpu")
        for t in op.inputs
    }
    left: set[int] = set()
    off_chip: set[int] = set()
    for op in source.operators:
        if any(name(source, t) in made for t in op.outputs) or off_chip & set(op.inputs):
            left.add(op.index)
            off_chip |= {t for t in op.outputs if name(source, t) not in fed}
    return tuple(op for op in source.operators if op.index not in left)


def _with_output_scales(source: Graph, outer: Graph) -> Graph:
    """The public source of one model was quantised again after the vendor compiled it:
    its results, and what only joins or converts them, get the compiled file's scales."""
    scales = {}
    for op in outer.operators:
        for tensor in map(outer.tensor, op.outputs):
            if op.custom_code.startswith("edgetpu") and tensor.quantization:
                scales[tensor.name] = tensor.quantization
    tensors = list(source.tensors)

    def rescale(index: int, wanted: Quantization) -> None:
        old = tensors[index].quantization
        if old is not None:
            tensors[index] = replace(
                tensors[index], quantization=replace(old, scales=wanted.scales)
            )

    given: dict[int, Quantization] = {}
    for tensor in source.tensors:
        if tensor.name in scales:
            given[tensor.index] = scales[tensor.name]
    for op in reversed(source.operators):
        if op.name in ("QUANTIZE", "CONCATENATION", "RESHAPE") and op.outputs[0] in given:
            given.update(dict.fromkeys(op.inputs, given[op.outputs[0]]))
    for index, wanted in given.items():
        rescale(index, wanted)
    return replace(source, tensors=tuple(tensors))
