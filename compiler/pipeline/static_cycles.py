"""An estimate of the time a program takes, from its instructions alone.

Reads the Program level. Tensor operations (one step a cycle), copies between the memories of
a tile and moves to its neighbours (one word a cycle) count on the busiest tile; ring bus and
host streams run beside them. Event simulation of whole networks gives 0 to 9 % more from half
a million cycles on, 30 % more for the smallest (docs/usage.md, "Latency models").
"""

from __future__ import annotations

import math

from ..lowering.program import (
    ALL_TILES,
    MeshMove,
    NarrowToWide,
    Nest,
    Program,
    RingConsume,
    RingProduce,
    TensorOp,
    TileFence,
    TileInstruction,
    WideToNarrow,
)

FENCE_CYCLES = 20
"""Cycles a fence keeps the tiles waiting."""


def estimated_cycles(program: Program) -> int:
    """Cycles of a program, each of whose instructions runs once."""
    totals = [0] * ALL_TILES.bit_count()
    for op in program.instructions:
        if isinstance(op, TileInstruction):
            cycles = _cycles(op)
            for tile in range(len(totals)):
                totals[tile] += cycles * (op.tiles >> tile & 1)
    return max(totals)


def line_moves(program: Program) -> int:
    """Lines that instructions move, counted on each tile: what emulating takes is about
    proportional to it."""
    return sum(
        op.tiles.bit_count() * _items(op.wide)
        for op in program.instructions
        if isinstance(op, RingConsume | RingProduce | NarrowToWide | WideToNarrow)
    )


def _cycles(op: TileInstruction) -> int:
    if isinstance(op, TensorOp):
        return math.prod(op.loops)
    if isinstance(op, NarrowToWide | WideToNarrow):
        return _items(op.narrow)
    if isinstance(op, MeshMove):
        return max(_items(op.source), _items(op.destination))
    return FENCE_CYCLES if isinstance(op, TileFence) else 0


def _items(nest: Nest) -> int:
    return math.prod(count for count, _ in nest.levels) if nest.levels else 0
