"""Building blocks of an instruction, continued: address streams and wait slots.

Facts: docs/format/instructions.md, "Building blocks"; docs/format/synchronisation.md.
"""

from __future__ import annotations

from operator import index

from ..errors import InternalError
from ..lowering.program import Flag, Nest, ScalarFlag, Tail, Wait
from .records import Field, Kind, Record, fit, signed

COUNTER_BITS = 16
"""Width of the chip's synchronisation counters; all comparisons wrap."""


class WaitSlot(Record[Wait | None]):
    """One wait or None. `space`: the slot has the bit that makes it guard the write
    stream. `flags`: the counters it can wait for."""

    __slots__ = ("flag_width", "flags", "level_width", "space")

    def __init__(
        self,
        name: str,
        level_width: int,
        *,
        space: bool = False,
        flag_width: int = 5,
        flags: type[Flag] | type[ScalarFlag] = Flag,
    ) -> None:
        width = flag_width + level_width + 2 * COUNTER_BITS + 1 + space
        super().__init__(name, width, "condition before a block starts")
        self.level_width = level_width
        self.flag_width = flag_width
        self.space = space
        self.flags = flags

    def fields(self) -> tuple[Field, ...]:
        rows = [
            (".flag", self.flag_width, Kind.UNSIGNED, "counter waited for"),
            (".level", self.level_width, Kind.UNSIGNED, "loop level of the blocks"),
            (".threshold", COUNTER_BITS, Kind.SIGNED, "value needed by block 0"),
            (".increment", COUNTER_BITS, Kind.SIGNED, "more for every later block"),
            (".on", 1, Kind.FLAG, "enable"),
        ]
        if self.space:
            rows.append((".space", 1, Kind.FLAG, "guards the write stream"))
        return self._fields(rows)

    def encode(self, value: Wait | None) -> int:
        if value is None:
            return 0
        if not isinstance(value.flag, self.flags) or (value.space and not self.space):
            raise InternalError(f"'{self.name}' cannot hold this wait", actual=value)
        shift = self.flag_width
        bits = value.flag.value
        bits |= fit(f"{self.name}.level", value.level, 0, (1 << self.level_width) - 1) << shift
        shift += self.level_width
        bits |= (index(value.threshold) & 0xFFFF) << shift
        bits |= (index(value.increment) & 0xFFFF) << shift + COUNTER_BITS
        return bits | (3 if value.space else 1) << shift + 2 * COUNTER_BITS

    def decode(self, bits: int) -> Wait | None:
        flag = bits & ((1 << self.flag_width) - 1)
        shift = self.flag_width + self.level_width
        switches = bits >> shift + 2 * COUNTER_BITS
        if not switches & 1 or flag >= len(self.flags):
            return None
        return Wait(
            self.flags(flag),
            bits >> self.flag_width & ((1 << self.level_width) - 1),
            signed(bits >> shift & 0xFFFF, COUNTER_BITS),
            signed(bits >> shift + COUNTER_BITS & 0xFFFF, COUNTER_BITS),
            bool(switches & 2),
        )


class WaitSlots(Record[tuple[Wait | None, ...]]):
    """`count` wait slots like `slot`; trailing empty ones are left out of the value."""

    __slots__ = ("count", "slot")

    def __init__(self, slot: WaitSlot, count: int) -> None:
        super().__init__(slot.name, count * slot.width, slot.meaning)
        self.slot = slot
        self.count = count

    def fields(self) -> tuple[Field, ...]:
        rows = [
            (f"{i}{field.name[len(self.name) :]}", field.width, field.kind, field.meaning)
            for i in range(self.count)
            for field in self.slot.fields()
        ]
        return self._fields(rows)

    def encode(self, value: tuple[Wait | None, ...]) -> int:
        if len(value) > self.count:
            raise InternalError("too many waits", actual=len(value), allowed=self.count)
        bits = 0
        for i, wait in enumerate(value):
            bits |= self.slot.encode(wait) << i * self.slot.width
        return bits

    def decode(self, bits: int) -> tuple[Wait | None, ...]:
        mask = (1 << self.slot.width) - 1
        waits = []
        while bits:
            waits.append(self.slot.decode(bits & mask))
            bits >>= self.slot.width
        while waits and waits[-1] is None:
            waits.pop()
        return tuple(waits)


