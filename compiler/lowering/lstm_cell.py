"""The gates and the states of an LSTM's time step, on the tiles that hold them.

Reads LstmStep; writes the Program level. Facts: docs/format/lstm.md, "A step".
"""

from __future__ import annotations

from dataclasses import replace

from ..fast_dataclass import dataclass
from ..planning.lstm import LstmStep
from ..planning.lstm_arithmetic import TANH_LIMIT, TANH_ZERO
from ..planning.plan import Piece
from ..planning.requantization import SIGMOID_LIMIT, Requantization
from ..planning.vectors import BLOCK_WORDS
from .activation_tables import load_table
from .constant_lines import diagonal, write_weights
from .fully_connected import lower_resident
from .lower import Lowering
from .lstm_products import Factor, Product, widen, write_product
from .program import Mode, Nest, TensorOp
from .requantise import requantised
from .streams import stream

INPUT, FORGET, CELL, OUTPUT = range(4)
"""Gates, in the order of the operator's inputs."""
TABLE, WIDE_RESULT = 1, 4
"""Bits of `TensorOp.activation`."""
ODD = 3
_BLOCK_BYTES = 4 * BLOCK_WORDS


@dataclass(frozen=True, slots=True)
class Places:
    """Byte addresses of a cell's vectors, all of one block: four gates, 16-bit values of two
    words a word, and products before their lanes are put together (a word each, one more)."""

    base: int

    def gate(self, number: int) -> int:
        return self.base + _BLOCK_BYTES * number

    @property
    def kept(self) -> int:
        """Forget gate * cell; the candidate lies behind it."""
        return self.base + 4 * _BLOCK_BYTES

    @property
    def candidate(self) -> int:
        """Input gate * cell gate."""
        return self.base + 6 * _BLOCK_BYTES

    @property
    def widened(self) -> int:
        """A gate with 16 bits."""
        return self.base + 8 * _BLOCK_BYTES

    @property
    def squashed(self) -> int:
        """tanh of the cell."""
        return self.base + 10 * _BLOCK_BYTES

    @property
    def spread(self) -> int:
        return self.base + 12 * _BLOCK_BYTES


def write_sum_weights(lowering: Lowering, step: LstmStep) -> None:
    """Lines that add two bytes, and lines that add two 16-bit values with their weights."""
    scratch = lowering.address(step.constants)
    kept, candidate = step.arithmetic.weights
    both = kept | candidate << 16
    wide = [both if word % 5 == 0 else 0 for word in range(16)]
    for line, image in ((step.gate_weights, 2 * diagonal(1, 0)), (step.cell_weights, wide)):
        write_weights(lowering, scratch, line, image)
        lowering.reset()


def lower_cell(
    lowering: Lowering, step: LstmStep, pieces: tuple[tuple[tuple[Piece, ...], ...], ...]
) -> None:
    """New cell and hidden state from the step's input and the whole hidden state. pieces: where
    the two matrices of each gate lie."""
    cell = _Cell(lowering, step, Places(4 * lowering.address(step.work)), pieces)
    for gate in (INPUT, FORGET, CELL):
        cell.gate(gate)
    cell.multiply(
        Factor(cell.places.gate(INPUT)),
        Factor(cell.places.gate(CELL), zero=TANH_ZERO),
        cell.places.candidate,
        step.arithmetic.candidate,
    )
    cell.multiply(
        cell.widened(FORGET),
        Factor(cell.state, wide=True, zero=step.arithmetic.cell.zero_point),
        cell.places.kept,
        step.arithmetic.kept,
    )
    cell.add_state(cell.state, step.arithmetic.cell, WIDE_RESULT)
    cell.gate(OUTPUT)
    cell.squash()
    cell.multiply(
        cell.widened(OUTPUT),
        Factor(cell.places.squashed, wide=True, zero=step.arithmetic.candidate.zero_point),
        4 * lowering.address(step.hidden),
        step.arithmetic.hidden,
        wide_result=False,
    )


