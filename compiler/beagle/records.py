"""Building blocks of an instruction: how one value lies in a run of bits.

A record has a name, a first bit and a width; `fields()` lists the single fields it is
made of, `encode(value)` gives its bits (bit 0 = the record's first bit) and
`decode(bits)` the value those bits stand for. `decode` need not be exact: the codec
keeps every bit that `encode(decode(bits))` does not restore in `Instruction.extra`.
Facts: docs/format/instructions.md, "Building blocks".
"""

from __future__ import annotations

import enum
import math
import struct
from collections.abc import Sequence
from functools import lru_cache
from operator import index
from typing import Generic, SupportsIndex, TypeVar

from ..errors import InternalError
from ..fast_dataclass import dataclass

Value = TypeVar("Value")


class Kind(enum.Enum):
    """How the bits of a field are read."""

    UNSIGNED = "unsigned"
    SIGNED = "signed"  # two's complement
    COUNTER = "counter"  # unsigned, modulo 2**16
    FLOAT = "float32"
    FLAG = "flag"  # one bit
    FIXED = "fixed"  # the same in every instruction of a class
    RESERVED = "reserved"  # zero in every program known


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an instruction: bits [start, start + width)."""

    name: str
    start: int
    width: int
    kind: Kind
    meaning: str


def fit(name: str, value: SupportsIndex, low: int, high: int) -> int:
    """`value` as an integer, which must lie in [low, high]."""
    value = index(value)
    if not low <= value <= high:
        raise InternalError(
            f"field '{name}' cannot hold its value", actual=value, allowed=f"{low}..{high}"
        )
    return value


def signed(bits: int, width: int) -> int:
    """The two's complement value of a field."""
    return bits - (1 << width) if bits >> (width - 1) & 1 else bits


def float_bits(name: str, value: float) -> int:
    """The 32 bits of a float32; a value that is none is refused, never rounded."""
    bits = _nonzero_float_bits(value) if value else _packed_float(value)
    if bits is None:
        raise InternalError(f"field '{name}' needs a float32 value", actual=repr(value))
    return bits


def _packed_float(value: float) -> int:
    return int.from_bytes(struct.pack("<f", value), "little")


@lru_cache(maxsize=4096)
def _nonzero_float_bits(value: float) -> int | None:
    """As above, None if not a float32; zeros stay out of the cache, where they are equal."""
    try:
        bits = _packed_float(value)
    except OverflowError:
        return None
    return bits if bits_float(bits) == value else None


def bits_float(bits: int) -> float:
    """The float of 32 bits; 0.0 for the not-a-numbers, which no value stands for."""
    value = float(struct.unpack("<f", bits.to_bytes(4, "little"))[0])
    return 0.0 if math.isnan(value) else value


class Record(Generic[Value]):
    """Base of all records; see the module's docstring."""

    __slots__ = ("meaning", "name", "start", "width")
    bound = True
    """Whether an attribute of the instruction's class of the same name holds the value."""
    cacheable = True
    """Whether equal values always have equal bits (not so for 0.0 and -0.0)."""

    def __init__(self, name: str, width: int, meaning: str) -> None:
        self.name = name
        self.width = width
        self.meaning = meaning
        self.start = 0

    def fields(self) -> tuple[Field, ...]:
        raise NotImplementedError

    def encode(self, value: Value) -> int:
        raise NotImplementedError

    def decode(self, bits: int) -> Value:
        raise NotImplementedError

    def _fields(self, rows: Sequence[tuple[str, int, Kind, str]]) -> tuple[Field, ...]:
        """Consecutive fields from (suffix, width, kind, meaning) rows."""
        result, start = [], self.start
        for suffix, width, kind, meaning in rows:
            result.append(Field(self.name + suffix, start, width, kind, meaning))
            start += width
        return tuple(result)


class Number(Record[int]):
    """One integer. `low` and `high` are the values accepted."""

    __slots__ = ("_bound", "fixed", "high", "kind", "low", "mask")

    def __init__(
        self,
        name: str,
        width: int,
        meaning: str,
        kind: Kind = Kind.UNSIGNED,
        *,
        bound: bool = True,
        fixed: int = 0,
    ) -> None:
        super().__init__(name, width, meaning)
        self.kind = Kind.FLAG if width == 1 and kind is Kind.UNSIGNED else kind
        self._bound = bound
        self.fixed = fixed
        self.mask = (1 << width) - 1
        self.low, self.high = 0, self.mask
        if kind is Kind.SIGNED:
            self.low, self.high = -(1 << (width - 1)), (1 << (width - 1)) - 1
        elif kind is Kind.COUNTER:
            self.low, self.high = -(1 << 62), 1 << 62

    @property
    def bound(self) -> bool:  # type: ignore[override]
        return self._bound

    def fields(self) -> tuple[Field, ...]:
        return (Field(self.name, self.start, self.width, self.kind, self.meaning),)

    def encode(self, value: int) -> int:
        return fit(self.name, value, self.low, self.high) & self.mask

    def decode(self, bits: int) -> int:
        return signed(bits, self.width) if self.kind is Kind.SIGNED else bits


