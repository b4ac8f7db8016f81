"""The reader on damaged input: a value or InvalidModelError, in bounded time, never a traceback."""

from __future__ import annotations

import struct
import time
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.beagle import schema
from compiler.beagle.executable import DescriptorHint, InstructionHint, write_executable
from compiler.beagle.package import Package, custom_options, write_package
from compiler.beagle.reader import (
    compiled_ops,
    read_custom_options,
    read_executable,
    read_package,
)
from compiler.errors import InvalidModelError
from compiler.flatbuffer.flexbuffer import _KEY, _MAP, _VECTOR, _Writer, read_map
from compiler.flatbuffer.writer import FlatBufferWriter
from tests.corpus_paths import pairs
from tests.vendor_models import corpus_parameters

from .test_executable import example

HOSTILE = settings(derandomize=True, deadline=None, max_examples=150)
EXECUTABLE = write_executable(example())
PACKAGE = write_package(Package(14, (example(), example("y"))))


def reads(reader: object, data: bytes) -> bool:
    """Whether the reader accepts the bytes; any other exception than ours fails the test."""
    try:
        reader(data)
    except InvalidModelError as error:
        assert str(error)
        return False
    return True


@pytest.mark.parametrize("reader", [compiled_ops, read_custom_options, read_package, read_map])
@pytest.mark.parametrize("data", [b"", b"\0", bytes(4), bytes(8), b"\xff" * 64, b"TFL3" * 9])
def test_junk(reader: object, data: bytes) -> None:
    assert not reads(reader, data)


def test_every_truncation() -> None:
    head = EXECUTABLE[:700]
    for size in range(len(head)):
        reads(read_executable, head[:size])
    for size in range(0, len(PACKAGE), 64):
        assert not reads(read_package, PACKAGE[:size])


@HOSTILE
@given(st.binary(max_size=300))
def test_any_option_map(data: bytes) -> None:
    reads(read_custom_options, data)
    reads(read_map, data + bytes((9 << 2 | 0, 1)))


@HOSTILE
@given(st.data())
def test_any_damage_to_an_executable(data: st.DataObject) -> None:
    """Overwrite a few words with interesting values, mostly where the tables are."""
    damaged = bytearray(EXECUTABLE)
    for _ in range(data.draw(st.integers(1, 4))):
        position = 4 * data.draw(st.integers(0, len(damaged) // 4 - 1))
        value = data.draw(
            st.sampled_from((0, 1, 4, 16, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF))
            | st.integers(0, len(damaged))
        )
        struct.pack_into("<I", damaged, position, value)
    reads(read_executable, bytes(damaged))


@HOSTILE
@given(st.data())
def test_any_damage_to_an_option_map(data: st.DataObject) -> None:
    damaged = bytearray(custom_options(b"p" * 20))
    for _ in range(data.draw(st.integers(1, 6))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    reads(read_custom_options, bytes(damaged))


def test_shared_objects_cannot_multiply() -> None:
    """A hundred thousand references to one layer with a large layout: 10^10 values claimed."""
    writer = FlatBufferWriter()
    vector = writer.vector("i", range(100_000))
    names = schema.OUTPUT_LAYOUT.fields
    layout = writer.table(schema.OUTPUT_LAYOUT, **dict.fromkeys(names, vector))
    output = writer.table(schema.OUTPUT_LAYER, layout=layout)
    layer = writer.table(schema.LAYER, any_layer_type=1, any_layer=output)
    layers = writer.references([layer] * 100_000)
    data = writer.finish(writer.table(schema.EXECUTABLE, output_layers=layers))
    start = time.perf_counter()
    with pytest.raises(InvalidModelError, match="too many times"):
        read_executable(data)
    assert time.perf_counter() - start < 5


def test_shared_strings_cannot_multiply() -> None:
    """Vectors and entries of an option map that all refer to one large string."""
    writer = _Writer()
    string = writer.value(bytes(100_000))
    vectors = [writer.vector([string] * 3, _VECTOR) for _ in range(20_000)]
    keys = writer.vector([writer.key(f"{i}") for i in range(20_000)], _KEY)
    data = writer.finish(writer.vector(vectors, _MAP, keys))
    start = time.perf_counter()
    with pytest.raises(InvalidModelError, match="repeats itself"):
        read_map(data)
    assert time.perf_counter() - start < 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"type": 7}, "executable type"),
        ({"chunks": (replace(example().chunks[0], bitstream=bytes(33)),)}, "whole instruction"),
        ({"chunks": (replace(example().chunks[0], bitstream=bytes(16)),)}, "outside its chunk"),
        ({"hints": replace(example().hints, hints=(InstructionHint(5),))}, "names no chunk"),
        ({"hints": replace(example().hints, hints=(DescriptorHint(0, 9, "", 0, 1),))}, "kind"),
        ({"inputs": (replace(example().inputs[0], data_type=99),)}, "element type"),
    ],
)
def test_sound_buffers_with_unsound_content(change: dict, message: str) -> None:
    with pytest.raises(InvalidModelError, match=message):
        read_executable(write_executable(replace(example(), **change)))


def test_wrong_identifier() -> None:
    damaged = PACKAGE[:4] + b"DWN9" + PACKAGE[8:]
    with pytest.raises(InvalidModelError, match="DWN1"):
        read_package(damaged)


def test_names_that_are_no_text_survive() -> None:
    raw = b"\xff\xfe".decode("utf-8", "surrogateescape")
    executable = example(raw)
    assert read_executable(write_executable(executable)) == executable


@pytest.mark.parametrize("pair", corpus_parameters(pairs()))
def test_one_operator_in_every_vendor_file(pair: object) -> None:
    data = pair.compiled.read_bytes()
    (found,) = compiled_ops(data)
    assert found.subgraph == 0 and found.inputs and found.outputs
    if pair.source:
        assert compiled_ops(pair.source.read_bytes()) == []
    for cut in (100, len(data) // 3, len(data) - 60):
        reads(compiled_ops, data[:cut])
