"""The 4x4 byte identity that several steps of a program share: one wide line.

Reads nothing. Facts: docs/format/memory.md, "The identity line".
"""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence

from .plan import WIDE_LINES
from .tiling import Interval

NAME = "identity"
"""Its name among the wide lines that are taken."""
_PLACED_BELOW = frozenset(
    {
        "ADD",
        "AVERAGE_POOL_2D",
        "CONCATENATION",
        "CONV_2D",
        "DEPTHWISE_CONV_2D",
        "L2_NORMALIZATION",
        "LOGISTIC",
        "MAX_POOL_2D",
        "MEAN",
        "MUL",
        "PAD",
        "QUANTIZE",
        "RELU",
        "RELU6",
        "RELU_N1_TO_1",
        "RESIZE_BILINEAR",
        "RSQRT",
        "SUB",
        "TANH",
        "TRANSPOSE_CONV",
    }
)
"""Operators whose blocks start below whatever lines are taken."""
_BELOW_TOP_LINE = frozenset({"EXPAND_DIMS", "RESHAPE", "SQUEEZE", "TILE"})
"""Operators whose blocks leave the very top line free."""


class SharedIdentity:
    """State while a plan is made. line: where spatial passes put it, None for the line below
    the blocks of all steps; last: number of the last operator that asked for it; until: the
    last that will, as an earlier plan of the same steps found out (None: not known); of_picture:
    it is the one by which the first picture is gathered, whose pixels are whole words."""

    def __init__(
        self, until: int | None = None, *, may_be_high: bool = True, of_picture: bool = False
    ) -> None:
        self.until = until
        self.may_be_high = may_be_high
        self.of_picture = of_picture
        self.used = False
        self.line: int | None = None
        self.last = 0
        self._offered: int | None = None

    def fresh(self) -> SharedIdentity:
        """The same decisions, for another plan."""
        return SharedIdentity(self.until, may_be_high=self.may_be_high, of_picture=self.of_picture)

    def ask(self, operator: int) -> bool:
        """Operator number `operator` needs it; whether it has to be made."""
        made, self.used = self.used, True
        self.last = max(self.last, operator)
        return not made

    def offer(self, operator: int) -> None:
        """A picture of whole words comes in for operator number `operator`, with an identity of
        its own, before anything asked for the shared one."""
        if not self.used and self.may_be_high and self._offered is None:
            self._offered = operator

    def next_plan(self, names: Sequence[str], ends: Sequence[int]) -> SharedIdentity | None:
        """How to plan again, None if the plan is good. names: of all operators; ends: numbers of
        the last operators of the runs of spatial passes."""
        if self._offered is not None and self.used:
            below = _PLACED_BELOW | _BELOW_TOP_LINE
            if not ends and below.issuperset(names[self._offered : self.last + 1]):
                return SharedIdentity(until=self.last, of_picture=True)
        if self.of_picture and self.line != WIDE_LINES - 1:
            return SharedIdentity(may_be_high=False)
        if self.line is None or self.until is not None:
            return None
        below = _PLACED_BELOW | (_BELOW_TOP_LINE if self.line == WIDE_LINES - 1 else frozenset())
        if not below.issuperset(names[min(ends) + 1 : self.last + 1]):
            return SharedIdentity(may_be_high=False)
        return SharedIdentity(until=self.last) if self.last > max(ends) else None


class ImageIdentity:
    """The two-line identity by which a picture of one to three channels is gathered, where
    constant maps are gathered by it, too. uses: how many will, as an earlier plan of the same
    steps found out; line: its first line while it is kept."""

    NAME = "image identity"

    def __init__(self, uses: int = 0, *, may_be_kept: bool = True) -> None:
        self.uses = uses
        self.may_be_kept = may_be_kept
        self.line: int | None = None
        self.there = False
        self.asked = 0
        self.last = 0

    def ask(self, operator: int) -> bool:
        """Whether operator number `operator` finds it."""
        found = self.there and self.may_be_kept
        if found:
            self.asked += 1
            self.last = operator
        return found

    def release(self, taken: MutableMapping[str, Interval]) -> None:
        """Behind the last use, its lines are free."""
        if self.asked == self.uses:
            taken.pop(self.NAME, None)

    def next_plan(self, names: Sequence[str]) -> ImageIdentity | None:
        """How to plan again, None if the plan is good. names: of all operators."""
        if self.asked == self.uses:
            return None
        if not _PLACED_BELOW.issuperset(names[: self.last + 1]):
            return ImageIdentity(may_be_kept=False)
        return ImageIdentity(self.asked)
