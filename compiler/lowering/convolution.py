"""Lowering of CONV_2D and DEPTHWISE_CONV_2D.

Reads `ConvolutionStep`s. Facts: docs/format/convolution.md. One layer is

    halo exchange; barrier;
    ring consumer: weights and header vectors into wide memory, block by block;
    header vectors into the scaling unit;
    one tensor op for each class of tiles;
    the owner tiles send the layer's parameters round the ring (packed layers: through the
    scalar core, which cuts them into 16-byte rows).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..planning.convolution import LANES, ConvolutionStep, TileClass
from .halo import lower_halo
from .lower import Lowering
from .program import (
    Flag,
    Mode,
    Nest,
    Outfeed,
    Pop,
    Ring,
    RingConsume,
    RingProduce,
    ScalarFlag,
    Tail,
    TensorOp,
    Wait,
    WideToNarrow,
)
from .requantise import requantised
from .streams import stream

WORD_BYTES = 4
LINE_UNITS = 4
"""64-byte units of a wide line, in which tensor ops count."""
REINJECTION_WORDS = 128
"""Words of the scalar core's memory that parameters pass through."""
MESSAGE_WORDS = 64
ROW_BYTES = 16
LINE_BYTES = 256
SCALING_BIAS = 64
"""8-byte unit of the scaling unit's memory where its biases begin."""
SCALING_SLOT = 32
"""8-byte units from one of its two slots to the other."""
REINJECTION_LIMIT = 0x3F
PARAMETER_PACKETS = 2
"""Pop.source: words that came over the ring."""


def lower_convolution(lowering: Lowering, step: ConvolutionStep) -> None:
    """One convolution layer."""
    sync = lowering.sync
    if step.exchange:
        lower_halo(lowering, step.input, step.input_buffer, step.exchange, step.input_zero)
    if sync.reset_before_parameters or not sync.is_uniform(step.tiles, _COUNTED):
        lowering.reset()
    lowering.program.barrier()
    layer = _Layer(lowering, step)
    layer.consume_parameters()
    layer.load_headers()
    layer.compute()
    layer.send_parameters()
    layer.count_events()


_COUNTED = (
    Flag.AVDATA,
    Flag.PARAMETERS,
    Flag.WIDE_TO_SCALING,
    Flag.RING_READ_A,
    Flag.RING_READ_B,
)
"""Counters whose thresholds one instruction states for all of the layer's tiles."""


@dataclass(frozen=True, slots=True)
class _Level:
    """A loop of an address stream. `axis` says what it walks; `folds` with an inner loop
    when the two together are one longer run."""

    count: int
    stride: int
    axis: str


_FOLDING = {("x", "y"), ("kx", "ky"), ("z", "kx")}
_VANISHING = ("kx", "ky", "x", "y")


def _folded(*levels: _Level) -> tuple[tuple[int, int], ...]:
    """Window and pixel loops of one iteration vanish; loops that continue the one inside them
    become part of it."""
    result: list[_Level] = []
    for level in levels:
        if level.axis in _VANISHING and level.count == 1:
            continue
        inner = result[-1] if result else None
        if (
            inner is not None
            and (inner.axis, level.axis) in _FOLDING
            and level.stride == inner.count * inner.stride
        ):
            result[-1] = _Level(inner.count * level.count, inner.stride, level.axis)
        else:
            result.append(level)
    return tuple((level.count, level.stride) for level in result)


