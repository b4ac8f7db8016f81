"""The 4x4 byte identity that several steps of a program share: one wide line.

Reads nothing. Facts: docs/format/memory.md, "The identity line".
"""

from __future__ import annotations

from collections.abc import Sequence

from .plan import WIDE_LINES

NAME = "identity"
"""Its name among the wide lines that are taken."""
_PLACED_BELOW = frozenset(
    {
        "ADD",
        "AVERAGE_POOL_2D",
        "CONCATENATION",
        "CONV_2D",
        "DEPTHWISE_CONV_2D",
        "MAX_POOL_2D",
        "MEAN",
        "MUL",
        "PAD",
        "QUANTIZE",
        "RELU",
        "RELU6",
        "RELU_N1_TO_1",
        "RESIZE_BILINEAR",
        "SUB",
    }
)
"""Operators whose blocks start below whatever lines are taken."""
_BELOW_TOP_LINE = frozenset({"TILE"})
"""Operators whose blocks leave the very top line free."""


class SharedIdentity:
    """State while a plan is made. line: where spatial passes put it, None for the line below
    the blocks of all steps; last: number of the last operator that asked for it; until: the
    last that will, as an earlier plan of the same steps found out (None: not known)."""

    def __init__(self, until: int | None = None, *, may_be_high: bool = True) -> None:
        self.until = until
        self.may_be_high = may_be_high
        self.used = False
        self.line: int | None = None
        self.last = 0

    def ask(self, operator: int) -> bool:
        """Operator number `operator` needs it; whether it has to be made."""
        made, self.used = self.used, True
        self.last = max(self.last, operator)
        return not made

    def next_plan(self, names: Sequence[str], ends: Sequence[int]) -> SharedIdentity | None:
        """How to plan again, None if the plan is good. names: of all operators; ends: numbers of
        the last operators of the runs of spatial passes."""
        if self.line is None or self.until is not None:
            return None
        below = _PLACED_BELOW | (_BELOW_TOP_LINE if self.line == WIDE_LINES - 1 else frozenset())
        if not below.issuperset(names[min(ends) + 1 : self.last + 1]):
            return SharedIdentity(may_be_high=False)
        return SharedIdentity(until=self.last) if self.last > max(ends) else None