class Optional(Record[int | None]):
    """A one-bit switch and an integer: None or the integer."""

    __slots__ = ("value_width",)

    def __init__(self, name: str, width: int, meaning: str) -> None:
        super().__init__(name, 1 + width, meaning)
        self.value_width = width

    def fields(self) -> tuple[Field, ...]:
        return self._fields(
            [
                (".on", 1, Kind.FLAG, "enable"),
                (".value", self.value_width, Kind.UNSIGNED, self.meaning),
            ]
        )

    def encode(self, value: int | None) -> int:
        if value is None:
            return 0
        return 1 | fit(self.name, value, 0, (1 << self.value_width) - 1) << 1

    def decode(self, bits: int) -> int | None:
        return bits >> 1 if bits & 1 else None


class Float(Record[float]):
    """One float32."""

    __slots__ = ()
    cacheable = False

    def __init__(self, name: str, meaning: str) -> None:
        super().__init__(name, 32, meaning)

    def fields(self) -> tuple[Field, ...]:
        return (Field(self.name, self.start, 32, Kind.FLOAT, self.meaning),)

    def encode(self, value: float) -> int:
        return float_bits(self.name, value)

    def decode(self, bits: int) -> float:
        return bits_float(bits)


class Floats(Record[tuple[float, ...]]):
    """`count` float32 values; the empty tuple stands for all zero bits."""

    __slots__ = ("count", "names")
    cacheable = False

    def __init__(self, name: str, names: Sequence[str], meaning: str) -> None:
        super().__init__(name, 32 * len(names), meaning)
        self.count = len(names)
        self.names = tuple(names)

    def fields(self) -> tuple[Field, ...]:
        return self._fields([(f".{n}", 32, Kind.FLOAT, self.meaning) for n in self.names])

    def encode(self, value: tuple[float, ...]) -> int:
        if value and len(value) != self.count:
            raise InternalError(
                f"'{self.name}' has the wrong length", actual=len(value), allowed=self.count
            )
        return sum(float_bits(self.name, v) << 32 * i for i, v in enumerate(value))

    def decode(self, bits: int) -> tuple[float, ...]:
        if not bits:
            return ()
        return tuple(bits_float(bits >> 32 * i & 0xFFFFFFFF) for i in range(self.count))


class Loops(Record[tuple[int, ...]]):
    """Trip counts of the tensor op's loops, innermost first; each field holds count - 1."""

    __slots__ = ("count", "count_width")

    def __init__(self, name: str, count: int, count_width: int, meaning: str) -> None:
        super().__init__(name, count * count_width, meaning)
        self.count = count
        self.count_width = count_width

    def fields(self) -> tuple[Field, ...]:
        text = "trip count of loop {}, minus one"
        return self._fields(
            [(f".{i}", self.count_width, Kind.UNSIGNED, text.format(i)) for i in range(self.count)]
        )

    def encode(self, value: tuple[int, ...]) -> int:
        if len(value) > self.count:
            raise InternalError("too many loops", actual=len(value), allowed=self.count)
        bits, limit = 0, 1 << self.count_width
        for i, count in enumerate(value):
            bits |= fit(f"{self.name}.{i}", count, 1, limit) - 1 << i * self.count_width
        return bits

    def decode(self, bits: int) -> tuple[int, ...]:
        mask = (1 << self.count_width) - 1
        counts = []
        while bits:
            counts.append((bits & mask) + 1)
            bits >>= self.count_width
        return tuple(counts)


class LoopTail(Record[tuple[int, int] | None]):
    """None, or (trip count, level) of the tensor op's short last iteration."""

    __slots__ = ("count_width", "level_width")

    def __init__(self, name: str, count_width: int, level_width: int, meaning: str) -> None:
        super().__init__(name, count_width + level_width, meaning)
        self.count_width = count_width
        self.level_width = level_width

    def fields(self) -> tuple[Field, ...]:
        return self._fields(
            [
                (".limit", self.count_width, Kind.UNSIGNED, "trip count, minus one"),
                (".level", self.level_width, Kind.UNSIGNED, self.meaning),
            ]
        )

    def encode(self, value: tuple[int, int] | None) -> int:
        if value is None:
            return 0
        count, level = value
        limit = fit(f"{self.name}.limit", count, 1, 1 << self.count_width) - 1
        high = (1 << self.level_width) - 1
        return limit | fit(f"{self.name}.level", level, 0, high) << self.count_width

    def decode(self, bits: int) -> tuple[int, int] | None:
        if not bits:
            return None
        return (bits & ((1 << self.count_width) - 1)) + 1, bits >> self.count_width


class Signal(Record[int | None]):
    """None, or the loop level whose completion adds one to the unit's own counter."""

    __slots__ = ("level_width", "pad")

    def __init__(self, name: str, level_width: int, pad: int, meaning: str) -> None:
        super().__init__(name, 1 + level_width + pad, meaning)
        self.level_width = level_width
        self.pad = pad

    def fields(self) -> tuple[Field, ...]:
        rows = [
            (".on", 1, Kind.FLAG, self.meaning),
            (".level", self.level_width, Kind.UNSIGNED, "loop level counted"),
        ]
        if self.pad:
            rows.append((".unknown", self.pad, Kind.UNSIGNED, "unknown, set in old programs"))
        return self._fields(rows)

    def encode(self, value: int | None) -> int:
        if value is None:
            return 0
        return 1 | fit(f"{self.name}.level", value, 0, (1 << self.level_width) - 1) << 1

    def decode(self, bits: int) -> int | None:
        return bits >> 1 & ((1 << self.level_width) - 1) if bits & 1 else None
