"""Bazel's persistent worker protocol: length-delimited protobuf messages, read and written here.

WorkRequest: 1 arguments (repeated string), 2 inputs (message, not needed), 3 request_id,
4 cancel. WorkResponse: 1 exit_code, 2 output (string), 3 request_id. Unknown fields are
skipped, as protobuf asks for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

MAX_MESSAGE = 1 << 28
"""Bytes; a longer message is taken for a broken stream."""
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIXED_SIZES = {_FIXED64: 8, _FIXED32: 4}
_MAX_VARINT_BYTES = 10


class ProtocolError(Exception):
    """The stream is no sequence of messages."""


@dataclass(frozen=True, slots=True)
class WorkRequest:
    """One action to run."""

    arguments: tuple[str, ...] = ()
    request_id: int = 0
    cancel: bool = False


@dataclass(frozen=True, slots=True)
class WorkResponse:
    """What became of it. output: what the user sees."""

    exit_code: int
    output: str = ""
    request_id: int = 0


def read_request(stream: BinaryIO) -> WorkRequest | None:
    """The next request, None at the end of the stream. Raises ProtocolError."""
    size = _read_size(stream)
    if size is None:
        return None
    if size > MAX_MESSAGE:
        raise ProtocolError(f"message of {size} bytes")
    data = stream.read(size)
    if len(data) != size:
        raise ProtocolError(f"message of {size} bytes ends after {len(data)}")
    return _parse_request(data)


def write_response(stream: BinaryIO, response: WorkResponse) -> None:
    """Write and flush one response."""
    text = response.output.encode("utf-8", "replace")
    data = b""
    if response.exit_code:
        data += b"\x08" + _varint(response.exit_code)
    if text:
        data += b"\x12" + _varint(len(text)) + text
    if response.request_id:
        data += b"\x18" + _varint(response.request_id)
    stream.write(_varint(len(data)) + data)
    stream.flush()


def _parse_request(data: bytes) -> WorkRequest:
    arguments: list[str] = []
    numbers = {3: 0, 4: 0}
    for field, value in _fields(data):
        if field == 1 and isinstance(value, bytes):
            arguments.append(value.decode("utf-8", "surrogateescape"))
        elif field in numbers and isinstance(value, int):
            numbers[field] = value
    return WorkRequest(tuple(arguments), numbers[3], bool(numbers[4]))


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Number and value of every field of a message."""
    position = 0
    while position < len(data):
        key, position = _parse_varint(data, position)
        kind = key & 7
        if kind == _VARINT:
            value, position = _parse_varint(data, position)
            yield key >> 3, value
            continue
        size = _FIXED_SIZES.get(kind)
        if kind == _BYTES:
            size, position = _parse_varint(data, position)
        if size is None or position + size > len(data):
            raise ProtocolError(f"field {key >> 3} of wire type {kind} is malformed")
        yield key >> 3, data[position : position + size]
        position += size


def _parse_varint(data: bytes, position: int) -> tuple[int, int]:
    value = 0
    for index in range(_MAX_VARINT_BYTES):
        if position + index >= len(data):
            raise ProtocolError("a number is cut off")
        byte = data[position + index]
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, position + index + 1
    raise ProtocolError("a number is too long")


def _read_size(stream: BinaryIO) -> int | None:
    data = b""
    while len(data) < _MAX_VARINT_BYTES:
        byte = stream.read(1)
        if not byte:
            if data:
                raise ProtocolError("the stream ends inside a message's size")
            return None
        data += byte
        if byte[0] < 0x80:
            return _parse_varint(data, 0)[0]
    raise ProtocolError("a message's size is too long")


def _varint(value: int) -> bytes:
    """An int32's two's complement is that of 64 bits on the wire."""
    value &= (1 << 64) - 1
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
