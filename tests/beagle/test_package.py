"""Package, MultiExecutable and option map: the vendor's bytes again, speed, flexbuffers."""

from __future__ import annotations

import time

import pytest
from flatbuffers import flexbuffers
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.beagle.executable import write_executable
from compiler.beagle.package import (
    CustomOptions,
    Package,
    custom_options,
    write_custom_options,
    write_multi_executable,
    write_package,
)
from compiler.beagle.reader import read_custom_options, read_multi_executable, read_package
from compiler.flatbuffer.flexbuffer import read_map, write_map
from tests.vendor_models import VendorOperator, corpus_parameters, vendor_operators

from .test_executable import example

VALUES = st.one_of(
    st.integers(-(1 << 63), (1 << 63) - 1),
    st.binary(max_size=300),
    st.lists(st.integers(-(1 << 40), 1 << 40), max_size=5).map(tuple),
)


@pytest.mark.parametrize("vendor", corpus_parameters(vendor_operators()))
def test_vendor_bytes_again(vendor: VendorOperator) -> None:
    """write(read(x)) == x for the option map and the package of every generation."""
    assert write_custom_options(vendor.options) == vendor.blob
    assert write_package(vendor.package) == vendor.options.package


def test_package_round_trip() -> None:
    package = Package(14, (example(), example("y")), compiler_version="cl/1")
    data = write_package(package)
    assert read_package(data) == package
    assert data[4:8] == b"DWN1" and len(data) % 4096 == 0


def test_multi_executable_aligns_every_executable() -> None:
    parts = [write_executable(example()), write_executable(example("y", bytes(5000)))]
    data = write_multi_executable(parts)
    assert read_multi_executable(data) == parts
    assert all(data.index(part) % 4096 == 0 for part in parts)


def test_option_map_has_the_current_keys() -> None:
    options = read_custom_options(custom_options(b"package"))
    assert options == CustomOptions(b"package")
    assert list(read_map(custom_options(b"package"))) == ["1", "4", "5", "6", "7"]


@pytest.mark.parametrize("size", [0, 1, 200, 255, 256, 70000])
def test_option_map_equals_the_stock_builder(size: int) -> None:
    package = bytes(size)
    builder = flexbuffers.Builder()
    with builder.Map():
        builder.Key("1")
        builder.Int(0)
        builder.Key("4")
        builder._WriteBlob(package, append_zero=True, type_=flexbuffers.Type.STRING)
        builder.Key("5")
        builder.Int(-1)
        with builder.Vector("6"):
            builder.Int(18)
        with builder.Vector("7"):
            pass
    assert custom_options(package) == bytes(builder.Finish())


@settings(derandomize=True, deadline=None, max_examples=100)
@given(st.dictionaries(st.text("abc1234567890", min_size=1, max_size=8), VALUES, max_size=9))
def test_any_map_round_trips(values: dict) -> None:
    assert read_map(write_map(values)) == values


def test_five_megabytes_are_written_quickly() -> None:
    package = Package(14, (example(parameters=bytes(5 << 20)),))
    best = min(_seconds(lambda: custom_options(write_package(package))) for _ in range(5))
    assert best < 0.05


def _seconds(action: object) -> float:
    start = time.process_time()
    action()
    return time.process_time() - start
