"""The host's side: buffers behind base addresses, DMA descriptors, linking.

Facts: docs/format/container.md, "Field offsets" and "DMA hints".
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from ..beagle.executable import BaseAddress, Executable, Half
from ..errors import EmulationError

BufferName = tuple[BaseAddress, str]
"""Kind of host buffer and the layer's name (empty for parameters and scratch)."""
_SPACING_BITS = 32
_MAX_TRANSFER = 1 << 30


class HostMemory:
    """Buffers at the addresses the linker gave them, and transfers from the chip in order."""

    def __init__(self, buffers: Mapping[BufferName, bytes | bytearray]) -> None:
        self.buffers = {name: bytearray(data) for name, data in buffers.items()}
        self._names = list(self.buffers)
        self._expected: deque[tuple[int, int]] = deque()
        self._received = bytearray()

    @staticmethod
    def base(index: int) -> int:
        """Address of the buffer with that index."""
        return (index + 1) << _SPACING_BITS

    def _buffer(self, address: int) -> tuple[bytearray, int]:
        index, offset = (address >> _SPACING_BITS) - 1, address & (1 << _SPACING_BITS) - 1
        if not 0 <= index < len(self._names):
            raise EmulationError("a DMA descriptor names no host buffer", actual=f"{address:#x}")
        return self.buffers[self._names[index]], offset

    def read(self, address: int, size: int) -> bytes:
        """Bytes the chip fetches; behind a buffer's end there are zeros."""
        if not 0 <= size < _MAX_TRANSFER:
            raise EmulationError("a DMA is too large", actual=size, allowed=_MAX_TRANSFER)
        buffer, offset = self._buffer(address)
        data = bytes(buffer[offset : offset + size])
        return data + bytes(size - len(data))

    def expect(self, address: int, size: int) -> None:
        """The next `size` bytes from the chip go to `address`."""
        if not 0 <= size < _MAX_TRANSFER:
            raise EmulationError("a DMA is too large", actual=size, allowed=_MAX_TRANSFER)
        self._buffer(address)
        self._expected.append((address, size))
        self.receive(b"")

    def receive(self, data: bytes) -> None:
        """Bytes from the chip, in stream order."""
        self._received += data
        while self._expected and len(self._received) >= self._expected[0][1]:
            address, size = self._expected.popleft()
            buffer, offset = self._buffer(address)
            if len(buffer) < offset + size:
                buffer.extend(bytes(offset + size - len(buffer)))
            buffer[offset : offset + size] = self._received[:size]
            del self._received[:size]

    def overlaps(self, address: int, size: int) -> bool:
        """Whether a transfer to these bytes is still under way."""
        return any(
            first < address + size and address < first + length for first, length in self._expected
        )

    @property
    def pending(self) -> tuple[int, int]:
        """(descriptors that wait for bytes, bytes no descriptor took)."""
        return len(self._expected), len(self._received)


def buffer_names(executable: Executable) -> list[BufferName]:
    """Every host buffer the executable's programs address."""
    names: dict[BufferName, None] = {}
    for chunk in executable.chunks:
        for field in chunk.field_offsets or ():
            named = field.base in (BaseAddress.INPUT, BaseAddress.OUTPUT)
            names[field.base, field.name if named else ""] = None
    return list(names)


def link(executable: Executable) -> list[bytes]:
    """The chunks with the base addresses of `buffer_names(executable)` filled in."""
    index = {name: i for i, name in enumerate(buffer_names(executable))}
    chunks = []
    for chunk in executable.chunks:
        words = bytearray(chunk.bitstream)
        for field in chunk.field_offsets or ():
            named = field.base in (BaseAddress.INPUT, BaseAddress.OUTPUT)
            address = HostMemory.base(index[field.base, field.name if named else ""])
            half = address >> 32 if field.half is Half.UPPER else address & 0xFFFFFFFF
            _write_bits(words, field.bit, half)
        chunks.append(bytes(words))
    return chunks


def _write_bits(words: bytearray, bit: int, value: int) -> None:
    """32 bits at any bit position."""
    first = bit // 8
    piece = int.from_bytes(words[first : first + 5], "little")
    shift = bit % 8
    piece = piece & ~(0xFFFFFFFF << shift) | value << shift
    words[first : first + 5] = piece.to_bytes(5, "little")[: len(words[first : first + 5])]
