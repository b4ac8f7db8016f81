"""Moves inside a tile between narrow words and wide lines, and into the scaling unit.

Facts: docs/format/execution.md, "Narrow to wide" and "Wide to narrow".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..errors import EmulationError
from ..lowering.program import Flag, NarrowToWide, WideToNarrow
from .accesses import Access, Space, lane_units
from .counters import WaitSet, split_waits
from .execution import Side, counted_levels, next_boundary, signals
from .memories import LINE_WORDS, NARROW_WORDS, SCALING_BYTES, WIDE_LINES, Array, gather, rows
from .streams import Addresses, AddressStream

if TYPE_CHECKING:
    from .chip import Chip

_NARROW_LEVELS = 6
_SCALING_UNITS_PER_LINE = 32
_LANES_PER_UNIT = 16


class NarrowToWideSide(Side):
    """Collects narrow words into lines; a line is written when it is full or its block of
    level `fill_level` ends. Items are lines."""

    def __init__(self, chip: Chip, instruction: NarrowToWide) -> None:
        self.narrow = AddressStream(instruction.narrow, _NARROW_LEVELS)
        self.wide = AddressStream(instruction.wide, 4)
        self.narrow.check("narrow memory", NARROW_WORDS)
        self.wide.check("wide memory", WIDE_LINES)
        self.line, self.lane = _pack(self.narrow.starts(instruction.fill_level), LINE_WORDS)
        lines = int(self.line[-1]) + 1
        if lines > self.wide.total:
            raise EmulationError(
                "narrow words fill more lines than the wide stream has",
                actual=lines,
                allowed=self.wide.total,
            )
        self.words_until = np.searchsorted(self.line, np.arange(lines + 1))
        super().__init__(chip, lines, split_waits(instruction.waits, self.narrow, self.wide))
        self.transpose = instruction.transpose
        self.signals = signals((Flag.NARROW_TO_WIDE, instruction.signal, self.wide))

    def reach(self, tile: int, start: int) -> int:
        counters = self.chip.counters.tile
        room = min(self.total, self.waits[1].limit(counters, tile, start))
        words = self.waits[0].limit(counters, tile, int(self.words_until[start]))
        filled = int(np.searchsorted(self.words_until, words, side="right")) - 1
        return max(start, min(room, filled))

    def run(self, tiles: Sequence[int], start: int, stop: int) -> None:
        first, last = self.words_until[start], self.words_until[stop]
        words = gather(self.chip.memories.narrow_words, tiles, self.narrow.addresses()[first:last])
        lines = self.wide.addresses()[self.line[first:last]]
        _store_words(self.chip, tiles, (lines, self.lane[first:last]), words, self.transpose)
        self.chip.fire(self.signals, tiles, start, stop)

    def cycles(self, start: int, stop: int) -> float:
        return float(self.words_until[stop] - self.words_until[start])

    def moved(self, start: int, stop: int) -> int:
        return int(4 * (self.words_until[stop] - self.words_until[start]))

    def boundary(self, start: int) -> int:
        return start + 1

    def waited(self, start: int, stop: int) -> list[tuple[WaitSet, int, int]]:
        words = int(self.words_until[start]), int(self.words_until[stop])
        return [(self.waits[0], *words), (self.waits[1], start, stop)]

    def accesses(self, start: int, stop: int) -> list[Access]:
        words = slice(self.words_until[start], self.words_until[stop])
        lines = self.wide.addresses()[self.line[words]]
        return [
            Access(Space.NARROW, False, self.narrow.addresses()[words]),
            Access(Space.WIDE, True, lane_units(lines, self.lane[words], _LANES_PER_UNIT)),
        ]


class WideToNarrowSide(Side):
    """Spreads lines over narrow words (or 8-byte units of the scaling unit). Items are words."""

    def __init__(self, chip: Chip, instruction: WideToNarrow) -> None:
        self.wide = AddressStream(instruction.wide, 4)
        self.narrow = AddressStream(instruction.narrow, _NARROW_LEVELS)
        self.to_scaling = bool(instruction.to_scaling)
        self.wide.check("wide memory", WIDE_LINES)
        if self.to_scaling:
            self.narrow.check("scaling unit", SCALING_BYTES // 8)
        else:
            self.narrow.check("narrow memory", NARROW_WORDS)
        width = _SCALING_UNITS_PER_LINE if self.to_scaling else LINE_WORDS
        starts = self.narrow.starts(instruction.fill_level or _NARROW_LEVELS)
        skips, dropped = self._skips(instruction)
        self.line, self.lane = _pack(starts, width, skips, dropped)
        last = self.wide.total - 1
        self.line_address = self.wide.addresses()[np.minimum(self.line, last)]
        super().__init__(
            chip, self.narrow.total, split_waits(instruction.waits, self.wide, self.narrow)
        )
        flag = Flag.WIDE_TO_SCALING if self.to_scaling else Flag.WIDE_TO_NARROW
        self.signals = signals((flag, instruction.signal, self.narrow))
        self.levels = counted_levels(self.waits[1:], ())

    def _skips(self, instruction: WideToNarrow) -> tuple[Addresses | None, int]:
        """(items before which words are dropped, how many)."""
        if not instruction.skip & 1:
            return None, 0
        level = min((instruction.skip >> 1) + 1, _NARROW_LEVELS)
        return self.narrow.starts(level)[:-1], instruction.skip_last + 1

    def reach(self, tile: int, start: int) -> int:
        counters = self.chip.counters.tile
        room = self.waits[1].limit(counters, tile, start)
        opened = int(self.line[start - 1]) if start else 0
        lines = self.waits[0].limit(counters, tile, opened)
        if lines < self.wide.total:
            room = min(room, int(np.searchsorted(self.line, lines)))
        return max(start, room)

    def run(self, tiles: Sequence[int], start: int, stop: int) -> None:
        memories = self.chip.memories
        lines, lanes = self.line_address[start:stop], self.lane[start:stop]
        addresses = self.narrow.addresses()[start:stop]
        if self.to_scaling:
            source = memories.wide_lines.view(np.uint64).reshape(len(memories.wide_lines), -1)
            values = gather(source, tiles, lines * _SCALING_UNITS_PER_LINE + lanes)
            _assign(memories.scaling_units, tiles, addresses, values)
        else:
            source = memories.wide_words.reshape(len(memories.wide_words), -1)
            values = gather(source, tiles, lines * LINE_WORDS + lanes)
            _assign(memories.narrow_words, tiles, addresses, values)
        self.chip.fire(self.signals, tiles, start, stop)

    def boundary(self, start: int) -> int:
        line_end = int(np.searchsorted(self.line, self.line[start], side="right"))
        return min(line_end, next_boundary(start, self.levels, self.total))

    def moved(self, start: int, stop: int) -> int:
        return (8 if self.to_scaling else 4) * (stop - start)

    @property
    def stepped(self) -> bool:
        return True

    def waited(self, start: int, stop: int) -> list[tuple[WaitSet, int, int]]:
        opened = int(self.line[start - 1]) if start else 0
        last = min(int(self.line[stop - 1]) + 1, self.wide.total)
        return [(self.waits[0], opened, last), (self.waits[1], start, stop)]

    def accesses(self, start: int, stop: int) -> list[Access]:
        lines, lanes = self.line_address[start:stop], self.lane[start:stop]
        per_unit = _LANES_PER_UNIT // 2 if self.to_scaling else _LANES_PER_UNIT
        target = Space.SCALING if self.to_scaling else Space.NARROW
        after = None
        for signal in self.signals:
            blocks = self.narrow.starts(signal.level)
            done = np.searchsorted(blocks, np.arange(start, stop), side="right")
            after = done - done[0]
        read = lane_units(lines, lanes, per_unit)
        last = None if after is None else np.full(len(read), after[-1])
        return [
            Access(Space.WIDE, False, read, last),
            Access(target, True, self.narrow.addresses()[start:stop], after),
        ]


def _pack(
    starts: Addresses, width: int, skips: Addresses | None = None, dropped: int = 0
) -> tuple[Addresses, Addresses]:
    """(line, lane) of every item when each block starts a new line of `width` items and
    `dropped` lanes are passed over before each item of `skips`."""
    total = int(starts[-1])
    items = np.arange(total)
    block = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    position = items - starts[block]
    if skips is not None:
        passed = np.searchsorted(skips, items, side="right")
        before = np.searchsorted(skips, starts[:-1], side="left")
        position = position + dropped * (passed - before[block])
    lines_of_block = position[starts[1:] - 1] // width + 1
    first_line = np.concatenate(([0], np.cumsum(lines_of_block)[:-1]))
    return first_line[block] + position // width, position % width


def _assign(memory: Array, tiles: Sequence[int], addresses: Addresses, values: Array) -> None:
    selected = rows(tiles)
    if isinstance(selected, slice):
        memory[selected][:, addresses] = values
    else:
        memory[selected[:, None], addresses] = values


def _store_words(
    chip: Chip,
    tiles: Sequence[int],
    place: tuple[Addresses, Addresses],
    words: Array,
    transpose: int,
) -> None:
    """Words into lanes of lines; with `transpose` 1 bytes of four words change places (byte k
    of word j goes to lane k, byte j), with 3 16-bit halves of two words."""
    lines, lanes = place
    memories = chip.memories
    if transpose == 1:
        for byte in range(4):
            offset = 256 * lines + 4 * (lanes & ~3) + 4 * byte + (lanes & 3)
            values = (words >> np.uint32(8 * byte)).astype(np.uint8)
            _assign(memories.wide_bytes, tiles, offset, values)
    elif transpose == 3:
        for half in range(2):
            offset = 128 * lines + 2 * (lanes & ~1) + 2 * half + (lanes & 1)
            values = (words >> np.uint32(16 * half)).astype(np.uint16)
            _assign(memories.wide_halves, tiles, offset, values)
    else:
        target = memories.wide_words.reshape(len(memories.wide_words), -1)
        _assign(target, tiles, LINE_WORDS * lines + lanes, words)
