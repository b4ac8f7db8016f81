"""Runs copies inside tiles and mesh moves word by word, with the counters, to show that a list
of instructions ends and where the words go. It knows nothing of how the list was made."""

from __future__ import annotations

import functools
from collections import defaultdict, deque
from collections.abc import Generator, Iterable

from compiler.lowering.program import (
    Direction,
    Flag,
    MeshMove,
    NarrowToWide,
    Nest,
    TileInstruction,
    Wait,
    WideToNarrow,
)

STEP = {Direction.SOUTH: 4, Direction.NORTH: -4, Direction.EAST: 1, Direction.WEST: -1}
IN = {
    Direction.SOUTH: Flag.NORTH_IN,
    Direction.NORTH: Flag.SOUTH_IN,
    Direction.EAST: Flag.WEST_IN,
    Direction.WEST: Flag.EAST_IN,
}
OUT = {
    Direction.SOUTH: Flag.SOUTH_OUT,
    Direction.NORTH: Flag.NORTH_OUT,
    Direction.EAST: Flag.EAST_OUT,
    Direction.WEST: Flag.WEST_OUT,
}
Process = Generator[None, None, None]


@functools.lru_cache(256)
def addresses(nest: Nest) -> list[tuple[int, tuple[int, ...]]]:
    """(address, index of each level) of every item, the last iteration's tail applied."""
    items = [(0, ())]
    for level, (trips, stride) in reversed(list(enumerate(nest.levels))):
        grown = []
        for number, (offset, index) in enumerate(items):
            short = (
                nest.tail is not None
                and level == 0
                and number == len(items) - 1
                and nest.tail.level > 0
            )
            count = nest.tail.count if short and nest.tail else trips
            grown += [(offset + i * stride, (i, *index)) for i in range(count)]
        items = grown
    slot = nest.double_level
    return [
        (
            nest.base + offset + (_before(nest, index, slot) % 2) * nest.double_offset,
            index,
        )
        for offset, index in items
    ]


@functools.lru_cache(256)
def block_ends(nest: Nest, level: int | None) -> frozenset[int]:
    """Numbers of the items that end a block of `level`."""
    if level is None:
        return frozenset()
    blocks = [index[level:] for _, index in addresses(nest)]
    return frozenset(i for i, b in enumerate(blocks) if blocks[i + 1 : i + 2] != [b])


def _before(nest: Nest, index: tuple[int, ...], level: int) -> int:
    """Number of blocks of `level` before this item."""
    number = 0
    for position in reversed(range(level, len(index))):
        number = number * nest.levels[position][0] + index[position]
    return number


class Simulator:
    """narrow[tile][address] and wide[tile][line] hold the words; `run` ends with an assertion
    if anything is left waiting."""

    def __init__(self, start: dict[Flag, int] | None = None) -> None:
        self.narrow: list[dict[int, object]] = [{} for _ in range(16)]
        self.wide: list[dict[int, list[object]]] = [defaultdict(list) for _ in range(16)]
        self.flags = [defaultdict(int, start or {}) for _ in range(16)]
        self.links: dict[tuple[int, Direction], deque[object]] = defaultdict(deque)

    def run(self, instructions: Iterable[TileInstruction]) -> None:
        """Each unit of each tile takes its instructions in order."""
        queues: dict[tuple[int, object], deque[TileInstruction]] = defaultdict(deque)
        for instruction in instructions:
            unit = getattr(instruction, "direction", type(instruction))
            for tile in range(16):
                if instruction.tiles >> tile & 1:
                    queues[tile, unit].append(instruction)
        active: dict[tuple[int, object], list[Process]] = {}
        moved = True
        while moved:
            moved = False
            for key, queue in queues.items():
                if not active.get(key) and queue:
                    active[key] = self._start(key[0], queue.popleft())
                    moved = True
                for process in list(active.get(key, [])):
                    moved |= self._advance(process, active[key])
        assert not any(queues.values()), "instructions left"
        assert not any(active.values()), "an instruction waits for ever"
        assert not any(self.links.values()), "words left on the mesh"

    def _advance(self, process: Process, running: list[Process]) -> bool:
        """Run one process until it is blocked; whether it did anything."""
        self.busy = False
        if next(process, self) is self:
            running.remove(process)
            return True
        return self.busy

    def _start(self, tile: int, instruction: TileInstruction) -> list[Process]:
        if isinstance(instruction, NarrowToWide):
            return [self._store(tile, instruction)]
        if isinstance(instruction, WideToNarrow):
            return [self._load(tile, instruction)]
        assert isinstance(instruction, MeshMove)
        processes = []
        if instruction.source.levels:
            processes.append(self._send(tile, instruction))
        if instruction.destination.levels:
            processes.append(self._receive(tile, instruction))
        return processes

    def _await(self, tile: int, waits: Iterable[Wait], index: int) -> Process:
        for wait in waits:
            assert wait.level == 0
            while self.flags[tile][wait.flag] < wait.threshold + index * wait.increment:
                yield
            self.busy = True

    def _send(self, tile: int, move: MeshMove) -> Process:
        waits = [wait for wait in move.waits if wait and not wait.space]
        ends = block_ends(move.source, move.signal_sent)
        for number, (address, _) in enumerate(addresses(move.source)):
            yield from self._await(tile, waits, number)
            word = self.narrow[tile][address]
            self.links[tile + STEP[move.direction], move.direction].append(word)
            self.flags[tile][OUT[move.direction]] += number in ends
            self.busy = True

    def _receive(self, tile: int, move: MeshMove) -> Process:
        waits = [wait for wait in move.waits if wait and wait.space]
        ends = block_ends(move.destination, move.signal_received)
        for number, (address, _) in enumerate(addresses(move.destination)):
            yield from self._await(tile, waits, number)
            link = self.links[tile, move.direction]
            while not link:
                yield
            self.narrow[tile][address] = link.popleft()
            self.flags[tile][IN[move.direction]] += number in ends
            self.busy = True

    def _store(self, tile: int, store: NarrowToWide) -> Process:
        lines = addresses(store.wide)
        groups = _by_line(store.narrow, store.fill_level)
        assert len(lines) == len(groups)
        for number, ((line, _), group) in enumerate(zip(lines, groups, strict=True)):
            assert len(group) <= 64
            yield from self._await(tile, [w for w in store.waits if w], number)
            self.wide[tile][line] = [self.narrow[tile][address] for address in group]
            self.flags[tile][Flag.NARROW_TO_WIDE] += 1
            self.busy = True

    def _load(self, tile: int, load: WideToNarrow) -> Process:
        lines = addresses(load.wide)
        groups = _by_line(load.narrow, load.fill_level)
        assert len(lines) == len(groups)
        for number, ((line, _), group) in enumerate(zip(lines, groups, strict=True)):
            yield from self._await(tile, [w for w in load.waits if w], number)
            for address, word in zip(group, self.wide[tile][line], strict=True):
                self.narrow[tile][address] = word
            self.flags[tile][Flag.WIDE_TO_NARROW] += 1
            self.busy = True


def _by_line(nest: Nest, fill_level: int) -> list[list[int]]:
    """Addresses of the words of each line: the blocks of the `fill_level` inner levels."""
    lines: dict[tuple[int, ...], list[int]] = {}
    for address, index in addresses(nest):
        lines.setdefault(index[fill_level:], []).append(address)
    return list(lines.values())
