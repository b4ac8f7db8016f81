"""Collects the instructions of one program and writes the idioms every part shares:
fences, barriers, base addresses, host descriptors, the program's frame.

Reads nothing; writes the Program level. Facts: docs/format/execution.md.
"""

from __future__ import annotations

from dataclasses import replace

from ..fast_dataclass import dataclass
from ..release import Release
from .program import (
    ALL_TILES,
    Halt,
    Instruction,
    Jump,
    Pop,
    Program,
    ScalarFence,
    ScalarOp,
    TileFence,
    Unit,
)

RING_AND_FEED = 0xC
"""Scalar units every barrier waits for."""
ALL_FLAGS = 0x1FFFF
"""Tile counters 0..16: everything but the two ring producer counters, which run on."""

# Scalar core operations (bits 54..60); +0x20 takes an immediate operand.
_ADD_IMMEDIATE = 0x21
_AND_IMMEDIATE = 0x23
_NOT_EQUAL = 0x0A
_LESS_IMMEDIATE = 0x2C
_MOVE = 0x0F
_MOVE_IMMEDIATE = 0x2F

# Host descriptor: four fields, then fire.
_DESCRIPTOR_FIELD = 0xA
_DESCRIPTOR_FIRE = 0xC
TAG_INPUT = 1
TAG_PARAMETERS = 2
TAG_OUTPUT = 3
TAG_INTERRUPT = 4


@dataclass(frozen=True, slots=True)
class _Fed:
    """A pop of what the host sends, since the last barrier: its tiles, and those which know that
    these have it (masks)."""

    destinations: int
    known_to: int


