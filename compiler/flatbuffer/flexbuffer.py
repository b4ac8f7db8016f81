"""The FlexBuffers subset that custom operator options use: one map of integers, strings and
untyped vectors of those.

The writer gives the bytes of the C++ `flexbuffers::Builder`; the reader checks every
offset. Layout: https://google.github.io/flatbuffers/flatbuffers_internals.html (FlexBuffers).
"""

from __future__ import annotations

import bisect
from collections.abc import Mapping, Sequence

from ..errors import InvalidModelError
from ..fast_dataclass import dataclass

Scalar = int | bytes
Value = Scalar | tuple[Scalar, ...]

_INT = 1
_UINT = 2
_KEY = 4
_STRING = 5
_MAP = 9
_VECTOR = 10
_BLOB = 25
_WIDTHS = (1, 2, 4, 8)


@dataclass(frozen=True, slots=True)
class _Slot:
    """A value as its parent stores it: an inline number, or where the object starts.

    width_code: log2 of the byte width the number, or the object's own items, need.
    """

    type: int
    value: int
    width_code: int
    inline: bool

    def width_in(self, position: int, index: int) -> int:
        """log2 of the item width that item `index` of a vector at `position` needs."""
        if self.inline:
            return self.width_code
        for code, width in enumerate(_WIDTHS):
            start = position + -position % width + index * width
            if start - self.value < 1 << 8 * width:
                return code
        return 3

    def packed_type(self, parent: int) -> int:
        return self.type << 2 | (max(parent, self.width_code) if self.inline else self.width_code)


class _Writer:
    def __init__(self) -> None:
        self.data = bytearray()

    def align(self, width_code: int) -> int:
        width = 1 << width_code
        self.data += bytes(-len(self.data) % width)
        return width

    def key(self, name: str) -> _Slot:
        start = len(self.data)
        self.data += name.encode() + b"\0"
        return _Slot(_KEY, start, 0, inline=False)

    def value(self, value: Value) -> _Slot:
        if isinstance(value, int):
            return _Slot(_INT, value, _signed_width(value), inline=True)
        if isinstance(value, bytes):
            code = _unsigned_width(len(value))
            width = self.align(code)
            self.data += len(value).to_bytes(width, "little")
            start = len(self.data)
            self.data += value
            self.data += b"\0"
            return _Slot(_STRING, start, code, inline=False)
        return self.vector([self.value(item) for item in value], _VECTOR)

    def vector(self, items: Sequence[_Slot], kind: int, keys: _Slot | None = None) -> _Slot:
        """[keys offset, keys width,] length, items, [one type byte an item]."""
        prefix = 3 if keys else 1
        code = _unsigned_width(len(items))
        if keys:
            code = max(code, keys.width_in(len(self.data), 0))
        for i, item in enumerate(items):
            code = max(code, item.width_in(len(self.data), i + prefix))
        width = self.align(code)
        if keys:
            self._item(keys, width)
            self.data += (1 << keys.width_code).to_bytes(width, "little")
        self.data += len(items).to_bytes(width, "little")
        start = len(self.data)
        for item in items:
            self._item(item, width)
        if kind != _KEY:
            self.data += bytes(item.packed_type(code) for item in items)
        return _Slot(kind, start, code, inline=False)

    def finish(self, root: _Slot) -> bytes:
        code = root.width_in(len(self.data), 0)
        width = self.align(code)
        self._item(root, width)
        self.data += bytes((root.packed_type(0), width))
        return bytes(self.data)

    def _item(self, item: _Slot, width: int) -> None:
        value = item.value if item.inline else len(self.data) - item.value
        self.data += value.to_bytes(width, "little", signed=item.inline)


def write_map(values: Mapping[str, Value]) -> bytes:
    """A FlexBuffer whose root is a map; values are created in the order given."""
    writer = _Writer()
    pairs = []
    for name, value in values.items():
        key = writer.key(name)
        pairs.append((name, key, writer.value(value)))
    pairs.sort(key=lambda pair: pair[0].encode())
    keys = writer.vector([key for _, key, _ in pairs], _KEY)
    root = writer.vector([value for _, _, value in pairs], _MAP, keys)
    return writer.finish(root)


