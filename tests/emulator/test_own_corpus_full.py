"""Every source of the corpus, compiled here: each value equals the reference arithmetic, and the
concurrent mode finds no hazard (in programs that take it less than a minute)."""

from __future__ import annotations

import pytest

pytest.importorskip("benchmarks.inputs", reason="benchmarks/ is not among the files of this test")

from benchmarks.corpus_pairs import corpus_pairs
from compiler.emulator.device import Device
from compiler.emulator.model import CompiledModel, random_inputs
from compiler.frontend.tflite_reader import read_model
from compiler.pipeline.latency import instructions, programs
from compiler.pipeline.static_cycles import line_moves
from tests.emulator.compiled import faults
from tests.emulator.vendor_runs import differences, reference_values
from tests.vendor_models import corpus_parameters

pytestmark = pytest.mark.full
CONCURRENT_MOVES = 600_000


@pytest.mark.parametrize("pair", corpus_parameters(list(corpus_pairs())))
def test_values_and_hazards(pair):
    found = programs(pair.ours)
    moves = sum(line_moves(instructions(program)) for program in found)
    device = Device("concurrent" if moves <= CONCURRENT_MOVES else "functional")
    model = CompiledModel(pair.ours)
    result = model.run(random_inputs(model, 1), device, partial=True)
    assert faults(result) == []
    outputs = differences(
        reference_values(read_model(pair.entry.source), model, result), model, result
    )
    assert outputs
    assert [output for output in outputs if output.differing] == []