class _Layer:
    """The instructions of one layer; the thresholds come from the counters as they stood
    when it began."""

    def __init__(self, lowering: Lowering, step: ConvolutionStep) -> None:
        self.lowering = lowering
        self.sync = lowering.sync
        self.step = step
        self.tiles = step.tiles
        self.headers = len(step.headers)
        self.vectors = sum(name in step.headers for name in ("scale", "bias"))
        self.ring = Ring.A if step.packed else Ring.B
        self.arrival = Flag.RING_READ_A if step.packed else Flag.RING_READ_B
        self.streamed = step.chunks.count > 1

    # -- parameters into the tiles ---------------------------------------------------------

    def consume_parameters(self) -> None:
        """Weights go to one or two chunk buffers, header vectors to a ring of their own."""
        step, chunks = self.step, self.step.chunks
        levels = [(chunks.lines, 1)]
        if self.streamed:
            levels.append((chunks.count, 0))
        levels += [(1, 0), (step.output_blocks, 0)]
        base = step.blocks.headers
        released = self.sync.count(Flag.PARAMETERS, self.tiles)
        consumer = RingConsume(
            tiles=self.tiles,
            ring=self.ring,
            wide=Nest(
                step.blocks.weights,
                tuple(levels),
                int(chunks.lines > 1),
                1,
                0 if chunks.single_buffered else chunks.lines,
            ),
            signal=1,
            wait=Wait(Flag.PARAMETERS, 1, released + 1 - chunks.slots, space=True),
        )
        if self.headers:
            consumer = replace(
                consumer,
                header=1,
                header_level=2 if self.streamed else 1,
                header_first=base,
                header_split=self.headers - 1,
                header_last=base + chunks.slots * self.headers - 1,
                header_lines=self.headers,
            )
        self.lowering.add(consumer)

    def load_headers(self) -> None:
        """Scale and bias vectors of each block into the two slots of the scaling unit."""
        if not self.vectors:
            return
        step, chunks = self.step, self.step.chunks
        units = 2 if step.packed else min(-(-step.output_channels // 16) * 8, SCALING_SLOT)
        blocks = step.output_blocks
        single = chunks.single_buffered
        self.lowering.add(
            WideToNarrow(
                tiles=self.tiles,
                wide=Nest(
                    step.blocks.headers,
                    ((self.vectors, 1), (blocks, 0)),
                    1,
                    0 if single else 1,
                    0 if single else self.headers,
                ),
                narrow=Nest(
                    0 if "scale" in step.headers else SCALING_BIAS,
                    ((units, 1), (self.vectors, SCALING_BIAS), (blocks, 0)),
                    3,
                    2,
                    SCALING_SLOT,
                ),
                signal=2,
                waits=(
                    Wait(self.arrival, 1, self._arrived() + 1, chunks.count),
                    Wait(Flag.AVDATA, 2, self.sync.count(Flag.AVDATA, self.tiles) - 1, space=True),
                ),
                to_scaling=1,
                fill_level=1,
            )
        )

    def _arrived(self) -> int:
        return self.sync.count(self.arrival, self.tiles)

    # -- tensor ops ----------------------------------------------------------------------------

    def compute(self) -> None:
        """One tensor op a class of tiles; classes whose ops come out equal share one."""
        masks: dict[tuple[TensorOp, tuple[bool, bool]], int] = {}
        for tile_class in self.step.classes:
            thin = (tile_class.width == 1, tile_class.height == 1)
            key = self._tensor_op(tile_class), thin
            masks[key] = masks.get(key, 0) | tile_class.tiles
        for (op, _), tiles in masks.items():
            self.lowering.add(replace(op, tiles=tiles))

    def _tensor_op(self, tile_class: TileClass) -> TensorOp:
        step = self.step
        pixels = tile_class.height * tile_class.width
        # Loops below the block: taps and input words, then the pixels (left out if one).
        inner = 2 if pixels > 1 else 1
        block_level = inner + int(self.streamed)
        outputs = self._outputs(tile_class)
        in_wide_memory = self.streamed and pixels > 1
        op = TensorOp(
            tiles=0,
            loops=self._loops(pixels),
            narrow_in=self._inputs(tile_class),
            narrow_out=outputs,
            wide=self._weights(pixels, inner),
            partial=self._partial_sums(pixels),
            signal_output=len(outputs.levels) - 1,
            signal_operands=inner,
            waits=self._operand_waits(inner, block_level),
            mode=Mode.MATRIX_PARTIAL if in_wide_memory else Mode.MATRIX,
            input_zero=step.input_zero,
            group_level=block_level,
            reduced=self._reduced(pixels),
            last_lanes=self._lanes(last=True) - 1,
            lanes=self._lanes() - 1,
            bias=int("bias" in step.headers),
            scales=int("scale" in step.headers),
        )
        return requantised(self._with_weight_zero(op), step.requantization)

    def _loops(self, pixels: int) -> tuple[int, ...]:
        step, chunks = self.step, self.step.chunks
        loops = [chunks.lines, pixels] if pixels > 1 else [chunks.lines]
        if self.streamed:
            loops.append(chunks.count)
        return (*loops, step.output_blocks)

    def _reduced(self, pixels: int) -> int:
        """Mask of the loops that are summed over: taps, and the chunks of a block."""
        if not self.streamed:
            return 0b1
        return 0b101 if pixels > 1 else 0b11

    def _lanes(self, *, last: bool = False) -> int:
        """Output channels of a block (of the last block), in whole words."""
        if self.step.depthwise:
            return WORD_BYTES
        channels = -(-self.step.output_channels // WORD_BYTES) * WORD_BYTES
        return (channels % LANES or LANES) if last and channels > LANES else min(channels, LANES)

    def _inputs(self, tile_class: TileClass) -> Nest:
        """Narrow operand: input words and taps of a pixel, the pixels, then what is read
        again for each chunk or block."""
        step, chunks = self.step, self.step.chunks
        words, row = step.input.pixel_words, tile_class.input_row
        rows, columns = step.window.rows, step.window.columns
        taps = (
            _Level(columns.kernel, columns.dilation * words, "kx"),
            _Level(rows.kernel, rows.dilation * row, "ky"),
        )
        pixels = (
            _Level(tile_class.width, columns.stride * words, "x"),
            _Level(tile_class.height, rows.stride * row, "y"),
        )
        blocks = _Level(step.output_blocks, 0, "block")
        if step.depthwise:
            levels = _folded(_Level(1, 1, "z"), *taps, *pixels, replace(blocks, stride=1))
        elif self.streamed:
            part = _Level(chunks.input_words, 1, "z")
            levels = _folded(
                part, *taps, *pixels, _Level(chunks.count, chunks.input_words, "chunk"), blocks
            )
        else:
            levels = _folded(
                _Level(words, 1, "z"), *taps, _Level(1, words, "chunk"), *pixels, blocks
            )
        enabled = len(levels)
        if not step.depthwise and step.output_blocks > 1:
            enabled -= 1  # every block reads the same pixels again
        while enabled and levels[enabled - 1] == (1, 0):
            enabled -= 1
        base = self.lowering.address(step.input_buffer) + tile_class.input_offset
        return Nest(base, levels, (1 << enabled) - 1).scaled(WORD_BYTES)

    def _outputs(self, tile_class: TileClass) -> Nest:
        """Result: the words of a block of channels, the pixels, the blocks."""
        step = self.step
        pitch, row = step.output.pixel_words, tile_class.output_row
        block = self._lanes() // WORD_BYTES
        levels = _folded(
            _Level(block, 1, "z"),
            _Level(tile_class.width, pitch, "x"),
            _Level(tile_class.height, row, "y"),
            _Level(step.output_blocks, block, "block"),
        )
        last = self._lanes(last=True) // WORD_BYTES
        tail = Tail(last, len(levels) - 1, block - last) if last != block else None
        base = self.lowering.address(step.output_buffer) + tile_class.output_offset
        return Nest(base, levels, (1 << len(levels)) - 1, tail=tail).scaled(WORD_BYTES)

    def _weights(self, pixels: int, inner: int) -> Nest:
        """Wide operand: the lines of a chunk, again for every pixel."""
        chunks = self.step.chunks
        levels = [(chunks.lines, 1), *((count, 0) for count in self._loops(pixels)[1:])]
        single = chunks.single_buffered
        return Nest(
            self.step.blocks.weights,
            tuple(levels),
            1,
            0 if single else inner,
            0 if single else chunks.lines,
        ).scaled(LINE_UNITS)

    def _partial_sums(self, pixels: int) -> Nest:
        """Sums of streamed layers: one line a pixel, kept while the chunks pass."""
        loops = self._loops(pixels)
        idle = tuple((count, 0) for count in loops)
        line = self.step.blocks.partial
        if line is None:
            return Nest(0, idle, 0, 1, LINE_UNITS)
        if pixels > 1:
            return Nest(line, (idle[0], (pixels, 1), *idle[2:]), 0b10).scaled(LINE_UNITS)
        if self.step.output_blocks > 1:
            return Nest(line, idle, 0, 2, 1).scaled(LINE_UNITS)
        return Nest(line, idle).scaled(LINE_UNITS)

    def _operand_waits(self, inner: int, block_level: int) -> tuple[Wait, ...]:
        waits = [Wait(self.arrival, inner, self._arrived() + 1)]
        if self.vectors:
            loaded = self.sync.count(Flag.WIDE_TO_SCALING, self.tiles)
            waits.append(Wait(Flag.WIDE_TO_SCALING, block_level, loaded + 1))
        return tuple(waits)

    def _with_weight_zero(self, op: TensorOp) -> TensorOp:
        """Weight zero points: one for the layer, or the header vector behind the others."""
        step, slots = self.step, self.step.chunks.slots
        if "zero_point" not in step.headers:
            return replace(op, weight_zero=step.weight_zero)
        first = step.blocks.headers + step.headers.index("zero_point")
        return replace(
            op,
            weight_zero_vector=1,
            zero_vector_start=first,
            zero_vector_step=self.headers if slots > 1 else 1,
            zero_vector_last=first + (slots - 1) * self.headers,
        )

    # -- parameters out of their owners ----------------------------------------------------

    def send_parameters(self) -> None:
        """From the tiles that keep the layer's parameters to those that compute it."""
        pieces = self.lowering.placement(self.step.segments[0])
        program = self.lowering.program
        if self.step.packed:
            self._reinject(sum(piece.lines for piece in pieces))
        for piece in pieces:
            turn_b = Wait(Flag.RING_PRODUCER_B, 1, program.producer_b)
            if self.step.packed:
                turn_a = Wait(Flag.RING_PRODUCER_A, 1, program.producer_a - 1)
                producer = RingProduce(
                    tiles=1 << piece.tile,
                    wide=stream(piece.address, (1, 1), (piece.lines, 1)),
                    signal_sent=1,
                    waits=(turn_a, turn_b),
                    channel_b=1,
                    to_host=1,
                )
                program.producer_a += piece.lines
            else:
                producer = RingProduce(
                    tiles=1 << piece.tile,
                    wide=stream(piece.address, (piece.lines, 1)),
                    signal_sent=0,
                    waits=(turn_b,),
                    channel_b=1,
                    destinations=self.tiles,
                )
            program.producer_b += piece.lines
            self.lowering.add(producer)

    def _reinject(self, lines: int) -> None:
        """Packed parameters: whole lines into the scalar core's memory, 16-byte rows out."""
        step, sync = self.step, self.sync
        groups = step.output_blocks if step.depthwise else 1
        taps = step.window.taps if step.depthwise else step.window.taps * step.input_words
        words = (taps + self.headers) * groups * ROW_BYTES // WORD_BYTES
        messages, rest = -(-words // MESSAGE_WORDS), words % MESSAGE_WORDS
        self.lowering.add(
            Pop(
                source=PARAMETER_PACKETS,
                buffer=Nest(
                    0,
                    ((MESSAGE_WORDS, 1), (messages, 0)),
                    1,
                    1,
                    MESSAGE_WORDS,
                    Tail(rest, 1, MESSAGE_WORDS - rest) if rest else None,
                ),
                signal_ring=1,
                signal_space=0,
                waits=(Wait(ScalarFlag.RING_OUTFEED, 0, sync.outfed + 1),),
                on=1,
                destinations=self.tiles,
                lanes=WORD_BYTES - 1,
            )
        )
        self.lowering.add(
            Outfeed(
                buffer=Nest(0, ((MESSAGE_WORDS, 1), (lines, 0)), 1, 1, MESSAGE_WORDS),
                signal=0,
                wait=Wait(ScalarFlag.SCALAR_INFEED, 0, sync.reinjected + 1 - REINJECTION_WORDS),
                limit=REINJECTION_LIMIT,
            )
        )
        sync.outfed += messages * MESSAGE_WORDS
        sync.reinjected += words

    # -- counters ------------------------------------------------------------------------------

    def count_events(self) -> None:
        """What the layer adds to the counters of its tiles."""
        step, sync = self.step, self.sync
        blocks, chunks = step.output_blocks, step.output_blocks * step.chunks.count
        sync.advance(self.arrival, chunks, self.tiles)
        sync.advance(Flag.PARAMETERS, chunks, self.tiles)
        if self.vectors:
            sync.advance(Flag.WIDE_TO_SCALING, blocks, self.tiles)
        sync.produce(step.output_buffer, blocks, self.tiles, grouped=step.depthwise)
