"""Vector programs and sections of programs against the vendor's, instruction for instruction."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from compiler.beagle.assembler import assemble
from compiler.beagle.disassembler import disassemble
from compiler.beagle.executable import ExecutableType
from compiler.beagle.reader import compiled_ops, read_custom_options, read_package
from compiler.float32 import single
from compiler.frontend.tflite_reader import read_model, read_model_bytes
from compiler.lowering.lower import Lowering, lower
from compiler.lowering.program import (
    Instruction,
    MeshMove,
    NarrowToWide,
    RingProduce,
    TensorKind,
    TensorOp,
    TileInstruction,
)
from compiler.lowering.relayout import lower_relayout
from compiler.lowering.softmax import lower_softmax
from compiler.planning.dataflow import scale, zero_point
from compiler.planning.plan import Plan
from compiler.planning.planner import plan_region
from compiler.planning.pooling import RelayoutStep
from compiler.planning.softmax import SoftmaxStep
from compiler.planning.softmax_area import result_offset
from compiler.planning.tiling import length, split
from compiler.planning.wide_memory import IDENTITY_LINE
from compiler.release import RELEASE_16
from tests.corpus_paths import pairs, require_corpus
from tests.model_builder import ModelBuilder

from .test_vendor_programs import quantised_region


def vendor_pair(name: str):
    """The first pair with this source that is compiled alone."""
    require_corpus()
    found = [p for p in pairs() if p.name == f"{name}_edgetpu" and p.generation != "rt10-12"]
    if not found:
        pytest.skip(f"the corpus has no {name}")
    return found[0]


def vendor_chunks(pair) -> list[bytes]:
    (operator,) = compiled_ops(pair.compiled.read_bytes())
    package = read_package(read_custom_options(operator.custom_options).package)
    (execution,) = (e for e in package.executables if e.type != ExecutableType.PARAMETER_CACHING)
    return [bytes(chunk.bitstream) for chunk in execution.chunks]


def plain(instruction: Instruction) -> Instruction:
    """Without the sequence number."""
    if isinstance(instruction, TileInstruction):
        return replace(instruction, extra=())
    return instruction


@pytest.mark.parametrize("name", ["dense_256", "dense_1024", "gabor_64x64_p4"])
def test_program_of_a_vector_model(name):
    pair = vendor_pair(name)
    graph = read_model(pair.source)
    program = lower(plan_region(graph, quantised_region(graph), RELEASE_16))
    assert list(assemble(program)) == vendor_chunks(pair)


@pytest.mark.parametrize("name", ["color_red_64x64", "color_green_128x128"])
def test_softmax_without_tables(name):
    """4096 and 16384 values in blocks of 64 and 256 words, slices already on the tiles."""
    pair = vendor_pair(name)
    graph = read_model(pair.source)
    (op,) = (op for op in graph.operators if op.name == "SOFTMAX")
    source = graph.tensor(op.inputs[0])
    step = SoftmaxStep(
        ops=(op.index,),
        elements=source.shape[-1],
        input="vector",
        work="vector",
        result="result",
        gather_line=IDENTITY_LINE - 2,
        input_scale=scale(source),
        input_zero=zero_point(source),
        factor=single(scale(source) * single(op.options["beta"])),
        identity_line=IDENTITY_LINE,
        identity="",
    )
    vendor = disassemble(vendor_chunks(pair)).instructions
    maximum = next(
        i
        for i, item in enumerate(vendor)
        if isinstance(item, TensorOp) and item.kind == TensorKind.MAXIMUM
    )
    # reset, idle, a message of four instructions for each tile but the first, end of round.
    start = maximum - 1 - 4 - 4 * (step.blocks.tiles - 1) - 2
    lowering = Lowering(
        Plan(RELEASE_16, (), (), {"vector": 0, "result": result_offset(step.elements)})
    )
    first = next(item for item in vendor[start:] if isinstance(item, RingProduce))
    lowering.program.producer_a = first.waits[0].threshold
    lower_softmax(lowering, step)
    ours = lowering.program.instructions
    assert list(map(plain, vendor[start : start + len(ours)])) == list(map(plain, ours))


def test_relayout_of_a_map_with_a_short_last_block():
    """33 x 33 pixels of 160 channels: uneven tiles, three blocks, copies of many lines."""
    pair = vendor_pair("deeplabv3_mnv2_dm05_pascal_quant")
    vendor = disassemble(vendor_chunks(pair)).instructions
    planes = next(
        i for i, item in enumerate(vendor) if isinstance(item, NarrowToWide) and item.transpose == 1
    )
    moves = (MeshMove, NarrowToWide)
    sizes = tuple(map(length, split(0, 33)))
    step = RelayoutStep(
        heights=sizes,
        widths=sizes,
        pixel_words=40,
        input="map",
        rows="rows",
        output="blocks",
        fifos="fifos",
        identity="identity",
        identity_line=0,
        copy_line=vendor[planes].wide.base - 2,
    )
    places = {"map": 17472, "rows": 20712, "blocks": 0, "fifos": 32592, "identity": 0}
    lowering = Lowering(Plan(RELEASE_16, (), (), places))
    lower_relayout(lowering, step)
    # The vendor's identity line is there already: leave out ours, its two fences, and what
    # its counters add to the thresholds of the first phase.
    ours = [item for item in lowering.program.instructions if isinstance(item, TileInstruction)]
    body = list(map(plain, ours[7:]))
    section = list(map(plain, vendor[planes - 3 - len(body) + 1 : planes - 2]))
    horizontal = next(i for i, item in enumerate(body) if isinstance(item, moves) and _east(item))
    assert section[horizontal - 4 :] == body[horizontal - 4 :]
    assert [item.tiles for item in section] == [item.tiles for item in body]
    assert list(map(_streams, section)) == list(map(_streams, body))


def _east(item: Instruction) -> bool:
    return isinstance(item, MeshMove) and item.direction.name == "EAST"


def _streams(item: Instruction) -> object:
    """The instruction without its thresholds."""
    return replace(item, waits=()) if hasattr(item, "waits") else item


def test_softmax_is_lowered_quickly():
    builder = ModelBuilder(seed=1).input("x", (1, 64)).fully_connected(1001).softmax()
    plan = plan_region(read_model_bytes(builder.build(), "test"))
    (step,) = (step for step in plan.steps if isinstance(step, SoftmaxStep))
    times = []
    for _ in range(5):
        lowering = Lowering(plan)
        start = time.process_time()
        lower_softmax(lowering, step)
        times.append(time.process_time() - start)
    assert len(lowering.program.instructions) > 1300
    assert min(times) < 0.1


def test_blocks_at_different_lines_have_operations_of_their_own():
    """The second layer lies above the first on tile 0 only."""
    builder = ModelBuilder(seed=1).input("x", (1, 64)).fully_connected(128).fully_connected(8)
    program = lower(plan_region(read_model_bytes(builder.build(), "test")))
    operations = [i for i in program.instructions if isinstance(i, TensorOp)]
    assert [operation.tiles for operation in operations] == [1, 2, 1]
    assert operations[0].wide.base != operations[1].wide.base


@pytest.mark.parametrize("size", [8, 72, 200, 256, 1000])
def test_every_tile_with_a_block_takes_part_in_the_scatter(size):
    builder = ModelBuilder(seed=1).input("x", (1, size)).fully_connected(8)
    plan = plan_region(read_model_bytes(builder.build(), "test"))
    program = lower(plan)
    pops = [i for i in program.instructions if type(i).__name__ == "Pop"]
    assert len(pops) == -(-size // 256)
    tiles = 0
    for pop in pops:
        assert not tiles & pop.destinations
        tiles |= pop.destinations
    assert tiles == plan.steps[0].blocks.mask
