"""Parts of an SSD MobileNet v1 that hold its heads: predictors, requantised, flattened to lines,
joined, and the scores through LOGISTIC. The source is not public; the models are built again from
their layers, with the vendor's order of execution, whose rule is not known.

The programs are the vendor's, up to one fence of one of them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from difflib import SequenceMatcher

import pytest

from compiler.beagle.assembler import assemble
from compiler.beagle.codec import layout_of
from compiler.beagle.disassembler import disassemble
from compiler.beagle.executable import ExecutableType
from compiler.beagle.reader import compiled_ops, read_custom_options, read_package
from compiler.driver import execution_program, plan_model
from compiler.frontend.graph import Graph, Operator
from compiler.frontend.tflite_reader import read_model_bytes
from compiler.lowering.program import Instruction
from compiler.options import CompileOptions
from compiler.planning import planner
from compiler.planning.schedule import Schedule
from compiler.release import RELEASE_15

from ..corpus_paths import require_corpus
from ..model_builder import ModelBuilder, Value
from .test_pipeline_segments import FOLDER, NAME, layer, without_numbers

BOXES, SCORES = (0.0865558, 183), (0.05746262148022652, 234)
CLASSES = 91
ANCHORS = (3, 6, 6, 6, 6, 6)
PAIRS = ((256, 512), (128, 256), (128, 256), (64, 128))
"""Channels of the 1x1 and the 3x3 layer behind each map, from the second one on."""

INPUTS = {
    "1_of_2": [(19, 512), (10, 1024)],
    "2_of_3": [(19, 512), (10, 1024), (10, 256)],
    "3_of_4": [(19, 512), (10, 1024), (5, 512), (5, 128)],
}
"""Pictures from the parts before: rows (and columns), channels. The last layers of all are made
from the last one."""

ORDERS = {
    "1_of_2": "b1 q1 r1 l0 s1 l1 Q1 R1 s2 Q2 R2 b2 l2 l3 q2 r2 b3 q3 r3 l4 l5 b4 q4 r4 l6 l7 b5 q5 "
    "r5 s5 Q5 R5 s3 Q3 R3 s4 Q4 R4 s0 b0 r0 boxes squeeze R0 scores logistic",
    "2_of_3": "l1 b2 q2 r2 l2 l3 b3 q3 r3 s2 Q2 R2 s3 l4 l5 Q3 R3 s4 Q4 R4 b4 l6 l7 q4 r4 b5 q5 r5 "
    "s5 Q5 R5 b1 s1 Q1 R1 q1 r1 s0 b0 r0 boxes squeeze R0 scores logistic",
    "3_of_4": "l3 b3 q3 r3 l4 l5 b4 q4 r4 l6 l7 b5 q5 r5 s5 Q5 R5 s3 Q3 R3 s4 Q4 R4 b1 s1 Q1 R1 q1 "
    "r1 b2 q2 r2 s2 Q2 R2 s0 b0 r0 boxes squeeze R0 scores logistic",
}
"""Layers l, box and score predictors b and s, their QUANTIZEs q and Q and RESHAPEs r and R."""

EQUAL = {"1_of_2": 7279, "2_of_3": 7785, "3_of_4": 7259}
"""Words that are the vendor's, but for the numbers of the quantisation."""


class Heads:
    """One part; `names`: its operators, in the order of the file (where equal parameters lie says
    that the predictors of the last map come first)."""

    def __init__(self, segment: str) -> None:
        self.model = ModelBuilder("uint8", seed=1)
        self.names: list[str] = []
        self.maps: list[Value] = []
        sizes = INPUTS[segment]
        for number, (size, channels) in enumerate(sizes):
            self.model.input(f"input {number}", (1, size, size, channels))
            self.maps.append(self.model.last)
        begun = sizes[-1][1] in (256, 128)
        self._layers(first=2 * (len(sizes) - 2 - begun) + begun, begun=begun)
        self._heads()

    def _layers(self, first: int, *, begun: bool) -> None:
        """The layers behind the last picture: a map, or the result of the first of a pair."""
        if begun:
            self.maps.pop()
        for number in range(first, 2 * len(PAIRS)):
            channels = PAIRS[number // 2][number % 2]
            layer(self.model, channels, *((3, 2) if number % 2 else ()))
            self.names.append(f"l{number}")
            if number % 2:
                self.maps.append(self.model.last)

    def _heads(self) -> None:
        boxes, scores = [], []
        for number, source in reversed(list(enumerate(self.maps))):
            count = ANCHORS[number]
            pixels = source.shape[1] * source.shape[2] * count
            boxes.append(self._head(source, f"b{number}", 4 * count, BOXES, (1, pixels, 1, 4)))
            shape = (1, pixels, CLASSES)
            scores.append(self._head(source, f"s{number}", CLASSES * count, SCORES, shape))
        model = self.model.concatenation(*reversed(boxes), axis=1)
        total = model.last.shape[1]
        model.op("SQUEEZE", [model.last], (1, total, 4), output=BOXES, spread=1.0)
        line = model.last
        model.output(line, model.concatenation(*reversed(scores), axis=1).logistic().last)
        self.names += ["boxes", "squeeze", "scores", "logistic"]

    def _head(
        self, source: Value, name: str, channels: int, unit: tuple[float, int], shape: Iterable[int]
    ) -> Value:
        number = int(name[1])
        self.names.append(name)
        own = (unit[0] * (0.5 + 0.02 * number), unit[1] - number) if number else unit
        self.model.conv2d(channels, 1, source=source, output=own)
        if number:
            self.model.quantize(output=unit)
            self.names.append({"b": "q", "s": "Q"}[name[0]] + name[1])
        self.names.append({"b": "r", "s": "R"}[name[0]] + name[1])
        return self.model.reshape(tuple(shape)).last


def equal_words(ours: Iterable[Instruction], theirs: Iterable[Instruction]) -> int:
    """Words of the instructions that both have in the same order."""
    mine, vendor = ([without_numbers(op) for op in ops] for ops in (ours, theirs))
    blocks = SequenceMatcher(None, mine, vendor, autojunk=False).get_matching_blocks()
    return sum(
        layout_of(op).words for block in blocks for op in mine[block.a : block.a + block.size]
    )


@pytest.mark.parametrize("segment", ORDERS)
def test_heads_up_to_numbers(segment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = require_corpus() / FOLDER / NAME.format(segment)
    package = read_custom_options(compiled_ops(path.read_bytes(), path.name)[0].custom_options)
    (vendor,) = (
        executable
        for executable in read_package(package.package).executables
        if executable.type != ExecutableType.PARAMETER_CACHING
    )
    heads = Heads(segment)
    order = [heads.names.index(name) for name in ORDERS[segment].split()]
    schedule = planner.schedule

    def given(graph: Graph, operators: Iterable[Operator], parked: Collection[int]) -> Schedule:
        found = schedule(graph, operators, parked)
        by_index = {op.index: op for op in found.operators}
        return replace(found, operators=tuple(by_index[index] for index in order))

    monkeypatch.setattr(planner, "schedule", given)
    graph = read_model_bytes(heads.model.build(), segment)
    plan = plan_model(graph, CompileOptions(RELEASE_15, 13)).plan
    assert plan is not None
    ours = disassemble(assemble(execution_program(plan)))
    theirs = disassemble([chunk.bitstream for chunk in vendor.chunks])
    assert equal_words(ours.instructions, theirs.instructions) >= EQUAL[segment]
