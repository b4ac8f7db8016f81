"""Products of two vectors on a tile, bytes or 16-bit values, value by value.

One operand passes through a FIFO of wide memory, a word a line, of which the tensor op takes
one value at a time; each product is written to a word of its own, and a second op puts the
lanes together again. Writes the Program level. Facts: docs/format/lstm.md, "Products".
"""

from __future__ import annotations

from dataclasses import replace

from ..fast_dataclass import dataclass
from ..planning.requantization import Requantization
from .lower import Lowering
from .program import Flag, Mode, NarrowToWide, Nest, Tail, TensorOp, Unit, Wait
from .requantise import copying, requantised
from .streams import fifo, stream, words

BYTE_SLICES = 3
WIDE_RESULT = 4
CHUNK_WORDS = 4
"""Most words of a slot of the FIFO."""
_DATA = Wait(Flag.NARROW_TO_WIDE, 1, 1)


@dataclass(frozen=True, slots=True)
class Factor:
    """An operand at byte `address`; `wide`: its values have 16 bits."""

    address: int
    wide: bool = False
    zero: int = 0


@dataclass(frozen=True, slots=True)
class Product:
    """4 * `words` products on `tiles`, both factors bytes or both 16 bits. target: byte
    address; spread: scratch of 4 * words + 1 words; line: first of two FIFO slots."""

    tiles: int
    words: int
    first: Factor
    second: Factor
    target: int
    wide_result: bool
    spread: int
    line: int

    @property
    def values(self) -> int:
        return 4 * self.words

    @property
    def operand_words(self) -> int:
        return self.words * (2 if self.second.wide else 1)

    @property
    def chunk(self) -> int:
        """Words of a slot: at least two slots, if there are two words."""
        chunks = max(min(self.operand_words, 2), -(-self.operand_words // CHUNK_WORDS))
        return -(-self.operand_words // chunks)

    @property
    def chunks(self) -> int:
        return -(-self.operand_words // self.chunk)

    @property
    def rest(self) -> int:
        """Words of the last slot, where it is not full, else 0."""
        return self.operand_words % self.chunk


def write_product(lowering: Lowering, product: Product, result: Requantization) -> None:
    """Products while the second factor comes in, then their lanes together; no fence behind."""
    lowering.add(requantised(_products(product), result))
    lowering.add(_second_factor(product))
    lowering.fence_unit(Unit.NARROW_TO_WIDE)
    lowering.add(_together(lowering, product))


def _products(product: Product) -> TensorOp:
    values, result_words = product.values, 2 if product.wide_result else 1
    each = 2 if product.second.wide else 4
    step = 2 if product.second.wide else 1
    rest = (1, step * values), (1, step * values), (1, step * values)
    spread = (1, 4 * values), (1, 4 * values), (1, 4 * values)
    return TensorOp(
        tiles=product.tiles,
        loops=(each * product.chunk, product.chunks),
        loop_tail=(each * product.rest, 1) if product.rest else None,
        narrow_in=stream(product.first.address, (values, step), *rest),
        narrow_out=stream(product.spread, (result_words, 4), (values, 4), *spread),
        wide=_values_of(product, each),
        partial=Nest(0, ((1, 1), (values, 0)), 1, 1, 4),
        signal_operands=1,
        waits=(_DATA,),
        mode=Mode.PRODUCT_16 if product.second.wide else Mode.IDENTITY,
        byte_slices=0 if product.second.wide else BYTE_SLICES,
        raw=0 if product.second.wide else 1,
        weight_zero=product.second.zero,
        group_level=4,
        last_lanes=3,
        lanes=3,
        activation=WIDE_RESULT if product.wide_result else 0,
    )


def _values_of(product: Product, each: int) -> Nest:
    """The FIFO's lines value by value, in 64-byte units: four bytes or two 16-bit values a
    line."""
    step = 4 // each
    count, rest = each * product.chunk, each * product.rest
    tail = Tail(rest, 1, step * (count - rest)) if rest else None
    slot = 4 * product.chunk
    return Nest(4 * product.line, ((count, step), (product.chunks, 0)), 1, 1, slot, tail)


def _second_factor(product: Product) -> NarrowToWide:
    """Every word a line of its own, a slot at a time."""
    chunk, rest = product.chunk, product.rest
    wide = fifo(product.line, product.chunks)
    if chunk > 1:
        tail = Tail(rest, 1, chunk - rest) if rest else None
        wide = Nest(product.line, ((chunk, 1), (product.chunks, 0)), 1, 1, chunk, tail)
    level = 1 if chunk > 1 else 0
    return NarrowToWide(
        tiles=product.tiles,
        narrow=words(product.second.address // 4, product.operand_words),
        wide=wide,
        signal=level,
        waits=(Wait(Flag.PARAMETERS, level, -1, space=True),),
    )


def _together(lowering: Lowering, product: Product) -> TensorOp:
    """Four words of one value each -> their lanes, times the slices of the identity."""
    words_, values = product.words, product.values
    size = words_ * (2 if product.wide_result else 1)
    rest = (1, 4 * size), (1, 4 * size), (1, 4 * size)
    spread = (1, 4 * values), (1, 4 * values), (1, 4 * values)
    op = TensorOp(
        tiles=product.tiles,
        loops=(4, words_),
        narrow_in=stream(product.spread, (values, 4), *spread),
        narrow_out=stream(product.target, (size, 4), *rest),
        wide=Nest(4 * lowering.plan.identity_line, ((4, 1), (words_, 0)), 1, 1),
        partial=Nest(0, ((4, 0), (words_, 0)), 0, 1, 4),
        byte_slices=BYTE_SLICES,
        raw=0 if product.wide_result else 1,
        group_level=2,
        activation=WIDE_RESULT if product.wide_result else 0,
    )
    mode = Mode.POOL if product.wide_result else Mode.IDENTITY
    return replace(copying(op), mode=mode)


def widen(lowering: Lowering, tiles: int, count: int, source: int, target: int) -> TensorOp:
    """`count` words of bytes -> 16-bit values, through the identity."""
    return TensorOp(
        tiles=tiles,
        loops=(count,),
        narrow_in=stream(source, (1, 4), (1, 4 * count), (count, 4)),
        narrow_out=stream(target, (2, 4), (1, 8 * count), (count, 8)),
        wide=Nest(4 * lowering.plan.identity_line, ((count, 0),)),
        partial=Nest(0, ((count, 0),), 0, 0, 4),
        signal_output=2,
        signal_operands=0,
        mode=Mode.IDENTITY,
        last_lanes=3,
        lanes=3,
        activation=WIDE_RESULT,
    )