def read_map(data: bytes) -> dict[str, Value]:
    """The root map of a FlexBuffer; InvalidModelError for anything but a sound map of
    integers, strings, blobs and untyped vectors of those."""
    if len(data) < 3:
        raise _damaged("is too short")
    width, packed = data[-1], data[-2]
    if width not in _WIDTHS or packed >> 2 != _MAP:
        raise _damaged("does not hold a map")
    root = len(data) - 2 - width
    return _read_map(data, _indirect(data, root, width), 1 << (packed & 3))


def _read_map(data: bytes, start: int, width: int) -> dict[str, Value]:
    count = _unsigned(data, start - width, width)
    keys = _indirect(data, start - 3 * width, width)
    key_width = _unsigned(data, start - 2 * width, width)
    if key_width not in _WIDTHS or count > len(data):
        raise _damaged("has a damaged map")
    result: dict[str, Value] = {}
    budget = 4 * len(data)
    for i in range(count):
        name = _read_key(data, _indirect(data, keys + i * key_width, key_width))
        value = _read_value(data, start, width, count, i)
        budget -= _cost(value)
        if name in result or budget < 0:
            raise _damaged("repeats itself")
        result[name] = value
    return result


def _read_value(data: bytes, start: int, width: int, count: int, index: int) -> Value:
    """Item `index` of the vector or map at `start`."""
    value = _read_scalar(data, start, width, count, index)
    if value is not None:
        return value
    packed = _unsigned(data, start + count * width + index, 1)
    if packed >> 2 != _VECTOR:
        raise _damaged("holds a value of a type it must not hold", packed >> 2)
    child_width = 1 << (packed & 3)
    child = _indirect(data, start + index * width, width)
    length = _unsigned(data, child - child_width, child_width)
    if length > len(data):
        raise _damaged("has a damaged vector", length)
    items = []
    budget = 4 * len(data)
    for i in range(length):
        item = _read_scalar(data, child, child_width, length, i)
        if item is None:
            raise _damaged("nests vectors")
        budget -= _cost(item)
        if budget < 0:
            raise _damaged("repeats itself")
        items.append(item)
    return tuple(items)


def _read_scalar(data: bytes, start: int, width: int, count: int, index: int) -> Scalar | None:
    """An integer, string or blob; None for other types."""
    packed = _unsigned(data, start + count * width + index, 1)
    position = start + index * width
    kind = packed >> 2
    if kind in (_INT, _UINT):
        _unsigned(data, position, width)
        return int.from_bytes(data[position : position + width], "little", signed=kind == _INT)
    if kind not in (_STRING, _BLOB):
        return None
    child_width = 1 << (packed & 3)
    child = _indirect(data, position, width)
    size = _unsigned(data, child - child_width, child_width)
    if child + size > len(data):
        raise _damaged("is damaged: a string leaves it", size)
    return data[child : child + size]


def _cost(value: Value) -> int:
    """Bytes handed out: strings may be shared, so their sum is what has to be limited."""
    if isinstance(value, tuple):
        return sum(map(_cost, value))
    return len(value) if isinstance(value, bytes) else 1


def _read_key(data: bytes, start: int) -> str:
    end = data.find(b"\0", start, start + 64)
    if end < 0:
        raise _damaged("has a damaged key")
    return data[start:end].decode("utf-8", "surrogateescape")


def _indirect(data: bytes, position: int, width: int) -> int:
    target = position - _unsigned(data, position, width)
    if target < 0:
        raise _damaged("is damaged: an offset leaves it", target)
    return target


def _unsigned(data: bytes, position: int, width: int) -> int:
    if position < 0 or position + width > len(data):
        raise _damaged("is damaged: an offset leaves it", position, len(data))
    return int.from_bytes(data[position : position + width], "little")


def _unsigned_width(value: int) -> int:
    return bisect.bisect_left((8, 16, 32), value.bit_length())


def _signed_width(value: int) -> int:
    """log2 of the bytes of `value`, the sign bit included."""
    magnitude = value if value >= 0 else ~value
    return bisect.bisect_left((7, 15, 31), magnitude.bit_length())


def _damaged(message: str, actual: object = None, allowed: object = None) -> InvalidModelError:
    return InvalidModelError(f"the option map {message}", actual=actual, allowed=allowed)
