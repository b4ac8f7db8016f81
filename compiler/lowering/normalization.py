"""L2_NORMALIZATION: the channels of every pixel times two inverse roots.

Reads NormalizationStep; writes the Program level. Facts: docs/format/activation.md,
"L2_NORMALIZATION".

    reset; identity, where it is not there yet, and zeros; reset; bytes to 16 bits; table; then
    five phases that each end with a reset: sum of squares and its root; products with it, and
    those of the magnitudes; their sum of squares and its root; products with that one.
"""

from __future__ import annotations

from dataclasses import replace

from ..fast_dataclass import dataclass
from ..planning.normalization import CONSTANT_WORDS, PAIR_LINE, NormalizationStep
from ..planning.patches import PatchClass
from ..planning.requantization import Requantization
from .activation_tables import INVERSE_ROOT, load_table
from .constant_lines import make_identity, write_weights
from .elementwise import LINE_UNITS, WORD_BYTES, words_of_pixels
from .lower import Lowering
from .lstm_products import WIDE_RESULT, widen
from .program import Flag, Mode, NarrowToWide, Nest, Tail, TensorOp, Wait
from .requantise import requantised
from .streams import fifo, stream

WIDENED = Requantization(1.0, 255.0, 0.0, 0)
MAGNITUDES, VALUES, PRODUCTS, MAGNITUDE_PRODUCTS = range(4)
"""Working vectors."""
_DATA = Wait(Flag.NARROW_TO_WIDE, 1, 1)
_ROOM = Wait(Flag.PARAMETERS, 0, -1, space=True)


def lower_normalization(lowering: Lowering, step: NormalizationStep) -> None:
    """All phases; counters are zero at both ends."""
    phases = _Phases(lowering, step)
    phases.begin()
    phases.inverse_roots(MAGNITUDES, 0, step.first)
    phases.times_root(VALUES, 0, step.product, zero=step.input_zero, target=PRODUCTS)
    phases.times_root(MAGNITUDES, 0, step.magnitude_product, target=MAGNITUDE_PRODUCTS)
    phases.inverse_roots(MAGNITUDE_PRODUCTS, 1, step.second)
    phases.times_root(PRODUCTS, 1, step.result, zero=step.product.zero_point)


