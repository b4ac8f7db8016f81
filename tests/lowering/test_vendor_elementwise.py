"""Tensor ops of value-by-value operators are the vendor's, but for addresses."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from compiler.beagle.assembler import assemble
from compiler.beagle.disassembler import disassemble
from compiler.beagle.reader import compiled_ops, read_custom_options, read_package
from compiler.driver import plan_model
from compiler.frontend.tflite_reader import read_model
from compiler.lowering.lower import lower
from compiler.lowering.program import Mode, Program, TensorKind, TensorOp
from compiler.options import CompileOptions
from tests.corpus_paths import Pair, pairs, require_corpus

HALVES = (2, 2)
"""The innermost level of a narrow operand with 16-bit weights."""


def _pair(name: str) -> Pair:
    require_corpus()
    found = [pair for pair in pairs() if pair.name.startswith(name) and pair.source]
    if not found:
        pytest.skip(f"the corpus has no {name}")
    return found[0]


def _ours(pair: Pair) -> Program:
    model = plan_model(read_model(pair.source), CompileOptions())
    return disassemble(assemble(lower(model.plans[0])))


def _vendors(pair: Pair) -> Program:
    (op,) = compiled_ops(pair.compiled.read_bytes())
    package = read_package(read_custom_options(op.custom_options).package)
    execution = package.executables[0]
    return disassemble([chunk.bitstream for chunk in execution.chunks])


def _without_addresses(op: TensorOp) -> TensorOp:
    """Bases zero; the distance of two operands, too."""
    narrow_in = replace(op.narrow_in, base=0)
    if narrow_in.levels[:1] == (HALVES,):
        levels = list(narrow_in.levels)
        levels[1] = (levels[1][0], 0)
        narrow_in = replace(narrow_in, levels=tuple(levels))
    return replace(
        op,
        narrow_in=narrow_in,
        narrow_out=replace(op.narrow_out, base=0),
        wide=replace(op.wide, base=0),
    )


def _elementwise(program: Program) -> Counter[TensorOp]:
    """Sums, doublings, products, and what runs through an identity with a signal."""
    found: Counter[TensorOp] = Counter()
    for op in program.instructions:
        if isinstance(op, TensorOp) and (
            op.mode == Mode.ELEMENTWISE
            or op.kind is TensorKind.INTERPOLATE
            or (op.mode == Mode.IDENTITY and op.signal_operands is not None)
        ):
            found[_without_addresses(op)] += 1
    return found


@pytest.mark.parametrize(
    ("name", "least"), [("movenet_single_pose_lightning_ptq", 20), ("looming_64x64_3x3", 3)]
)
def test_the_vendors_tensor_ops_come_out(name: str, least: int) -> None:
    pair = _pair(name)
    ours, vendors = _elementwise(_ours(pair)), _elementwise(_vendors(pair))
    assert sum(ours.values()) >= least
    different = [op for op in ours - vendors if not _stated_otherwise(op, vendors)]
    assert different == [], "\n".join(op.text() for op in different)


def _stated_otherwise(op: TensorOp, vendors: Counter[TensorOp]) -> bool:
    """What the vendor's program says in another way: a number that is added, which ours has in
    the instruction; a sum whose reader is mapped there and not here, so that its map differs."""
    if op.mode == Mode.IDENTITY:
        return bool(op.initial)
    return any(
        replace(op, narrow_out=other.narrow_out, tiles=other.tiles) == other for other in vendors
    )
