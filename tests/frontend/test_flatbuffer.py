"""The flatbuffer view against hand-made bytes."""

import struct

import flatbuffers
import pytest

from compiler.errors import InvalidModelError
from compiler.frontend.flatbuffer import FlatBuffer, Span, Table


def _table() -> bytes:
    """Slots: 0 int32, 1 string, 2 vector of int16, 3 table, 4 vector of tables, 5 bool, 7 int64."""
    builder = flatbuffers.Builder(64)
    builder.StartObject(1)
    builder.PrependInt8Slot(0, -7, 0)
    child = builder.EndObject()
    text = builder.CreateString("späte")
    builder.StartVector(2, 3, 2)
    for item in (3, -2, 1):
        builder.PrependInt16(item)
    numbers = builder.EndVector()
    builder.StartVector(4, 2, 4)
    builder.PrependUOffsetTRelative(child)
    builder.PrependUOffsetTRelative(child)
    children = builder.EndVector()
    builder.StartObject(8)
    builder.PrependInt32Slot(0, 123456, 0)
    builder.PrependUOffsetTRelativeSlot(1, text, 0)
    builder.PrependUOffsetTRelativeSlot(2, numbers, 0)
    builder.PrependUOffsetTRelativeSlot(3, child, 0)
    builder.PrependUOffsetTRelativeSlot(4, children, 0)
    builder.PrependBoolSlot(5, True, False)
    builder.PrependInt64Slot(7, -(2**40), 0)
    builder.Finish(builder.EndObject(), b"TEST")
    return bytes(builder.Output())


def _root(data: bytes) -> Table:
    return FlatBuffer(data, "file").root("Root")


def _everything(data: bytes) -> list[object]:
    root = _root(data)
    child = root.table(3, "child")
    return [
        root.integer(0, "number"),
        root.string(1, "text"),
        root.vector(2, "numbers", "int16"),
        child.integer(0, "small", "int8") if child else None,
        [item.integer(0, "small", "int8") for item in root.tables(4, "children")],
        root.boolean(5, "flag"),
        root.integer(6, "absent", default=9),
        root.integer(7, "big", "int64"),
        root.string(8, "newer"),
    ]


def test_every_kind_of_field():
    expected = [123456, "späte", (1, -2, 3), -7, [-7, -7], True, 9, -(2**40), None]
    assert _everything(_table()) == expected
    assert FlatBuffer(_table(), "file").identifier() == b"TEST"


def test_unaligned_files_are_read():
    data = bytes(_table())
    moved = struct.pack("<I", struct.unpack_from("<I", data)[0] + 1) + b"TEST?" + data[8:]
    assert _everything(moved) == _everything(data)


def test_array_views_have_no_copy_and_are_read_only():
    buffer = FlatBuffer(bytes(range(16)), "file")
    array = buffer.array(Span(1, 8), "<i2", (2, 2))
    assert array.tolist() == [[0x0201, 0x0403], [0x0605, 0x0807]]
    assert not array.flags.writeable
    assert buffer.array(Span(0, 0), "<i2", (0, 3)).shape == (0, 3)


def test_every_cut_is_an_error_or_the_same():
    data = _table()
    expected = _everything(data)
    for length in range(len(data)):
        try:
            assert _everything(data[:length]) == expected
        except InvalidModelError as error:
            assert error.where.file == "file"
            assert "at byte" in error.message


def test_every_byte_at_its_extremes():
    data = _table()
    for position in range(len(data)):
        for value in (0, 1, 0x7F, 0x80, 0xFF):
            changed = data[:position] + bytes([value]) + data[position + 1 :]
            try:
                _everything(changed)
            except InvalidModelError as error:
                assert error.message.startswith("Root")


def test_error_names_field_and_byte():
    data = bytearray(_table())
    buffer = FlatBuffer(bytes(data), "file")
    position = buffer.root("Root").span(2, "numbers", 2).start - 4
    data[position : position + 4] = b"\xff\xff\xff\x7f"
    with pytest.raises(InvalidModelError) as caught:
        _root(bytes(data)).vector(2, "numbers", "int16")
    assert caught.value.message == (
        f"Root.numbers holds 2147483647 items, more than the file has, at byte {position}"
        f" of {len(data)}"
    )
    assert str(caught.value).startswith("file: Root.numbers holds")


def test_invalid_text():
    data = _table().replace("ä".encode(), b"\xff\xfe")
    with pytest.raises(InvalidModelError, match="text is not UTF-8 text at byte"):
        _root(data).string(1, "text")


def test_repeated_references_are_bounded():
    """A vector of references to one table cannot make reading cost more than the file."""
    builder = flatbuffers.Builder(64)
    builder.StartVector(4, 5000, 4)
    for _ in range(5000):
        builder.PrependInt32(1)
    numbers = builder.EndVector()
    builder.StartObject(1)
    builder.PrependUOffsetTRelativeSlot(0, numbers, 0)
    child = builder.EndObject()
    builder.StartVector(4, 5000, 4)
    for _ in range(5000):
        builder.PrependUOffsetTRelative(child)
    children = builder.EndVector()
    builder.StartObject(1)
    builder.PrependUOffsetTRelativeSlot(0, children, 0)
    builder.Finish(builder.EndObject())
    root = _root(bytes(builder.Output()))
    with pytest.raises(InvalidModelError, match="refers to the same data too many times"):
        for table in root.tables(0, "children"):
            table.vector(0, "numbers")
