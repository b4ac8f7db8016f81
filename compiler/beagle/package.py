"""MultiExecutable, Package and the custom operator's option map around executables.

Reads Executable dataclasses, writes the bytes of `custom_options`. Facts:
docs/format/container.md.
"""

from __future__ import annotations

from ..fast_dataclass import dataclass
from ..flatbuffer.flexbuffer import Value, write_map
from ..flatbuffer.writer import FlatBufferWriter
from . import schema
from .executable import PAGE_BYTES, Executable, encode_name, write_executable

COMPILER_VERSION = "cl/"
"""What released vendor compilers write: the change list's number is stripped."""
CHIP_NUMBER = 18
"""Beagle's number in the option map; the open runtime ignores it."""

# Keys of the option map.
KEY_VERSION = "1"
KEY_CHIP_NAME = "2"
KEY_PACKAGE = "4"
KEY_EXECUTION_PREFERENCE = "5"
KEY_CHIPS = "6"
KEY_FURTHER_PACKAGES = "7"


@dataclass(frozen=True, slots=True)
class Package:
    """The executables of one custom operator: [EXECUTION_ONLY, PARAMETER_CACHING] or
    [STAND_ALONE]. `model_identifier` None: absent, as old releases write it."""

    min_runtime_version: int
    executables: tuple[Executable, ...]
    compiler_version: str = COMPILER_VERSION
    model_identifier: str | None = ""


@dataclass(frozen=True, slots=True)
class CustomOptions:
    """The option map of a custom operator. `chip_name`, `chips` and `further` are None in
    releases that do not write them; `execution_preference` -1 means none."""

    package: bytes
    version: int = 0
    execution_preference: int = -1
    chip_name: str | None = None
    chips: tuple[int, ...] | None = (CHIP_NUMBER,)
    further: tuple[bytes, ...] | None = ()


def write_multi_executable(executables: list[bytes]) -> bytes:
    """MultiExecutable of serialised executables, each on a page boundary."""
    writer = FlatBufferWriter()
    strings = [writer.string(executable, PAGE_BYTES) for executable in executables]
    vector = writer.references(strings)
    return writer.finish(writer.table(schema.MULTI_EXECUTABLE, serialized_executables=vector))


def write_package(package: Package) -> bytes:
    """The Package flatbuffer; its length is a multiple of 4096."""
    executables = [write_executable(executable) for executable in package.executables]
    writer = FlatBufferWriter()
    multi = writer.byte_vector(write_multi_executable(executables), PAGE_BYTES)
    signature = writer.byte_vector(b"")
    compiler_version = writer.string(encode_name(package.compiler_version))
    identifier = package.model_identifier
    root = writer.table_with_defaults(
        schema.PACKAGE,
        min_runtime_version=package.min_runtime_version,
        serialized_multi_executable=multi,
        signature=signature,
        keypair_version=0,
        compiler_version=compiler_version,
        virtual_chip_id=0,
        model_identifier=None if identifier is None else writer.string(encode_name(identifier)),
    )
    return writer.finish(root, schema.PACKAGE_IDENTIFIER)


def custom_options(package: bytes) -> bytes:
    """The option map of a current release around a serialised Package."""
    return write_custom_options(CustomOptions(package))


def write_custom_options(options: CustomOptions) -> bytes:
    """The option map, a FlexBuffer."""
    values: dict[str, Value] = {KEY_VERSION: options.version}
    if options.chip_name is not None:
        values[KEY_CHIP_NAME] = encode_name(options.chip_name)
    values[KEY_PACKAGE] = options.package
    values[KEY_EXECUTION_PREFERENCE] = options.execution_preference
    if options.chips is not None:
        values[KEY_CHIPS] = options.chips
    if options.further is not None:
        values[KEY_FURTHER_PACKAGES] = options.further
    return write_map(values)
