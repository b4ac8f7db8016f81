"""Executables: written back as read, and derived again from program, tensors and parameters."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.beagle import schema
from compiler.beagle.build import border_layers, build_executable, build_package
from compiler.beagle.disassembler import disassemble
from compiler.beagle.executable import (
    BaseAddress,
    Chunk,
    DescriptorHint,
    DmaDirection,
    DmaHints,
    Executable,
    ExecutableType,
    FieldOffset,
    Half,
    InstructionHint,
    Layer,
    write_executable,
)
from compiler.beagle.layers import spatial_layout
from compiler.beagle.package import write_package
from compiler.beagle.reader import read_executable
from compiler.errors import InternalError, OptionError
from compiler.flatbuffer.writer import FlatBufferWriter
from compiler.release import RELEASE_15, RELEASE_16
from tests.corpus_paths import programs
from tests.vendor_models import (
    VendorOperator,
    activation_names,
    corpus_parameters,
    vendor_operators,
)

UNUSED_TOP = {
    "keras_lstm_mnist_ptq_edgetpu",
    "ssd_mobilenet_v1_coco_quant_postprocess_segment_1_of_2_edgetpu",
    "ssd_mobilenet_v1_coco_quant_postprocess_segment_2_of_3_edgetpu",
    "ssd_mobilenet_v1_coco_quant_postprocess_segment_3_of_4_edgetpu",
}
"""Files whose top 16 bytes of narrow memory are allocated but never addressed."""


def derived(vendor: VendorOperator, executable: Executable) -> Executable:
    """The executable built again: only bitstreams, parameters, token, scratch size, spatial
    passes and the order of several activations are the vendor's."""
    caching = executable.type is ExecutableType.PARAMETER_CACHING
    border = None
    if not caching:
        border = border_layers(vendor.graph, vendor.inputs, vendor.outputs, vendor.passes())
    bitstreams = [chunk.bitstream for chunk in executable.chunks]
    names = () if simple(vendor) else activation_names(executable)
    return build_executable(
        disassemble(bitstreams),
        bitstreams,
        executable.parameters,
        token=executable.token,
        border=border,
        activation_names=names,
        scratch_bytes=executable.scratch_bytes,
    )


def simple(vendor: VendorOperator) -> bool:
    return len(vendor.inputs) == len(vendor.outputs) == 1


@pytest.mark.parametrize("vendor", corpus_parameters(vendor_operators(with_source=True)))
def test_package_from_source_program_and_parameters(vendor: VendorOperator) -> None:
    """The whole Package, byte for byte."""
    package = vendor.package
    built = [derived(vendor, executable) for executable in package.executables]
    if vendor.pair.name in UNUSED_TOP:
        assert package.executables[0].used_narrow_bytes == built[0].used_narrow_bytes + 16
        built[0] = replace(built[0], used_narrow_bytes=built[0].used_narrow_bytes + 16)
    release = RELEASE_16 if vendor.pair.generation == "rt14" else RELEASE_15
    again = build_package(release, *built, min_runtime_version=package.min_runtime_version)
    again = replace(again, compiler_version=package.compiler_version)
    assert again == package
    assert write_package(again) == vendor.options.package


@pytest.mark.parametrize("path", corpus_parameters(programs()))
def test_programs_round_trip(path: Path) -> None:
    data = path.read_bytes()
    assert write_executable(read_executable(data)) == data


@pytest.mark.parametrize("path", corpus_parameters(programs()[::8]))
def test_everything_derived_in_single_programs(path: Path) -> None:
    executable = read_executable(path.read_bytes())
    bitstreams = [chunk.bitstream for chunk in executable.chunks]
    built = build_executable(
        disassemble(bitstreams),
        bitstreams,
        executable.parameters,
        token=executable.token,
        activation_names=activation_names(executable),
    )
    assert replace(built, inputs=executable.inputs, outputs=executable.outputs) == executable


def example(name: str = "x", parameters: bytes = b"\1" * 64) -> Executable:
    field = FieldOffset(BaseAddress.INPUT, Half.UPPER, 128 + 70, name)
    hint = DescriptorHint(DmaDirection.INFEED, BaseAddress.INPUT, name, 0, 16)
    layer = Layer(name, 16, 2, 2, 4, 128, 0.5, 8, spatial_layout(2, 2, 4), ((0, 1), (0, 1)))
    return Executable(
        ExecutableType.EXECUTION_ONLY,
        "model",
        (Chunk(bytes(32), (field,)), Chunk(bytes(16))),
        DmaHints((InstructionHint(0), hint)),
        parameters,
        inputs=(replace(layer, layout=None, ranges=None),),
        outputs=(layer,),
        serialized_model=b"",
        token=(1 << 64) - 1,
    )


@settings(derandomize=True, deadline=None, max_examples=40)
@given(st.text(max_size=40), st.binary(max_size=9000))
def test_any_executable_round_trips(name: str, parameters: bytes) -> None:
    try:
        name.encode()
    except UnicodeEncodeError:
        return
    executable = example(name, parameters)
    data = write_executable(executable)
    assert read_executable(data) == executable
    assert len(data) % 4096 == 0
    if parameters:
        assert data.index(parameters) % 4096 == 0 or len(parameters) < 64


def test_default_and_release_runtime_versions() -> None:
    executable = example()
    assert build_package(RELEASE_16, executable).min_runtime_version == 14
    assert build_package(RELEASE_15, executable).min_runtime_version == 13
    assert build_package(RELEASE_16, executable, None, 11).min_runtime_version == 11
    with pytest.raises(OptionError, match=r"10\.\.14"):
        build_package(RELEASE_16, executable, min_runtime_version=15)


def test_several_activations_must_be_named() -> None:
    layer = example().outputs[0]
    program = disassemble(())
    from compiler.beagle.build import Border

    with pytest.raises(InternalError, match="must name"):
        build_executable(program, (), b"", border=Border((layer,), (layer, layer)))


def test_unknown_field_names_are_defects() -> None:
    with pytest.raises(InternalError, match="FenceHint"):
        FlatBufferWriter().table(schema.FENCE_HINT, size=1)
