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

from dataclasses import replace

from ..fast_dataclass import dataclass
from ..planning.convolution import LANES, ConvolutionStep, HaloStep, TileClass
from .halo import lower_halo
from .layer_parameters import LayerParameters
from .lower import Lowering
from .program import ALL_TILES, Flag, Mode, Nest, Tail, TensorOp, Wait
from .requantise import requantised
from .sync import SyncState

WORD_BYTES = 4
LINE_UNITS = 4
"""64-byte units of a wide line, in which tensor ops count."""


def lower_early_halo(lowering: Lowering, step: HaloStep) -> None:
    """The halo alone."""
    lower_halo(lowering, step.input, step.input_buffer, step.exchange, step.input_zero)


def lower_convolution(lowering: Lowering, step: ConvolutionStep) -> None:
    """One convolution layer."""
    sync = lowering.sync
    if step.exchange:
        lower_halo(lowering, step.input, step.input_buffer, step.exchange, step.input_zero)
    if sync.reset_before_parameters or not _stands_together(sync, step.tiles):
        lowering.reset()
    lowering.program.barrier()
    parameters = LayerParameters(lowering, step)
    parameters.consume()
    parameters.load_headers()
    _TensorOps(lowering, step, parameters).add()
    parameters.send()
    _count_events(sync, step, parameters)
    if step.spread != (1, 1):
        lowering.reset()  # The events of the steps that fill one map cannot be told apart.


def _stands_together(sync: SyncState, tiles: int) -> bool:
    """Whether the layer's tiles are at the same counts, and, where some tiles are behind, no
    other tile is as far as they are."""
    if sync.is_uniform(ALL_TILES, _COUNTED):
        return True
    return sync.is_uniform(tiles, _COUNTED) and sync.ahead(Flag.AVDATA) == tiles


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


class _TensorOps:
    """The tensor ops of one layer; the thresholds come from the counters as they stood when
    it began."""

    def __init__(
        self, lowering: Lowering, step: ConvolutionStep, parameters: LayerParameters
    ) -> None:
        self.lowering = lowering
        self.step = step
        self.parameters = parameters
        self.streamed = parameters.streamed

    def add(self) -> None:
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
        if self._has_one_product():
            op = self._without_sum(op, pixels)
        return requantised(self._with_weight_zero(op), step.requantization)

    def _has_one_product(self) -> bool:
        """Whether every output word is one input word times one line, without header vectors."""
        step = self.step
        dense = step.packed and not step.depthwise and not step.headers
        return dense and step.chunks.lines == 1 and not self.streamed

    def _without_sum(self, op: TensorOp, pixels: int) -> TensorOp:
        """The form without a loop that is summed over."""
        if pixels == 1:
            return op
        line = LINE_UNITS * self.step.blocks.weights
        return replace(
            op,
            loops=(pixels,),
            wide=Nest(line, ((pixels, 0),), 0, 1, LINE_UNITS),
            partial=Nest(0, ((pixels, 0),), 0, 0, LINE_UNITS),
            signal_operands=1,
            waits=tuple(wait and replace(wait, level=1) for wait in op.waits),
            mode=Mode.IDENTITY,
            group_level=1,
            reduced=0,
        )

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
        if step.depthwise and step.output_channels > 1:
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
        pitch = step.output.pixel_words * step.spread[1]
        row = tile_class.output_row * step.spread[0]
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
        if not self.streamed:
            return Nest(0, idle, 0, 1, LINE_UNITS)
        if pixels > 1:
            return Nest(line, (idle[0], (pixels, 1), *idle[2:]), 0b10).scaled(LINE_UNITS)
        if self.step.output_blocks > 1:
            return Nest(line, idle, 0, 2, 1).scaled(LINE_UNITS)
        return Nest(line, idle).scaled(LINE_UNITS)

    def _operand_waits(self, inner: int, block_level: int) -> tuple[Wait, ...]:
        parameters = self.parameters
        waits = [Wait(parameters.arrival, inner, parameters.arrived() + 1)]
        if parameters.vectors:
            loaded = self.lowering.sync.count(Flag.WIDE_TO_SCALING, self.step.tiles)
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
            zero_vector_step=len(step.headers) if slots > 1 else 1,
            zero_vector_last=first + (slots - 1) * len(step.headers),
        )


def _count_events(sync: SyncState, step: ConvolutionStep, parameters: LayerParameters) -> None:
    """What the layer adds to the counters of its tiles."""
    blocks = step.output_blocks
    chunks = blocks * step.chunks.count
    sync.advance(parameters.arrival, chunks, step.tiles)
    sync.advance(Flag.PARAMETERS, chunks, step.tiles)
    if parameters.vectors:
        sync.advance(Flag.WIDE_TO_SCALING, blocks, step.tiles)
    sync.produce(step.output_buffer, blocks, step.tiles, grouped=step.depthwise)
