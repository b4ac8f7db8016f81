"""UNIDIRECTIONAL_SEQUENCE_LSTM: a loop of the scalar core over the time steps.

Block b of the hidden and of the cell state lives on tile b, with the rows of all gates that
compute it; the sequence lies on tile 0, step after step. Facts: docs/format/lstm.md.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

from ..fast_dataclass import dataclass
from ..float32 import single
from ..frontend.graph import Operator
from .builder import PlanBuilder
from .dataflow import scale, zero_point
from .elementwise import SUM_LINES, SUM_WORDS
from .family import Border, Family
from .fully_connected import FullyConnectedStep
from .lstm_arithmetic import CellArithmetic, cell_arithmetic
from .plan import WIDE_LINES, Step
from .refusal import Refusal
from .requantization import requantization
from .vectors import (
    BLOCK_WORDS,
    INPUT_UNIT,
    ROW_BYTES,
    SLOT_WORDS,
    Blocks,
    VectorInputStep,
    VectorLayout,
    VectorOutputStep,
    vector_layout,
)

INPUT, INPUT_WEIGHTS, RECURRENT_WEIGHTS, HIDDEN, CELL = 0, 1, 5, 18, 19
"""Positions of the operator's inputs; those of the weights are the first gate's."""
GATES = 4
"""Input, forget, cell, output."""
WEIGHT_ZERO = 128
"""int8 weights are symmetric, and stored plus 128."""
WORK_WORDS = 13 * BLOCK_WORDS + 4 * BLOCK_WORDS + 4
"""Words of `LstmStep.work` (lowering/lstm_cell.py, `Places`)."""
RING_LINES = 2
PRODUCT_LINES = 8
"""Two slots of up to four lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockInputStep(VectorInputStep):
    """`size` bytes from the host in blocks of another size than a vector's."""

    own_blocks: Blocks

    @property
    def blocks(self) -> Blocks:
        return self.own_blocks


