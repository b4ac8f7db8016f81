"""What the phases of SOFTMAX share: places of the working vectors and FIFOs, and the few
instruction forms they repeat. Facts: docs/format/softmax.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from ..float32 import from_bits, single
from ..planning.softmax import SoftmaxStep
from ..planning.softmax_area import span_words
from .lower import Lowering
from .program import (
    INF,
    Direction,
    Flag,
    MeshMove,
    Mode,
    NarrowToWide,
    Nest,
    Tail,
    TensorOp,
    Unit,
    Wait,
)
from .ring_transfer import RingLines, end_of_round, ring_message
from .streams import stream, words

DIFFERENCE_ZERO = 255
"""x - max is at most 0 and stored as 255 + (x - max)."""
EXPONENT_LIMIT = from_bits(0xC1509C0D)
"""-13.038098: below it the exponential's 16-bit value is 0."""
ROOT_UNIT = from_bits(0x37800080)
"""2**-16 (1 + 2**-16): unit of the sum of exponentials, and of the squared root."""
RESULT_UNIT = from_bits(0x34000157)
"""Unit of exponential times reciprocal, in 1/256."""
MESH_FLAGS = 0x7F8
"""The eight mesh counters."""
OPERANDS = 1 << Flag.PARAMETERS
STORED = 1 << Flag.NARROW_TO_WIDE
LINE_SPACE = Wait(Flag.PARAMETERS, 1, -1, 1, True)
"""Room for the next lines of a FIFO that a tensor op empties."""


