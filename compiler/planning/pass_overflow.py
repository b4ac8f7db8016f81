"""Steps whose live buffers do not fit into a tile's narrow memory.

Reads the buffers of a plan that is being made. Facts: docs/format/passes.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ..fast_dataclass import dataclass
from .plan import LONGEST_LOOP

if TYPE_CHECKING:
    from .passes import Run
    from .plan import NarrowBuffer, Step


@dataclass(frozen=True, slots=True)
class Overflow:
    """A step whose live buffers have more words than a tile: the step's number, and the
    words. `scattered`: they would fit, but no order was found that leaves no gaps. `loop`: it is
    the pixels, or words, of a loop that are too many."""

    step: int
    words: int
    scattered: bool = False
    loop: bool = False


class RunOverflow(Exception):  # noqa: N818 - an answer to the choice of passes, not a defect
    """A run of spatial passes does not fit as it is: `step` is the first that overflows. Raised
    as soon as that is known, in the middle of a plan."""

    def __init__(self, run: Run, step: Step, overflow: Overflow) -> None:
        super().__init__(run, overflow)
        self.run = run
        self.step = step
        self.overflow = overflow


def overflows(
    buffers: Iterable[NarrowBuffer], steps: int, capacity: int, begin: int = 0
) -> list[Overflow]:
    """All overfull steps from `begin` on."""
    change = [0] * (steps - begin + 1)
    for buffer in buffers:
        if buffer.last >= begin:
            change[max(buffer.first - begin, 0)] += buffer.words
            change[min(buffer.last, steps - 1) + 1 - begin] -= buffer.words
    found = []
    live = 0
    for step in range(begin, steps):
        live += change[step - begin]
        if live > capacity:
            found.append(Overflow(step, live))
    return found


def long_loops(steps: Sequence[Step]) -> list[Overflow]:
    """Steps whose parts of the maps have more pixels than a loop counts."""
    longest = ((number, step.longest_loop) for number, step in enumerate(steps))
    return [Overflow(number, count, loop=True) for number, count in longest if count > LONGEST_LOOP]
