"""Plan level in, Program level out: the program's frame around one lowering per step.

A lowering is a function of a `Lowering` (the program so far, the counters, the plan's
addresses) and its step; `families.py` lists them by step type.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..errors import InternalError
from ..planning.plan import OutputStep, Piece, Plan, Segment, Step
from .builder import ProgramBuilder
from .host_stream import HostStream
from .program import ALL_TILES, Instruction, Program, TileFence, Unit
from .sync import SyncState

StepLowering = Callable[["Lowering", Any], None]


class Lowering:
    """What the lowerings share. program: instructions in order; host: parameters that are
    streamed to it; sync: counters since the last reset; narrow addresses and parameter pieces
    come from the plan."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.program = ProgramBuilder(plan.release)
        self.host = HostStream(self.program)
        self.sync = SyncState()
        self.activations: list[int] = []
        self.uncounted = False
        """Mesh moves since the last reset that `sync` does not count."""

    def add(self, instruction: Instruction) -> None:
        self.program.add(instruction)

    def address(self, buffer: str) -> int:
        """Word address of a narrow buffer."""
        return self.plan.narrow[buffer]

    def segment(self, index: int) -> Segment:
        return self.plan.segments[index]

    def placement(self, index: int) -> tuple[Piece, ...]:
        """Where segment `index` lives in wide memory."""
        return self.plan.placement[index]

    def load_base(self, step: Step) -> None:
        """Base address of the tensor that the step moves between host and chip."""
        self.activations.append(step.border)
        self.program.load_base()

    def reset(self) -> None:
        """All units idle, then every counter back to zero."""
        self.program.reset()
        self.sync.reset()
        self.uncounted = False

    def restart(self) -> None:
        """Behind an output: wait for every ring message, then all counters start again."""
        self.reset()
        self.program.drain_producers()

    def restart_rings(self) -> None:
        """reset, and if any ring message was sent since the last time, restart with them."""
        self.reset()
        if self.program.producer_a or self.program.producer_b:
            self.program.drain_producers()

    def fence_unit(self, unit: Unit, tiles: int = ALL_TILES) -> None:
        """Hold the tiles until one unit is idle; counters run on."""
        self.add(TileFence(tiles=tiles, units=unit))


def lower(plan: Plan) -> Program:
    """The whole program of a plan."""
    from .families import (  # noqa: PLC0415 - each family imports this module
        EXCHANGING,
        LOWERINGS,
        RESETTING_TWICE,
        RESTARTING,
    )

    lowering = Lowering(plan)
    lowering.program.begin()
    for number, step in enumerate(plan.steps):
        previous = plan.steps[number - 1] if number else None
        if isinstance(previous, OutputStep):
            lowering.restart()
            before = plan.steps[number - 2] if number > 1 else None
            lowering.sync.reset_before_parameters = isinstance(before, RESETTING_TWICE)
        elif isinstance(previous, RESTARTING) and not isinstance(step, OutputStep):
            lowering.restart_rings()
            if isinstance(step, EXCHANGING):
                lowering.sync.reset_before_parameters = True
            else:
                lowering.reset()
        elif lowering.sync.reset_before_parameters and not isinstance(step, EXCHANGING):
            lowering.reset()
        _lowering_of(LOWERINGS, step)(lowering, step)
    lowering.program.end()
    return lowering.program.program(
        parameters=bytes(lowering.host.parameters), activations=tuple(lowering.activations)
    )


def _lowering_of(lowerings: Mapping[type[Step], StepLowering], step: Step) -> StepLowering:
    try:
        return lowerings[type(step)]
    except KeyError:
        raise InternalError(f"no lowering for step {type(step).__name__}") from None
