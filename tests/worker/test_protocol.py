"""The worker's framing: protobuf as Bazel writes and reads it, and streams that are broken."""

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.worker.protocol import (
    MAX_MESSAGE,
    ProtocolError,
    WorkRequest,
    WorkResponse,
    read_request,
    write_response,
)


def varint(value):
    value &= (1 << 64) - 1
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def encoded(arguments, request_id=0, cancel=False, extra=b""):
    data = b"".join(b"\x0a" + varint(len(a)) + a for a in arguments)
    data += extra
    if request_id:
        data += b"\x18" + varint(request_id)
    if cancel:
        data += b"\x20\x01"
    return varint(len(data)) + data


def read(data):
    return read_request(io.BytesIO(data))


def test_empty_stream_is_its_end():
    assert read(b"") is None


def test_empty_request():
    assert read(b"\x00") == WorkRequest()


def test_request_with_inputs_and_unknown_fields():
    inputs = b"\x12\x05\x0a\x03abc"
    unknown = b"\x28\x01" + b"\x31" + bytes(8) + b"\x3d" + bytes(4) + b"\x42\x02hi"
    data = encoded([b"-m", b"13"], request_id=7, extra=inputs + unknown)
    assert read(data) == WorkRequest(("-m", "13"), 7)


def test_cancel():
    assert read(encoded([], request_id=300, cancel=True)) == WorkRequest((), 300, True)


def test_argument_that_is_not_utf8_keeps_its_bytes():
    (argument,) = read(encoded([b"a\xff"])).arguments
    assert argument.encode("utf-8", "surrogateescape") == b"a\xff"


@settings(deadline=None, derandomize=True)
@given(st.lists(st.text().filter(lambda t: "\0" not in t)), st.integers(0, 2**31 - 1))
def test_any_request(arguments, request_id):
    data = encoded([a.encode() for a in arguments], request_id)
    assert read(data) == WorkRequest(tuple(arguments), request_id)


def test_requests_follow_each_other():
    stream = io.BytesIO(encoded([b"a"]) + encoded([b"b"] * 200))
    assert [len(read_request(stream).arguments) for _ in range(2)] == [1, 200]
    assert read_request(stream) is None


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x05\x0a\x03ab", "message of 5 bytes ends after 4"),
        (b"\x80", "the stream ends inside"),
        (b"\xff" * 10, "size is too long"),
        (varint(MAX_MESSAGE + 1), f"message of {MAX_MESSAGE + 1} bytes"),
        (b"\x02\x0a\x05", "field 1 of wire type 2 is malformed"),
        (b"\x01\x0b", "field 1 of wire type 3 is malformed"),
        (b"\x01\x18", "a number is cut off"),
        (b"\x0b" + b"\xff" * 11, "a number is too long"),
    ],
)
def test_broken_streams(data, message):
    with pytest.raises(ProtocolError, match=message):
        read(data)


@settings(deadline=None, derandomize=True)
@given(st.binary(max_size=64))
def test_nonsense_never_crashes(data):
    try:
        read(data)
    except ProtocolError as error:
        assert str(error)


@pytest.mark.parametrize(
    ("response", "data"),
    [
        (WorkResponse(0), b"\x00"),
        (WorkResponse(1, "no", 3), b"\x08\x08\x01\x12\x02no\x18\x03"),
        (WorkResponse(0, "", 300), b"\x03\x18\xac\x02"),
        (WorkResponse(-1), b"\x0b\x08" + b"\xff" * 9 + b"\x01"),
        (WorkResponse(0, "\udc80"), b"\x03\x12\x01?"),
    ],
)
def test_responses(response, data):
    stream = io.BytesIO()
    write_response(stream, response)
    assert stream.getvalue() == data


def test_long_output():
    stream = io.BytesIO()
    write_response(stream, WorkResponse(1, "x" * 200))
    assert stream.getvalue() == varint(205) + b"\x08\x01\x12" + varint(200) + b"x" * 200