class Stream(Record[Nest]):
    """An address stream: base, then `levels` x (delta, limit), then the buffer block.

    The chip adds delta k when loop k advances and all inner loops go back to their start:
    delta_k = stride_k - sum over j < k of (count_j - 1) * stride_j. An unused level has
    limit 0 and the delta that goes back to the start. Addresses have `address_width - 1`
    bits, deltas `address_width`; the address adder wraps, so the delta of an unused level,
    which is never applied, may wrap too.
    """

    __slots__ = ("address_width", "buffer_start", "levels", "select_width")

    def __init__(self, name: str, address_width: int, levels: int, meaning: str) -> None:
        self.address_width = address_width
        self.levels = levels
        self.select_width = 3 if levels > 4 else 2
        address = address_width - 1
        self.buffer_start = address + levels * (address_width + address)
        buffer_width = levels + 2 * self.select_width + 3 * address + 1
        super().__init__(name, self.buffer_start + buffer_width, meaning)

    def fields(self) -> tuple[Field, ...]:
        address = self.address_width - 1
        rows = [(".base", address, Kind.UNSIGNED, self.meaning)]
        for k in range(self.levels):
            rows.append((f".delta{k}", self.address_width, Kind.SIGNED, f"step of loop {k}"))
            rows.append((f".limit{k}", address, Kind.UNSIGNED, f"trip count {k}, minus one"))
        rows += [
            (".enabled", self.levels, Kind.UNSIGNED, "mask of the loop levels in use"),
            (".double_level", self.select_width, Kind.UNSIGNED, "level that changes buffers"),
            (".double_offset", address, Kind.UNSIGNED, "offset of the second buffer"),
            (".reserved", 1, Kind.RESERVED, "zero"),
            (".tail_limit", address, Kind.UNSIGNED, "last iteration's trip count, minus one"),
            (".tail_level", self.select_width, Kind.UNSIGNED, "level of that iteration"),
            (".tail_adjust", address, Kind.SIGNED, "address correction after it"),
        ]
        return self._fields(rows)

    def encode(self, nest: Nest) -> int:
        levels = nest.levels
        width, address, name = self.address_width, self.address_width - 1, self.name
        if len(levels) > self.levels:
            raise InternalError(
                f"stream '{name}' has too many loops", actual=len(levels), allowed=self.levels
            )
        top = 1 << address
        bits, shift, walk = fit(name + ".base", nest.base, 0, top - 1), address, 0
        for count, stride in levels:
            limit, step = index(count) - 1, index(stride)
            delta = step - walk
            if not (-top <= delta < top and 0 <= limit < top):
                fit(name + " step", delta, -top, top - 1)
                fit(name + " trip count", limit + 1, 1, top)
            bits |= (delta & (2 * top - 1) | limit << width) << shift
            walk += limit * step
            shift += width + address
        if walk:
            delta = -walk & (2 * top - 1)
            for _ in range(self.levels - len(levels)):
                bits |= delta << shift
                shift += width + address
        return bits | self._encode_buffer(nest) << self.buffer_start

    def _encode_buffer(self, nest: Nest) -> int:
        name, address, select = self.name, self.address_width - 1, self.select_width
        bits = fit(name + ".enabled", nest.enabled, 0, (1 << self.levels) - 1)
        top, selects = 1 << address, (1 << select) - 1
        shift = self.levels
        if nest.double_level or nest.double_offset:
            bits |= fit(name + ".double_level", nest.double_level, 0, selects) << shift
            offset = fit(name + ".double_offset", nest.double_offset, 0, top - 1)
            bits |= offset << shift + select
        tail = nest.tail
        if tail is not None:
            shift += select + address + 1
            bits |= fit(name + " tail count", tail.count, 1, top) - 1 << shift
            shift += address
            bits |= fit(name + ".tail_level", tail.level, 0, selects) << shift
            adjust = fit(name + ".tail_adjust", tail.adjust, -(top >> 1), (top >> 1) - 1)
            bits |= (adjust & (top - 1)) << shift + select
        return bits

    def decode(self, bits: int) -> Nest:
        if not bits:
            return Nest()
        width, address = self.address_width, self.address_width - 1
        mask, delta_mask = (1 << address) - 1, (1 << width) - 1
        rest, walk = bits >> address, 0
        levels: list[tuple[int, int]] = []
        for _ in range(self.levels):
            limit = rest >> width & mask
            stride = signed(rest & delta_mask, width) + walk
            levels.append((limit + 1, stride))
            walk += limit * stride
            rest >>= width + address
        while levels and levels[-1][0] == 1 and not levels[-1][1] & delta_mask:
            levels.pop()
        return self._decode_buffer(Nest(bits & mask, tuple(levels)), rest)

    def _decode_buffer(self, nest: Nest, bits: int) -> Nest:
        address, select = self.address_width - 1, self.select_width
        mask, selects = (1 << address) - 1, (1 << select) - 1
        rest = bits >> self.levels
        double_level, double_offset = rest & selects, rest >> select & mask
        rest >>= select + address + 1
        tail = None
        if rest:
            adjust = signed(rest >> address + select & mask, address)
            tail = Tail((rest & mask) + 1, rest >> address & selects, adjust)
        enabled = bits & ((1 << self.levels) - 1)
        return Nest(nest.base, nest.levels, enabled, double_level, double_offset, tail)
