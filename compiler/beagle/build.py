"""Program level + parameters + border tensors -> Executable dataclasses.

The one call between the assembler and the file: everything the driver needs to know about a
program is derived here. Facts: docs/format/container.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..errors import InternalError, OptionError
from ..fast_dataclass import dataclass
from ..frontend.graph import Graph
from ..frontend.joined_outputs import JoinedOutput
from ..lowering.program import Program
from ..release import RUNTIME_VERSIONS, Release
from .dma_hints import dma_hints
from .executable import Chunk, Executable, ExecutableType, Layer
from .host_descriptors import descriptors
from .joined_layers import joined_layer
from .layers import VARIABLE_SUFFIX, input_layer, input_shape, output_layer
from .link_fields import link_fields
from .narrow_usage import used_narrow_bytes
from .package import Package

_NAMES = {ExecutableType.PARAMETER_CACHING: "Unknown"}
_MODEL_NAME = "model"


@dataclass(frozen=True, slots=True)
class Border:
    """The layers of a partition in the custom operator's tensor order; state tensors are
    inputs with an extra output layer each, behind the real outputs."""

    inputs: tuple[Layer, ...]
    outputs: tuple[Layer, ...]


def border_layers(
    graph: Graph,
    inputs: Sequence[int],
    outputs: Sequence[int],
    passes: Mapping[int, int] | None = None,
    joined: Sequence[JoinedOutput] = (),
) -> Border:
    """The layers of the partition with these border tensors (indices into `graph`).

    passes: tensor index -> spatial passes of an output, where there is more than one.
    joined: outputs that leave in parts, each from a map of its own.
    Raises InternalError if a border tensor has no layer type (mapping must not allow it).
    """
    consumers = graph.consumers()
    tensors = graph.tensors
    count = passes or {}
    parts = {output.tensor: output for output in joined}
    states = [index for index in inputs if tensors[index].is_variable]
    return Border(
        tuple(input_layer(tensors[i], input_shape(graph, i, consumers)) for i in inputs),
        (
            *(
                joined_layer(tensors[i], parts[i])
                if i in parts
                else output_layer(tensors[i], count.get(i, 1))
                for i in outputs
            ),
            *(
                replace(layer, name=layer.name + VARIABLE_SUFFIX)
                for layer in (output_layer(tensors[i], count.get(i, 1)) for i in states)
            ),
        ),
    )


def activation_names(graph: Graph, activations: Sequence[int]) -> list[str]:
    """Layer names of the tensors whose base addresses a program loads, in order. A state tensor
    comes in first, and goes out the second time."""
    names = []
    loaded: set[int] = set()
    for index in activations:
        state = graph.tensors[index].is_variable and index in loaded
        names.append(graph.tensors[index].name + (VARIABLE_SUFFIX if state else ""))
        loaded.add(index)
    return names


def build_executable(
    program: Program,
    chunks: Sequence[bytes],
    parameters: bytes,
    *,
    token: int = 0,
    stands_alone: bool = False,
    border: Border | None = None,
    activation_names: Sequence[str] = (),
    scratch_bytes: int = 0,
) -> Executable:
    """The executable of a program.

    program, chunks: the instructions and what `assembler.assemble` made of them.
    parameters: what the program streams from the host, or for a caching program
        (`program.caching`) what it loads; a multiple of 64 bytes.
    token: parameter-caching token; 0 for a program that may overwrite cached parameters of
        others, and then stands alone.
    stands_alone: no parameters are cached for the program. With a token it leaves those of
        the models with the same token in place.
    border: layers; None for a caching program.
    activation_names: the layer of each input or output base address the program loads, in
        program order; may be left out where there is one input and one output.
    """
    kind = ExecutableType.STAND_ALONE
    if program.caching:
        kind = ExecutableType.PARAMETER_CACHING
    elif token and not stands_alone:
        kind = ExecutableType.EXECUTION_ONLY
    fired = descriptors(program)
    fields = link_fields(
        program,
        fired,
        scratch=not program.caching,
        names=activation_names,
        default_names=_only_names(border, activation_names),
    )
    return Executable(
        kind,
        _NAMES.get(kind, _MODEL_NAME),
        tuple(Chunk(*chunk) for chunk in zip(chunks, fields, strict=True)),
        dma_hints(fired, fields),
        parameters=parameters,
        inputs=None if border is None else border.inputs,
        outputs=None if border is None else border.outputs,
        serialized_model=None if program.caching else b"",
        token=token,
        scratch_bytes=scratch_bytes,
        used_narrow_bytes=0 if program.caching else used_narrow_bytes(program),
    )


def build_package(
    release: Release,
    execution: Executable,
    caching: Executable | None = None,
    min_runtime_version: int | None = None,
) -> Package:
    """The package of one custom operator; `min_runtime_version` defaults to the release's."""
    version = release.default_runtime if min_runtime_version is None else min_runtime_version
    if version not in RUNTIME_VERSIONS:
        allowed = f"{RUNTIME_VERSIONS[0]}..{RUNTIME_VERSIONS[-1]}"
        raise OptionError("the runtime version is not supported", actual=version, allowed=allowed)
    return Package(version, (execution,) if caching is None else (execution, caching))


def _only_names(border: Border | None, names: Sequence[str]) -> tuple[str, str]:
    """Names of the input and the output layer of a program that has one of each."""
    if border is None or names:
        return "", ""
    if len(border.inputs) > 1 or len(border.outputs) > 1:
        raise InternalError("a program with several inputs or outputs must name its base loads")
    layers = (*border.inputs, *border.outputs)
    return layers[0].name, layers[-1].name