@dataclass(frozen=True, slots=True)
class _Phases:
    lowering: Lowering
    step: NormalizationStep

    def vector(self, number: int) -> int:
        """Word address of a working vector."""
        return self.lowering.address(self.step.work) + self.step.area.vector(number)

    def root(self, number: int) -> int:
        """Word address of the pixels' inverse roots, the first value of two words each."""
        return self.lowering.address(self.step.work) + self.step.area.root(number)

    def begin(self) -> None:
        """Constants; the two vectors of bytes with 16 bits; the table."""
        lowering, step = self.lowering, self.step
        lowering.reset()
        if make_identity(lowering, step.identity):
            lowering.reset()
        zeros = (0,) * CONSTANT_WORDS
        write_weights(lowering, lowering.address(step.constants), step.line, zeros)
        lowering.reset()
        tiles = 0
        for tile_class in step.classes:
            tiles |= tile_class.tiles
            for buffer, number in ((step.magnitude, MAGNITUDES), (step.input, VALUES)):
                source = lowering.address(buffer) + tile_class.sources[0].offset
                places = WORD_BYTES * source, WORD_BYTES * self.vector(number)
                op = widen(lowering, tile_class.tiles, self.words(tile_class), *places)
                lowering.add(requantised(op, WIDENED))
        load_table(lowering, "inverse_root", tiles)
        lowering.reset()

    def words(self, tile_class: PatchClass) -> int:
        """Words of bytes of the tiles' pixels."""
        return tile_class.height * tile_class.width * self.step.channel_words

    def inverse_roots(self, vector: int, root: int, argument: Requantization) -> None:
        """1 / sqrt of each pixel's sum of squares: every word with itself, which comes through
        lines whose other lanes are zero."""
        for tile_class in self.step.classes:
            op = self._sums_of_squares(vector, root, tile_class)
            self.lowering.add(requantised(op, argument))
            self.lowering.add(self._single_words(vector, tile_class))
        self.lowering.reset()

    def _sums_of_squares(self, vector: int, root: int, tile_class: PatchClass) -> TensorOp:
        channels, pixels = self.step.channels, tile_class.height * tile_class.width
        pitch = 2 * WORD_BYTES * self.step.channel_words
        return TensorOp(
            tiles=tile_class.tiles,
            loops=(2, channels // 2, pixels),
            narrow_in=stream(WORD_BYTES * self.vector(vector), (channels, 2), (pixels, pitch)),
            narrow_out=stream(
                WORD_BYTES * self.root(root), (2, WORD_BYTES), (pixels, 2 * WORD_BYTES)
            ),
            wide=Nest(
                LINE_UNITS * self.step.line,
                ((2, 2), (channels // 2, 0), (pixels, 0)),
                1,
                1,
                LINE_UNITS,
            ),
            partial=Nest(0, ((channels, 0), (pixels, 0)), 0, 1, LINE_UNITS),
            signal_operands=1,
            waits=(_DATA,),
            mode=Mode.PRODUCT_16,
            group_level=2,
            reduced=0b11,
            last_lanes=WORD_BYTES - 1,
            lanes=WORD_BYTES - 1,
            activation=INVERSE_ROOT,
        )

    def _single_words(self, vector: int, tile_class: PatchClass) -> NarrowToWide:
        words, pixels = self.step.channels // 2, tile_class.height * tile_class.width
        return NarrowToWide(
            tiles=tile_class.tiles,
            narrow=stream(self.vector(vector), (words, 1), (pixels, 2 * self.step.channel_words)),
            wide=fifo(self.step.line, words * pixels),
            signal=0,
            waits=(_ROOM,),
        )

    def times_root(
        self,
        vector: int,
        root: int,
        result: Requantization,
        *,
        zero: int = 0,
        target: int | None = None,
    ) -> None:
        """Every value less `zero` times its pixel's root, to a working vector or (None) to the
        result. Two words of four values go through one line."""
        for tile_class in self.step.classes:
            op = replace(self._products(root, tile_class), weight_zero=zero)
            if target is None:
                place = self.lowering.address(self.step.output), tile_class.target, tile_class
                op = replace(op, narrow_out=words_of_pixels(*place, self.step.channel_words))
            else:
                levels = (2, WORD_BYTES), (self.words(tile_class), 2 * WORD_BYTES)
                written = stream(WORD_BYTES * self.vector(target), *levels)
                op = replace(op, narrow_out=written, activation=WIDE_RESULT)
            self.lowering.add(requantised(op, result))
            self.lowering.add(self._pairs(vector, tile_class))
        self.lowering.reset()

    def _products(self, root: int, tile_class: PatchClass) -> TensorOp:
        words, pixels = self.words(tile_class), tile_class.height * tile_class.width
        pairs, odd = -(-words // 2), words % 2
        line = LINE_UNITS * (self.step.line + PAIR_LINE)
        levels = (1, WORD_BYTES), (self.step.channel_words, 0), (pixels, 2 * WORD_BYTES)
        return TensorOp(
            tiles=tile_class.tiles,
            loops=(2, pairs),
            loop_tail=(1, 1) if odd else None,
            narrow_in=Nest(WORD_BYTES * self.root(root), levels, 0b101),
            wide=Nest(line, ((2, 2), (pairs, 0)), 1, 1, LINE_UNITS, Tail(1, 1, 2) if odd else None),
            partial=Nest(0, ((words, 0),), 0, 0, LINE_UNITS),
            signal_operands=1,
            waits=(_DATA,),
            mode=Mode.PRODUCT_16,
            group_level=1,
            last_lanes=WORD_BYTES - 1,
            lanes=WORD_BYTES - 1,
        )

    def _pairs(self, vector: int, tile_class: PatchClass) -> NarrowToWide:
        """Value k of both words becomes lane k."""
        words = self.words(tile_class)
        pairs = -(-words // 2)
        return NarrowToWide(
            tiles=tile_class.tiles,
            narrow=Nest(
                self.vector(vector),
                ((2, 2), (2, 1), (pairs, 4)),
                0b111,
                tail=Tail(2, 2, 0) if words % 2 else None,
            ),
            wide=fifo(self.step.line + PAIR_LINE, pairs),
            signal=0,
            waits=(_ROOM,),
            transpose=3,
            fill_level=2,
        )
