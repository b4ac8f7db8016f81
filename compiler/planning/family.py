"""What an operator family tells the planner. The driver (`planner.py`) knows no operator: it
asks the families of `families.py`, in order, and the first that accepts plans.

To add a family: write `planning/<family>.py` with a frozen `Step` subclass for each kind of
step and a `Family` constant, write `lowering/<family>.py` with one function per step, and add
one line to `planning/families.py` and one per step to `lowering/families.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..fast_dataclass import dataclass
from .tiling import MapNeed

if TYPE_CHECKING:
    from ..frontend.graph import Operator
    from .builder import PlanBuilder


def always(_planner: PlanBuilder, _op: Operator) -> bool:
    """For conditions that every operator of a family keeps."""
    return True


def never(_planner: PlanBuilder, _op: Operator) -> bool:
    """For conditions that no operator of a family keeps."""
    return False


def _no_lines(_planner: PlanBuilder, _op: Operator) -> int:
    return 0


def _own_pixels(_planner: PlanBuilder, _op: Operator, _tensor: int) -> MapNeed | None:
    return None


@dataclass(frozen=True, slots=True)
class Family:
    """operators: names it may take; accepts: whether it takes this one (asked when the
    operator's turn comes, so the layouts of its inputs are known); plan: adds its steps, raises
    Refusal.

    Asked before the producer of an input is planned, so from shapes alone: needs: the pixels
    of a map input each tile reads (None: just its own); unfenced_lines: wide lines at the top
    it uses while its producer may still run, so the producer keeps clear of them (0: a fence
    is between them).

    by_parts: whether it asks the planner for the extent of the operator's maps, so that the
    operator can run on a part of them (docs/format/passes.md)."""

    name: str
    operators: frozenset[str]
    plan: Callable[[PlanBuilder, Operator], None]
    accepts: Callable[[PlanBuilder, Operator], bool] = always
    needs: Callable[[PlanBuilder, Operator, int], MapNeed | None] = _own_pixels
    unfenced_lines: Callable[[PlanBuilder, Operator], int] = _no_lines
    by_parts: Callable[[PlanBuilder, Operator], bool] = never


@dataclass(frozen=True, slots=True)
class Border:
    """A way to bring a tensor in from the host, or out to it. Outputs: `accepts` may look at
    `planner.layouts[tensor]`."""

    name: str
    accepts: Callable[[PlanBuilder, int], bool]
    plan: Callable[[PlanBuilder, int], None]
