"""Weights that pass through a FIFO: instructions of the vendor's trackers, from the host and from
another tile."""

from __future__ import annotations

from dataclasses import replace

import pytest

from compiler.beagle.assembler import assemble
from compiler.beagle.disassembler import disassemble
from compiler.beagle.executable import ExecutableType
from compiler.lowering.fully_connected import lower_fully_connected
from compiler.lowering.lower import Lowering
from compiler.lowering.program import Infeed, Pop, RingConsume, RingProduce, TensorOp
from compiler.planning.fully_connected import FullyConnectedStep
from compiler.planning.plan import Piece, Plan, Segment, Step
from compiler.planning.requantization import Requantization
from compiler.release import RELEASE_16

from ..corpus_paths import pairs, require_corpus
from ..vendor_layers import executables

FIFO_LINE = 2015
PARTS = (RingConsume, TensorOp, Infeed, Pop, RingProduce)


def vendor_layers(name):
    """[instructions] of each layer whose weights move, [RingConsume, TensorOp, ...]."""
    require_corpus()
    pair = next(pair for pair in pairs() if pair.name == name)
    (program,) = [e for e in executables(pair)[0] if e.type is not ExecutableType.PARAMETER_CACHING]
    found = []
    instructions = disassemble([chunk.bitstream for chunk in program.chunks]).instructions
    for number, op in enumerate(instructions):
        if isinstance(op, RingConsume) and op.wide.base == FIFO_LINE:
            found.append([i for i in instructions[number : number + 60] if isinstance(i, PARTS)])
    return [layer[: 4 if isinstance(layer[2], Infeed) else 3] for layer in found]


def ours(vendor, inputs, placement, earlier):
    """The same layer lowered by us: addresses and quantisation as in the vendor's tensor op."""
    op = vendor[1]
    words = inputs // 4
    segment = Segment(0, "fully_connected", bytes(64 * words), 16)
    step = FullyConnectedStep(
        segments=(0,),
        inputs=inputs,
        outputs=4,
        headers=(),
        input="in",
        output="out",
        input_zero=op.input_zero,
        weight_zero=op.weight_zero,
        output_scaling=Requantization(op.multiplier, op.clamp_max, op.clamp_min, op.output_zero),
        weight_line=FIFO_LINE,
        header_line=FIFO_LINE,
    )
    narrow = {"in": op.narrow_in.base // 4, "out": op.narrow_out.base // 4}
    lowering = Lowering(Plan(RELEASE_16, (Step(),), (), narrow, (segment,), (placement,)))
    if earlier:
        lowering.host.distribute("earlier", bytes(64 * earlier), 16, [(0, earlier)])
    lower_fully_connected(lowering, step)
    program = lowering.program.program()
    chosen = [i for i in disassemble(assemble(program)).instructions if isinstance(i, PARTS)]
    return chosen[2 if earlier else 0 :]


def without_pitch(op):
    """The vendor writes into a joint vector; the levels behind the words of the block differ."""
    if not isinstance(op, TensorOp):
        return op
    return replace(op, narrow_out=replace(op.narrow_out, levels=op.narrow_out.levels[:1]))


@pytest.mark.parametrize("name", ["bright_128x128_edgetpu", "color_green_128x128_edgetpu"])
def test_from_the_host(name):
    layers = vendor_layers(name)
    assert len(layers) == 2
    for number, vendor in enumerate(layers):
        mine = ours(vendor, 128 * 128, (), number * 4096)
        assert list(map(without_pitch, mine)) == list(map(without_pitch, vendor))


@pytest.mark.parametrize("name", ["bright_64x64_edgetpu", "color_red_64x64_edgetpu"])
def test_from_another_tile(name):
    (vendor,) = vendor_layers(name)
    producer = vendor[2]
    (count, _), *_ = producer.wide.levels
    piece = Piece(producer.tiles.bit_length() - 1, count, producer.wide.base)
    mine = ours(vendor, 64 * 64, (piece,), 0)
    assert list(map(without_pitch, mine)) == list(map(without_pitch, vendor))