@dataclass(frozen=True, slots=True, kw_only=True)
class LstmStep(Step):
    """`steps` rounds over `input_words` words each, the first at `offset` in buffer `sequence`
    of tile 0.

    blocks: words of the hidden state on its tiles; hidden, cell: buffers of the states, a
    tile's block at their start (a cell value has two bytes). matrices: for each gate the one of
    `current` (the step's input) and the one of `vector` (the whole hidden state), on all tiles
    of the blocks. output: buffer of all hidden states on tile 0. Each of them leaves for
    `slot_bytes` bytes of the host's scratch, `scratch_offset` bytes behind its base.
    """

    steps: int
    input_words: int
    blocks: Blocks
    sequence: str
    offset: int
    current: str
    vector: str
    hidden: str
    cell: str
    from_input: str
    from_state: str
    matrices: tuple[tuple[FullyConnectedStep, FullyConnectedStep], ...]
    arithmetic: CellArithmetic
    work: str
    constants: str
    identity: str
    output: str
    scratch_offset: int

    @property
    def slot_bytes(self) -> int:
        """A hidden state in whole items of the host's stream."""
        return -(-self.blocks.words * 4 // INPUT_UNIT) * INPUT_UNIT

    @property
    def consumer_line(self) -> int:
        return WIDE_LINES - RING_LINES

    @property
    def producer_line(self) -> int:
        return self.consumer_line - RING_LINES

    @property
    def product_line(self) -> int:
        return self.producer_line - PRODUCT_LINES

    @property
    def gate_weights(self) -> int:
        """Four lines that add two bytes."""
        return self.product_line - SUM_LINES

    @property
    def cell_weights(self) -> int:
        """Four lines that add two 16-bit values."""
        return self.gate_weights - SUM_LINES


LSTM_LINES = 2 * RING_LINES + PRODUCT_LINES + 2 * SUM_LINES


def plan_lstm(planner: PlanBuilder, op: Operator) -> None:
    """The loop now; the states leave for the host behind everything else."""
    graph = planner.graph
    layout = vector_layout(planner, op.inputs[INPUT])
    if layout is None or layout.blocks.tiles != 1:
        raise Refusal(op.index, "an LSTM needs its sequence from the host or from another LSTM")
    steps, inputs = graph.tensor(op.inputs[INPUT]).shape[-2:]
    hidden, cell = (planner.dataflow.source(op.inputs[i]) for i in (HIDDEN, CELL))
    blocks = Blocks(graph.tensor(op.outputs[0]).shape[-1] // 4)
    names = {name: f"{op.index} {name}" for name in ("current", "vector", "input", "state")}
    index = op.index
    step = LstmStep(
        ops=(index,),
        segments=planner.add_segments(op),
        lowest_line=WIDE_LINES - LSTM_LINES,
        steps=steps,
        input_words=inputs // 4,
        blocks=blocks,
        sequence=planner.keep(layout.buffer),
        offset=layout.offset,
        current=planner.scratch(names["current"], inputs // 4),
        vector=planner.scratch(names["vector"], blocks.words),
        from_input=planner.scratch(names["input"], BLOCK_WORDS),
        from_state=planner.scratch(names["state"], BLOCK_WORDS),
        hidden=planner.consume(hidden),
        cell=planner.consume(cell),
        matrices=_matrices(planner, op, names),
        arithmetic=cell_arithmetic(
            graph.tensor(hidden), graph.tensor(cell), float(op.options.get("cell_clip", 0.0))
        ),
        work=planner.scratch(f"{index} work", WORK_WORDS),
        constants=planner.scratch(f"{index} constants", SUM_WORDS),
        identity=planner.identity(),
        output=_lay_out_output(planner, op, steps * blocks.words),
        scratch_offset=sum(other.scratch_bytes for other in planner.steps),
    )
    planner.add(replace(step, scratch_bytes=step.steps * step.slot_bytes))
    planner.later.append(lambda: _plan_states(planner, hidden, cell, blocks))


def _matrices(
    planner: PlanBuilder, op: Operator, names: dict[str, str]
) -> tuple[tuple[FullyConnectedStep, FullyConnectedStep], ...]:
    graph = planner.graph
    indices = planner.add_segments(op)
    operands = (
        (graph.tensor(op.inputs[INPUT]), names["current"], names["input"], INPUT_WEIGHTS),
        (graph.tensor(op.inputs[HIDDEN]), names["vector"], names["state"], RECURRENT_WEIGHTS),
    )
    hidden = graph.tensor(op.inputs[HIDDEN])

    def matrix(gate: int, number: int) -> FullyConnectedStep:
        source, read, written, first = operands[number]
        weights = graph.tensor(op.inputs[first + gate])
        segment = indices[2 * gate + number]
        return FullyConnectedStep(
            ops=(op.index,),
            segments=(segment,),
            inputs=weights.shape[1],
            outputs=weights.shape[0],
            headers=planner.segments[segment].headers,
            input=read,
            output=written,
            input_zero=zero_point(source),
            weight_zero=WEIGHT_ZERO,
            output_scaling=requantization(single(scale(source) * scale(weights)), hidden),
            weight_line=0,
            header_line=0,
        )

    return tuple((matrix(gate, 0), matrix(gate, 1)) for gate in range(GATES))


def _lay_out_output(planner: PlanBuilder, op: Operator, words: int) -> str:
    """All hidden states one behind the other on tile 0, as one block; one more word is written
    behind the last."""
    source = planner.dataflow.source(op.outputs[0])
    buffer = planner.produce(source, words + 1)
    planner.record(source, VectorLayout(Blocks(words, words), buffer))
    return buffer


def _plan_states(planner: PlanBuilder, hidden: int, cell: int, blocks: Blocks) -> None:
    fifo_line = WIDE_LINES - RING_LINES
    for tensor, own in ((hidden, blocks), (cell, _cell_blocks(blocks))):
        planner.add(
            VectorOutputStep(
                border=tensor,
                blocks=own,
                input=planner.consume(tensor),
                fifo_line=fifo_line,
                lowest_line=fifo_line,
            )
        )


def _cell_blocks(blocks: Blocks) -> Blocks:
    return Blocks(2 * blocks.words, 2 * blocks.block)


# -- from the host -----------------------------------------------------------------------------


def is_sequence(planner: PlanBuilder, tensor: int) -> bool:
    """Whether only LSTMs read an input, as their sequence."""
    flow = planner.dataflow
    readers = flow.readers(tensor)
    return bool(readers) and all(
        op.name in LSTM.operators and flow.source(op.inputs[INPUT]) == tensor for op in readers
    )


def plan_sequence_input(planner: PlanBuilder, tensor: int) -> None:
    """All of it to tile 0."""
    size = prod(planner.graph.tensor(tensor).shape)
    words = 2 * -(-size // INPUT_UNIT)
    _add_input(planner, tensor, size, Blocks(words, words))


def is_state(planner: PlanBuilder, tensor: int) -> bool:
    """Whether an input is a state that one LSTM reads."""
    readers = planner.dataflow.readers(tensor)
    variable = planner.graph.tensor(tensor).is_variable
    return variable and len(readers) == 1 and readers[0].name in LSTM.operators


def plan_state_input(planner: PlanBuilder, tensor: int) -> None:
    """Block b to tile b: 64 units."""
    state = planner.graph.tensor(tensor)
    units = state.shape[-1]
    (op,) = planner.dataflow.readers(tensor)
    width = 2 if planner.dataflow.source(op.inputs[CELL]) == tensor else 1
    _add_input(planner, tensor, units * width, Blocks(units * width // 4, BLOCK_WORDS * width))


def _add_input(planner: PlanBuilder, tensor: int, size: int, blocks: Blocks) -> None:
    """Through two slots of the ring's row FIFO; the narrow buffer has room for both."""
    padded = -(-size // INPUT_UNIT) * INPUT_UNIT
    slot_lines = -(-padded // ROW_BYTES)
    fifo_line = WIDE_LINES - 2 * slot_lines
    words = max(blocks.block, min(blocks.words, SLOT_WORDS))
    buffer = planner.produce(tensor, words)
    planner.record(tensor, VectorLayout(blocks, buffer, from_host=True))
    planner.add(
        BlockInputStep(
            border=tensor,
            size=padded,
            output=buffer,
            fifo_line=fifo_line,
            slot_lines=slot_lines,
            lowest_line=fifo_line,
            own_blocks=blocks,
        )
    )


LSTM = Family("lstm", frozenset({"UNIDIRECTIONAL_SEQUENCE_LSTM"}), plan_lstm)
SEQUENCE_INPUT = Border("sequence input", is_sequence, plan_sequence_input)
STATE_INPUT = Border("state input", is_state, plan_state_input)