@dataclass(frozen=True)
class Work:
    """Word addresses on every tile and wide lines of one SOFTMAX.

    The vector has `words` words in blocks of `block`; 16-bit values take two words a word.
    Block b of the input is `pitch * b` words from `slices`; the FIFOs lie below line `top`.
    """

    lowering: Lowering
    step: SoftmaxStep
    base: int
    slices: int
    result: int
    top: int

    @classmethod
    def of(cls, lowering: Lowering, step: SoftmaxStep) -> Work:
        """With the FIFOs where they are before the exponentials."""
        places = (lowering.address(name) for name in (step.work, step.input, step.result))
        base, slices, result = places
        return cls(lowering, step, base, slices, result + step.result_offset, step.top)

    def below_identity(self) -> Work:
        """The same, once the byte identity is in its line."""
        return replace(self, top=self.identity)

    @property
    def pitch(self) -> int:
        return self.step.pitch

    @cached_property
    def masked(self) -> bool:
        return self.step.masked

    @cached_property
    def words(self) -> int:
        return self.step.blocks.words

    @cached_property
    def block(self) -> int:
        return self.step.blocks.block

    @cached_property
    def tiles(self) -> int:
        return self.step.blocks.tiles

    @cached_property
    def mask(self) -> int:
        return self.step.blocks.mask

    @cached_property
    def groups(self) -> tuple[tuple[int, int], ...]:
        """(tiles, words) of whole blocks and of the short last one."""
        return self.step.blocks.groups()

    def size(self, tile: int) -> int:
        """Words of the block on `tile`."""
        return self.step.blocks.size(tile)

    # -- quantisation ---------------------------------------------------------------------

    def _limit(self, value: int) -> float:
        """f32(f32(value * scale) * f32(1 / scale)): a clamp in input steps."""
        scale = self.step.input_scale
        return single(single(value * scale) * single(1 / scale))

    @cached_property
    def input_max(self) -> float:
        return self._limit(255 - self.step.input_zero)

    @cached_property
    def input_min(self) -> float:
        return self._limit(-self.step.input_zero)

    @cached_property
    def widest_difference(self) -> float:
        """The clamp at -255."""
        return -self._limit(255)

    # -- narrow memory --------------------------------------------------------------------

    @cached_property
    def span(self) -> int:
        """Words between the working vectors."""
        return span_words(self.step.elements)

    @property
    def vector(self) -> int:
        """The whole input, later all maxima."""
        return self.base

    @cached_property
    def maximum(self) -> int:
        """One word with the maximum, behind which the four constant words lie."""
        return self.base + (self.span if self.masked else 2 * self.span)

    @cached_property
    def word_maximum(self) -> int:
        """One word: the maxima of the four channels of all words."""
        return self.base + (self.span + 1 if self.masked else self.span)

    @cached_property
    def maxima(self) -> int:
        """The maximum at every place of the vector."""
        return self.base + (0 if self.masked else self.span)

    @cached_property
    def scratch(self) -> int:
        """Three blocks of scratch: differences, the negation's output, constants."""
        return self.slices + (self.block if self.masked else 4 * self.span)

    @property
    def differences(self) -> int:
        return self.scratch

    @property
    def discarded(self) -> int:
        """Output place of the negation, which writes accumulators only."""
        return self.scratch + self.block

    @property
    def constants(self) -> int:
        return self.scratch + 2 * self.block

    @cached_property
    def exponentials(self) -> int:
        """16-bit exponentials of the whole vector."""
        return self.base + (2 * self.block if self.masked else 0)

    @cached_property
    def total(self) -> int:
        """Two words: 1 / sqrt(sum), then the reciprocal."""
        return self.base + (2 * self.block + 2 * self.span if self.masked else 4 * self.span)

    @cached_property
    def reciprocals(self) -> int:
        """The reciprocal at every place of the vector; before that, its four products."""
        return self.exponentials if self.masked else self.base + 2 * self.span

    # -- wide memory ----------------------------------------------------------------------

    @property
    def identity(self) -> int:
        """The byte identity."""
        return self.step.identity_line

    def line(self, below: int) -> int:
        return self.top - below

    @property
    def gather_lines(self) -> RingLines:
        """FIFOs of the first gather."""
        line = self.step.gather_line
        return RingLines(line, line - 4)

    def ring_lines(self, below: int) -> RingLines:
        return RingLines(self.line(below), self.line(below + 4))

    # -- forms ----------------------------------------------------------------------------

    def to_all(self, address: int, count: int, below: int) -> None:
        """`count` words of tile 0 to the same place of every other tile, then a reset."""
        for tile in range(1, self.tiles):
            ring_message(
                self.lowering,
                0,
                1 << tile,
                source=address,
                destination=address,
                count=count,
                lines=self.ring_lines(below),
            )
        self.end_round()

    def end_round(self, resets: int = 2) -> None:
        """All tiles done and known to be; counters back to zero (twice, unless the vector came
        from the host just before)."""
        end_of_round(self.lowering)
        for _ in range(resets):
            self.lowering.reset()

    def fill(
        self,
        address: int,
        levels: tuple[tuple[int, int], ...],
        value: int,
        direction: Direction = Direction.NORTH,
        *,
        signal: bool = True,
    ) -> None:
        """Write a constant on all tiles."""
        enabled = int(levels != ((1, 1),))
        self.lowering.add(
            MeshMove(
                direction=direction,
                destination=Nest(address, levels, enabled),
                signal_received=1 if signal else None,
                fill=value,
            )
        )

    def store_constants(self, address: int, line: int) -> None:
        """Four constant words, just filled, to one wide line of all tiles."""
        self.lowering.add(
            NarrowToWide(
                narrow=words(address, 4),
                wide=words(line, 1),
                waits=(Wait(Flag.SOUTH_IN, 1, 1, 0),),
                fill_level=1,
            )
        )
        self.lowering.program.idle()

    def raw_copy(
        self,
        tiles: int,
        source: tuple[tuple[int, int], ...],
        base: int,
        *,
        place: tuple[int, int],
        count: int,
        line: int,
    ) -> None:
        """`count` words through a matrix in `line`, bytes unchanged. source: the seven levels
        of the input in words from `base`; place: (address, pitch) of the output."""
        address, pitch = place
        self.lowering.add(
            TensorOp(
                tiles=tiles,
                loops=(1, count),
                narrow_in=Nest(4 * base, tuple((n, 4 * step) for n, step in source), 0x55),
                narrow_out=stream(
                    4 * address, (count, 4), (1, 4 * pitch), (1, 4 * pitch), (1, 4 * pitch)
                ),
                wide=Nest(4 * line, ((1, 4), (count, 0)), 1),
                partial=Nest(0, ((count, 0),), 0, 0, 256),
                mode=Mode.IDENTITY,
                last_lanes=3,
                lanes=3,
                multiplier=1.0,
                clamp_max=INF,
                clamp_min=-INF,
            )
        )

    def broadcast(self, source: int, size: int, destination: int, count: int, line: int) -> None:
        """`size` words repeated over `count` words, through a matrix that takes them apart."""
        levels = ((1, 1), (count, 0), (1, size), (1, 0), (1, size), (1, 0), (1, size))
        self.raw_copy(self.mask, levels, source, place=(destination, count), count=count, line=line)

    def release(self) -> None:
        """End of a phase that kept tensor op and store apart: their counters, then all."""
        self.lowering.program.tile_fence(STORED, Unit.ALL)
        self.lowering.program.tile_fence(OPERANDS, Unit.ALL)
        self.lowering.reset()


def quads(line: int, count: int, rest: int) -> Nest:
    """Lines of four words each in two slots of four; the last slot may hold fewer."""
    tail = Tail(rest, 1, 4 - rest) if rest else None
    return Nest(line, ((4, 1), (count, 0)), 1, 1, 4, tail)


def quad_units(lines: Nest) -> Nest:
    """The same lines as a tensor op reads them, in 64-byte units."""
    return lines.scaled(4)