@dataclass(frozen=True, slots=True)
class _Cell:
    """The phases of a step; each ends with a reset."""

    lowering: Lowering
    step: LstmStep
    places: Places
    pieces: tuple[tuple[tuple[Piece, ...], ...], ...]

    @property
    def state(self) -> int:
        return 4 * self.lowering.address(self.step.cell)

    def gate(self, number: int) -> None:
        """Both matrices, each to a byte in the hidden state's unit, then the table of their
        sum."""
        lowering, step = self.lowering, self.step
        for matrix, pieces in zip(step.matrices[number], self.pieces[number], strict=True):
            lower_resident(lowering, matrix, pieces)
            lowering.reset()
        odd = number == CELL
        self._load_table("tanh_127" if odd else "sigmoid_255")
        limit = TANH_LIMIT if odd else SIGMOID_LIMIT
        zero = TANH_ZERO if odd else 0
        for tiles, words in step.blocks.groups():
            op = self._gate_sum(tiles, words, self.places.gate(number))
            result = Requantization(step.arithmetic.hidden_unit, limit, -limit, zero)
            lowering.add(replace(requantised(op, result), odd_table=ODD if odd else 0))
        lowering.reset()

    def _gate_sum(self, tiles: int, words: int, target: int) -> TensorOp:
        lowering, step = self.lowering, self.step
        first, second = (4 * lowering.address(name) for name in (step.from_input, step.from_state))
        rest = (1, 4 * words), (1, 4 * words), (1, 4 * words), (words, 4)
        low, high = sorted((first, second))
        return TensorOp(
            tiles=tiles,
            loops=(2, 2, words),
            narrow_in=stream(low, (2, 2), (2, high - low), *rest),
            narrow_out=stream(target, (1, 4), *rest),
            wide=Nest(4 * step.gate_weights, ((4, 4), (words, 0)), 1),
            partial=Nest(0, ((4, 0), (words, 0)), 0, 1, 4),
            signal_output=4,
            mode=Mode.ELEMENTWISE,
            group_level=2,
            reduced=3,
            last_lanes=3,
            lanes=3,
            activation=TABLE,
            initial=step.arithmetic.sum_initial,
        )

    def add_state(self, target: int, result: Requantization, activation: int) -> None:
        """kept + candidate, with 16 bits."""
        step, places = self.step, self.places
        for tiles, words in step.blocks.groups():
            rest = (1, 8 * words), (1, 8 * words), (1, 8 * words), (words, 8)
            op = TensorOp(
                tiles=tiles,
                loops=(4, 2, words),
                narrow_in=stream(places.kept, (4, 2), (2, places.candidate - places.kept), *rest),
                narrow_out=stream(target, (2, 4), *rest),
                wide=Nest(4 * step.cell_weights, ((4, 4), (2, 2), (words, 0)), 3),
                partial=Nest(0, ((8, 0), (words, 0)), 0, 1, 4),
                signal_output=4,
                mode=Mode.PRODUCT_16,
                group_level=2,
                reduced=3,
                last_lanes=3,
                lanes=3,
                activation=activation,
                initial=step.arithmetic.cell_initial,
                odd_table=ODD if activation & TABLE else 0,
            )
            self.lowering.add(requantised(op, result))
        self.lowering.reset()

    def squash(self) -> None:
        """tanh of the new cell state, from the same sum before it is rounded."""
        arithmetic = self.step.arithmetic
        self._load_table("tanh_16383")
        zero = arithmetic.candidate.zero_point
        result = Requantization(arithmetic.tanh_unit, TANH_LIMIT, -TANH_LIMIT, zero)
        self.add_state(self.places.squashed, result, TABLE | WIDE_RESULT)

    def widened(self, gate: int) -> Factor:
        """The gate with 16 bits."""
        for tiles, words in self.step.blocks.groups():
            op = widen(self.lowering, tiles, words, self.places.gate(gate), self.places.widened)
            self.lowering.add(requantised(op, self.step.arithmetic.widening))
        self.lowering.reset()
        return Factor(self.places.widened, wide=True)

    def multiply(
        self,
        first: Factor,
        second: Factor,
        target: int,
        result: Requantization,
        *,
        wide_result: bool = True,
    ) -> None:
        step = self.step
        for tiles, words in step.blocks.groups():
            product = Product(
                tiles,
                words,
                first,
                second,
                target,
                wide_result=wide_result,
                spread=self.places.spread,
                line=step.product_line,
            )
            write_product(self.lowering, product, result)
            self.lowering.reset()

    def _load_table(self, name: str) -> None:
        load_table(self.lowering, name, self.step.blocks.mask)
