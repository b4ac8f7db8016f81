"""Our program with its narrow-memory buffers where the vendor has them: what differs then is no
matter of the allocator.

The vendor's address of a buffer is read off the instructions that both programs have: they are
aligned as if all narrow addresses were equal, and every aligned stream votes for the address of
the buffer it walks over. The plan is then lowered again with these addresses.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from difflib import SequenceMatcher

from ...beagle.assembler import assemble
from ...beagle.chunks import cut_into_chunks
from ...beagle.disassembler import disassemble
from ...lowering.lower import lower
from ...lowering.program import (
    Instruction,
    MeshMove,
    Mode,
    Nest,
    Program,
    RingProduce,
    TensorKind,
    TensorOp,
    TileInstruction,
    WideToNarrow,
)
from ...planning.plan import NARROW_WORDS, Plan
from .renaming import narrow_streams

_BUFFER_BITS = 20
"""A buffer's number stands above so many bits of a word address."""
_SURE, _LIKELY = 100, 1
"""Votes of instructions that agree in everything else, and of those that only look alike."""
_WORD_BYTES = 4


def lower_with_addresses(plan: Plan, vendor: Program) -> Program:
    """The program of `plan` with the vendor's addresses, in chunks."""
    return cut_into_chunks(lower(replace(plan, narrow=given_addresses(plan, vendor))))


def given_addresses(plan: Plan, vendor: Program) -> Mapping[str, int]:
    """Buffer name -> word address: the vendor's where one is found, ours elsewhere."""
    numbered = {b.name: (number + 1) << _BUFFER_BITS for number, b in enumerate(plan.buffers)}
    symbolic = cut_into_chunks(lower(replace(plan, narrow=numbered))).instructions
    ours = disassemble(assemble(cut_into_chunks(lower(plan)))).instructions
    votes: dict[str, Counter[int]] = {buffer.name: Counter() for buffer in plan.buffers}
    if len(symbolic) == len(ours):
        for i, j, weight in _aligned(ours, vendor.instructions):
            for number, address in _buffers(symbolic[i], vendor.instructions[j]):
                buffer = plan.buffers[number]
                if 0 <= address <= NARROW_WORDS - buffer.words:
                    votes[buffer.name][address] += weight
    found = {name: count.most_common(1)[0][0] for name, count in votes.items() if count}
    return {**plan.narrow, **found}


def _buffers(ours: Instruction, vendor: Instruction) -> Iterator[tuple[int, int]]:
    """Number and vendor's address of each buffer that an instruction walks over. Operands of a
    sum say nothing: they may be exchanged."""
    scale = _WORD_BYTES if isinstance(ours, TensorOp) else 1
    for name in narrow_streams(ours):
        mine, other = getattr(ours, name), getattr(vendor, name)
        number = mine.base // scale >> _BUFFER_BITS
        if number and not (_is_sum(ours) and name == "narrow_in"):
            offset = mine.base - (number << _BUFFER_BITS) * scale
            yield number - 1, (other.base - offset) // scale


def _aligned(
    ours: Sequence[Instruction], vendor: Sequence[Instruction]
) -> Iterator[tuple[int, int, int]]:
    """Pairs of places in both programs, with the weight of their votes: instructions that are
    equal but for addresses, then, between those, instructions of one kind and loops."""
    a = b = 0
    for block in _matches([_anywhere(op) for op in ours], [_anywhere(op) for op in vendor]):
        kinds = [_kind(op) for op in ours[a : block[0]]], [_kind(op) for op in vendor[b : block[1]]]
        for i, j, size in _matches(*kinds):
            yield from ((a + i + k, b + j + k, _LIKELY) for k in range(size))
        a, b, size = block
        yield from ((a + k, b + k, _SURE) for k in range(size))
        a, b = a + size, b + size


def _matches(a: Sequence[object], b: Sequence[object]) -> Sequence[tuple[int, int, int]]:
    numbers: dict[object, int] = {}
    left, right = ([numbers.setdefault(key, len(numbers)) for key in side] for side in (a, b))
    return SequenceMatcher(None, left, right, autojunk=False).get_matching_blocks()


def _anywhere(op: Instruction) -> Instruction:
    """The instruction without what depends on where buffers and parameters lie."""
    changes: dict[str, object] = {}
    for name in narrow_streams(op):
        nest: Nest = getattr(op, name)
        levels = nest.levels
        if _is_sum(op) and name == "narrow_in":
            levels = levels[:1] + levels[2:]
        changes[name] = replace(nest, base=0, levels=levels)
    if _is_sum(op):
        changes["weight_zero"] = 0
    if isinstance(op, MeshMove) and op.fill is not None:
        changes["fill"] = 0
    if isinstance(op, WideToNarrow) and op.skip:
        changes |= {"skip_first": 0, "skip_end": 0}
    if isinstance(op, RingProduce):
        changes |= {"tiles": 0, "wide": Nest()}
    return replace(op, **changes) if changes else op  # type: ignore[arg-type]


def _kind(op: Instruction) -> tuple[object, ...]:
    if not isinstance(op, TileInstruction):
        return (type(op), op.text())
    levels = () if _is_sum(op) else tuple(getattr(op, name).levels for name in narrow_streams(op))
    return (type(op), op.tiles, getattr(op, "loops", ()), levels)


def _is_sum(op: Instruction) -> bool:
    """A weighted sum of two maps: two halves of a word, two operands."""
    return (
        isinstance(op, TensorOp)
        and op.kind is TensorKind.MULTIPLY_ADD
        and op.mode == Mode.ELEMENTWISE
        and op.loops[:2] == (2, 2)
    )
