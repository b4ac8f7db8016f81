"""Wide memory's transient blocks: every step stacks its own from its top line down, and the
parameters of the whole program stay below the lowest line any step uses.

Lines are absolute (0..WIDE_LINES - 1). Facts: docs/format/memory.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from .plan import WIDE_LINES, Step
from .refusal import NoRoom
from .tiling import Interval

if TYPE_CHECKING:
    from ..frontend.graph import Operator
    from .builder import PlanBuilder


class WideOverflow(NoRoom):
    """Blocks that do not fit into a tile's wide memory."""


IDENTITY_LINE = WIDE_LINES - 1
"""Where an identity matrix that outlives its step stays (transient blocks start below it)."""


def stack_blocks(
    top: int, blocks: Mapping[str, int], op: int | None = None, taken: Iterable[Interval] = ()
) -> dict[str, int]:
    """First line of each block (name -> size in lines): the largest ends at `top`, ties in
    the mapping's order; each as high as `taken` lines let it."""
    lines: dict[str, int] = {}
    occupied = sorted(taken, reverse=True)
    for name, size in sorted(blocks.items(), key=lambda block: -block[1]):
        end = top
        for low, high in occupied:
            if end - size < high and low < end:
                end = low
        lines[name] = end - size
        occupied = sorted([*occupied, (end - size, end)], reverse=True)
    missing = -min(lines.values(), default=0)
    if missing > 0:
        raise WideOverflow(
            op,
            "the transient blocks do not fit into a tile's wide memory",
            actual=f"{missing} lines too many",
            allowed=f"at most {WIDE_LINES} lines",
        )
    return lines


def place_small_blocks(steps: Sequence[Step], identity: bool) -> tuple[tuple[Step, ...], int]:
    """The steps with their final lines, and the line of the shared identity matrix (WIDE_LINES
    if there is none): below every step's blocks, but above `small` ones that reach down to it,
    which make room, and above what is `kept` from step to step."""
    if not identity and not any(step.kept for step in steps):
        return tuple(steps), WIDE_LINES
    lowest = min((step.lowest_line for step in steps if not step.small), default=WIDE_LINES)
    line = lowest - int(identity)

    def in_the_way(step: Step) -> bool:
        return bool(step.small) and step.lowest_line <= line < step.lowest_line + step.small

    moved = [
        step.moved_to(line - (step.kept or step.small)) if step.kept or in_the_way(step) else step
        for step in steps
    ]
    return tuple(moved), line if identity else WIDE_LINES


def top_line(planner: PlanBuilder, op: Operator) -> int:
    """First line above the transient blocks of `op`: WIDE_LINES, less what a reader uses that
    starts without a fence between the two (spatial passes begin and end with one)."""
    top = WIDE_LINES
    for tensor in op.outputs:
        for reader in planner.map_readers(planner.dataflow.source(tensor)):
            for family in planner.families:
                if reader.name in family.operators:
                    lines = family.unfenced_lines(planner, reader)
                    top = min(top, planner.block_line(lines) if lines else WIDE_LINES)
    return top
