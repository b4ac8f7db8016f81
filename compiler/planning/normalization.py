"""L2_NORMALIZATION over the channels: y = 128 x / norm, pixel by pixel.

One inverse root of 16 bits is too coarse for long vectors. So a first one only brings the pixel
to a known size, and a second one of that gives the factor: docs/format/activation.md,
"L2_NORMALIZATION".
"""

from __future__ import annotations

import math

from ..fast_dataclass import dataclass
from ..float32 import single
from ..frontend.graph import Operator
from .builder import PlanBuilder
from .composed import is_composed
from .dataflow import scale, zero_point
from .elementwise import add_sum
from .family import Family
from .patches import (
    Operand,
    PatchClass,
    compact_operands,
    maps_alike,
    most_pixels,
    own_part,
    patch_classes,
    result_map,
    row_bands,
    same_maps,
    scratch_map,
    settled,
)
from .plan import Step
from .pointwise import Function, add_function
from .requantization import Requantization, clamps, raw_bytes
from .wide_memory import top_line

WIDE_ZERO = 1 << 15
"""Zero point of 16-bit values of both signs."""
HIGHEST = 65535.0
EXACT_CHANNELS = 2048
"""Most channels of which the products with the first root are kept whole; of more they are
halved."""
SQUARE_UNIT = 2.0**-28
"""Of the sum of squares of products: it is about 2**29."""
LINES = 4
PAIR_LINE = 2
"""Two FIFOs of two lines: of single words, and of pairs of words from the third one on."""
CONSTANT_WORDS = 8
MOST_WORDS = 2048
"""Words of a tile's pixels in a step, unless a single row has more."""
_BEHIND = 2
"""Words read behind a vector of 16-bit values, where the last pair is not whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkArea:
    """Places of the working vectors in one buffer, in words: 16-bit values of `words` words of
    bytes (they take two words each), and one root for each of `pixels`."""

    words: int
    pixels: int

    def vector(self, number: int) -> int:
        return number * (2 * self.words + _BEHIND)

    def root(self, number: int) -> int:
        return self.vector(VECTORS) + 2 * self.pixels * number

    @property
    def size(self) -> int:
        return self.root(2)


VECTORS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class NormalizationStep(Step):
    """output = result(x * r * r'), x = input - input_zero, for some rows. magnitude: abs(x) in
    bytes; first: the requantisation of the sum of squares in front of r; product: that of x * r
    (zero point 2**15), and, at `magnitude_product`, of abs(x) * r; second: in front of r'.

    channels: an even number. constants: scratch for words of zeros; identity: scratch to make
    the program's identity line from, '' where it is there already; line: the FIFOs.
    """

    input: str
    magnitude: str
    output: str
    input_zero: int
    channels: int
    channel_words: int
    classes: tuple[PatchClass, ...]
    first: Requantization
    product: Requantization
    magnitude_product: Requantization
    second: Requantization
    result: Requantization
    area: WorkArea
    work: str
    constants: str
    identity: str
    line: int

    @property
    def longest_loop(self) -> int:
        return most_pixels(self.classes) * self.channel_words


def plan_normalization(planner: PlanBuilder, op: Operator) -> None:
    """abs(x) = max(x, 0) + max(-x, 0) in bytes; then steps for bands of rows."""
    same_maps(planner, op)
    planner.lay_out_map(op.outputs[0])
    (operand,) = compact_operands(planner, op)
    zero = zero_point(planner.graph.tensor(op.inputs[0]))
    magnitude = _magnitude(planner, op, operand, zero)
    operand = settled(planner, operand)
    target = result_map(planner, op, [operand, magnitude])
    line = planner.block_line(LINES, top_line(planner, op))
    classes = patch_classes([operand.layout], target.layout)
    row = operand.layout.channel_words * max(tile_class.width for tile_class in classes)
    for band in row_bands(classes, MOST_WORDS, row):
        _add_step(planner, op, (operand, magnitude, target), band, line)


def _magnitude(planner: PlanBuilder, op: Operator, operand: Operand, zero: int) -> Operand:
    """The distance of every byte from the zero point."""
    layout = operand.layout
    sides = []
    for name, function in (
        ("above", Function(raw_bytes(0))),
        ("below", Function(raw_bytes(0), -1, zero)),
    ):
        side = scratch_map(planner, op, name, layout)
        add_function(planner, op, settled(planner, operand), side, function=function, zero=zero)
        sides.append(side)
    result = scratch_map(planner, op, "magnitude", layout)
    add_sum(planner, op, sides, (1, 1), result, initial=0, requantization=raw_bytes(0))
    return result


def _add_step(
    planner: PlanBuilder,
    op: Operator,
    maps: tuple[Operand, Operand, Operand],
    band: tuple[PatchClass, ...],
    line: int,
) -> None:
    operand, magnitude, target = maps
    words = operand.layout.channel_words
    pixels = most_pixels(band)
    area = WorkArea(words=pixels * words, pixels=pixels)
    source, result = (planner.graph.tensor(t) for t in (op.inputs[0], op.outputs[0]))
    channels = source.shape[-1]
    exact = channels <= EXACT_CHANNELS
    half = 1.0 if exact else 0.5
    factor = math.sqrt(2 * SQUARE_UNIT) / HIGHEST
    planner.add(
        NormalizationStep(
            ops=(op.index,),
            lowest_line=line,
            input=planner.keep(operand.buffer),
            magnitude=planner.keep(magnitude.buffer),
            output=planner.keep(target.buffer),
            input_zero=zero_point(source),
            channels=channels,
            channel_words=words,
            classes=band,
            first=_argument(4.0 if exact else 1.0),
            product=Requantization(half, float(WIDE_ZERO - 1), -float(WIDE_ZERO), WIDE_ZERO),
            magnitude_product=Requantization(half, HIGHEST, 0.0, 0),
            second=_argument(SQUARE_UNIT),
            result=Requantization(
                single(single(factor) * single(1 / scale(result))),
                *clamps(scale(result), zero_point(result)),
                zero_point(result),
            ),
            area=area,
            work=planner.scratch(planner.unused(f"{op.index} work"), area.size, rank=0),
            constants=planner.scratch(planner.unused(f"{op.index} zeros"), CONSTANT_WORDS),
            identity=planner.identity(),
            line=line,
        )
    )


def _argument(unit: float) -> Requantization:
    """In front of the inverse root: a sum of squares, at least 1."""
    return Requantization(unit, math.inf, 1.0, 0)


NORMALIZATION = Family(
    "normalization",
    frozenset({"L2_NORMALIZATION"}),
    plan_normalization,
    accepts=is_composed,
    needs=own_part,
    by_parts=maps_alike,
)