class ProgramBuilder:
    """Instructions in order, plus the two ring producer message counters, which run
    through the whole program (`producer_a`, `producer_b`)."""

    def __init__(self, release: Release) -> None:
        self.release = release
        self.instructions: list[Instruction] = []
        self.producer_a = 0
        self.producer_b = 0
        self._fed: list[_Fed] = []

    def add(self, instruction: Instruction) -> None:
        self.instructions.append(instruction)
        if isinstance(instruction, Pop):
            if instruction.signal_ring is not None:
                self._fed.clear()
            else:
                self._fed.append(_Fed(instruction.destinations, instruction.destinations))
        elif isinstance(instruction, ScalarFence) and instruction.notify_tiles == ALL_TILES:
            self._fed.clear()

    def tell(self, sources: int, tiles: int) -> None:
        """Each of `tiles` has got data of all of `sources`, and knows what the host sent these."""
        for number, fed in reversed(list(enumerate(self._fed))):
            if fed.destinations & sources:
                self._fed[number] = replace(fed, known_to=fed.known_to | tiles)
                return

    def overtakes_feed(self, sender: int, readers: int) -> bool:
        """Whether a message of tile `sender`, with all units of it idle before, could reach one
        of `readers` before what the host sends there. A tile knows of the pops up to the last one
        it knows of; all tiles know of those before a barrier, and before one that counts as a
        message (docs/format/synchronisation.md, "Ring bus")."""
        return any(fed.destinations & readers for fed in self._fed[self._known_to(sender) :])

    def takes_turn(self, sender: int) -> None:
        """Tile `sender` sends a message: whoever sends behind it knows what it knows."""
        del self._fed[: self._known_to(sender)]

    def _known_to(self, tile: int) -> int:
        """Pops since the last barrier up to the last one that a tile knows of."""
        for number in range(len(self._fed), 0, -1):
            if self._fed[number - 1].known_to >> tile & 1:
                return number
        return 0

    # -- fences ---------------------------------------------------------------------

    def tile_fence(
        self,
        flags: int = 0,
        units: int = 0,
        *,
        tiles: int = ALL_TILES,
        value: int = 0,
        notify: int = 0,
    ) -> None:
        self.add(TileFence(tiles=tiles, flags=flags, units=units, value=value, notify=notify))

    def reset(self) -> None:
        """All units idle, then every counter back to zero."""
        self.tile_fence(ALL_FLAGS, Unit.ALL)

    def idle(self) -> None:
        """All units idle; counters run on."""
        self.tile_fence(0, Unit.ALL)

    def barrier(self, flags: int = 0) -> None:
        """All tiles idle, and the scalar core waits for all of them."""
        self.tile_fence(flags, Unit.ALL, notify=1)
        self.wait_tiles()

    def wait_tiles(self, units: int = RING_AND_FEED) -> None:
        self.add(ScalarFence(tiles=ALL_TILES, notify_count=1, notify_tiles=ALL_TILES, units=units))

    # -- scalar core ------------------------------------------------------------------

    def move_immediate(self, target: int, value: int = 0) -> None:
        self.add(ScalarOp(operation=_MOVE_IMMEDIATE, target=target, immediate=value))

    def load_base(self) -> None:
        """Input or output base address -> registers; the driver fills in the immediates."""
        high, low = self._base_registers()
        self.move_immediate(high)
        self.move_immediate(low)

    def address_from_base(self, offset: int = 0) -> None:
        """(r4:r5) = base address of the activation loaded last, + `offset` bytes."""
        high, low = self._base_registers()
        self.copy_address(low, high, 5, 4, 6, offset=offset)

    def parameter_address(self, offset: int) -> None:
        """(r4:r5) = parameter base + `offset` bytes."""
        self.copy_address(1, 0, 5, 4, 6, offset=offset)

    def address_to_descriptor(self) -> None:
        """(r7:r6) = (r4:r5), the registers `fire` sends."""
        self.copy_address(5, 4, 6, 7, 10)

    def fire(self, size: int, tag: int, first: int = 6) -> None:
        """Send one host DMA descriptor: address (r7:r6), `size` bytes, `tag`. `first` is
        the first of the four registers that hold it: low and high address, size, tag."""
        self.add(ScalarOp(command=_DESCRIPTOR_FIELD, command_source=first))
        for slot, value in ((1, size), (2, tag)):
            self.add(
                ScalarOp(
                    command=_DESCRIPTOR_FIELD,
                    command_slot=slot,
                    command_source=first + slot,
                    operation=_MOVE_IMMEDIATE,
                    target=first + slot + 1,
                    immediate=value,
                )
            )
        self.add(ScalarOp(command=_DESCRIPTOR_FIELD, command_slot=3, command_source=first + 3))
        self.add(ScalarOp(command=_DESCRIPTOR_FIRE))

    def _base_registers(self) -> tuple[int, int]:
        return (10, 11) if self.release.folded_addresses else (11, 12)

    def copy_address(
        self, low: int, high: int, to_low: int, to_high: int, temp: int, *, offset: int = 0
    ) -> None:
        """(to_high:to_low) = (high:low) + offset: an addition of 0 folded into moves, or
        with the carry written out."""
        if self.release.folded_addresses and not offset:
            for target, source in ((to_low, low), (to_high, high)):
                self.add(ScalarOp(operation=_MOVE, target=target, immediate=source))
            return
        add = self.add
        carried = ScalarOp(gate=1, sense=1, operation=_ADD_IMMEDIATE)
        add(ScalarOp(operation=_LESS_IMMEDIATE, operand=low))
        add(ScalarOp(operation=_NOT_EQUAL, target=1, operand=low, immediate=low))
        add(ScalarOp(operation=_AND_IMMEDIATE, target=temp, operand=low, immediate=0x7FFFFFFF))
        add(replace(carried, target=temp, operand=temp, immediate=offset))
        add(replace(carried, operation=_LESS_IMMEDIATE, target=1, operand=temp))
        add(ScalarOp(operation=_ADD_IMMEDIATE, target=to_low, operand=low, immediate=offset))
        add(ScalarOp(operation=_ADD_IMMEDIATE, target=to_high, operand=high))
        add(replace(carried, predicate=1, target=to_high, operand=to_high, immediate=1))

    def mark(self) -> int:
        """The place of the next instruction, for a jump back."""
        return len(self.instructions)

    def jump_unless_done(self, mark: int) -> None:
        """Back to `mark`, unless predicate 0 holds."""
        from ..beagle.codec import layout_of  # noqa: PLC0415 - only loops count words

        self.add(Jump(gate=1, sense=1, offset=2))
        body = sum(layout_of(instruction).words for instruction in self.instructions[mark:])
        self.add(Jump(offset=-body))

    # -- frame ------------------------------------------------------------------------

    def begin(self) -> None:
        """Drain everything, reset all counters, load the parameter and scratch bases."""
        self.drain()
        for register in (1, 0, 3, 2):
            self.move_immediate(register)
        self.restart_feed()

    def restart_feed(self) -> None:
        """The feed's counters at zero: before anything is taken in from the host."""
        self.add(ScalarFence(flags=5, units=RING_AND_FEED))
        self.barrier()

    def drain(self) -> None:
        """First of all: every unit of tiles and scalar core idle, every counter zero."""
        self.tile_fence(0x7FFFF, Unit.ALL, notify=1)
        self.add(
            ScalarFence(
                tiles=ALL_TILES, flags=0x1FF, notify_count=1, notify_tiles=ALL_TILES, units=0x1F
            )
        )

    def halt(self) -> None:
        """Last of all: stop, and four empty words behind it."""
        self.add(Halt())
        for _ in range(4):
            self.add(ScalarOp())

    def end(self) -> None:
        """Wait for every ring message, tell the host, halt."""
        self.reset()
        self.drain_producers()
        self.tile_fence(0, Unit.ALL, notify=0xD)
        self.wait_tiles()
        self.move_immediate(4)
        self.move_immediate(5)
        self.address_to_descriptor()
        self.fire(0, TAG_INTERRUPT)
        self.halt()

    def drain_producers(self) -> None:
        """Wait until all ring messages sent so far have gone, then restart their count."""
        used = (1 if self.producer_a else 0) | (2 if self.producer_b else 0)
        flags = used << 5
        self.add(
            ScalarFence(
                tiles=ALL_TILES,
                flags=flags,
                producer_a=self.producer_a,
                producer_b=self.producer_b,
                producers=used,
                units=RING_AND_FEED,
            )
        )
        self.tile_fence(flags << 12, Unit.ALL, notify=1)
        self.wait_tiles()
        self.producer_a = self.producer_b = 0

    def program(
        self,
        *,
        caching: bool = False,
        parameters: bytes = b"",
        activations: tuple[int, ...] = (),
    ) -> Program:
        return Program(
            tuple(self.instructions),
            caching=caching,
            parameters=parameters,
            activations=activations,
        )
