"""Plans of graphs whose outputs leave in parts (`frontend/joined_outputs.py`), seen as plans of the
graphs they were made from.

Reads and writes the Plan level. Facts: docs/format/movement.md, "Outputs in parts".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..frontend.joined_outputs import JoinedOutput, SplitOutputs
from .map_output import MapOutputStep
from .origins import step_of_origin
from .plan import Plan, Step


def in_place(plan: Plan, split: SplitOutputs) -> Plan:
    """The plan with the operators of the graph, and every part at its place in the output."""
    offsets = {
        part.tensor: (joined.tensor, offset)
        for joined in split.joined
        for part, offset in zip(joined.parts, joined.offsets(), strict=False)
    }
    bands = plan.output_parts
    joined = tuple(
        JoinedOutput(
            output.tensor,
            tuple(replace(part, bands=bands[part.tensor]) for part in output.parts),
        )
        for output in split.joined
    )
    steps = tuple(_step(step, split.origins, offsets) for step in plan.steps)
    return replace(plan, steps=steps, joined=joined)


def _step(step: Step, origins: Mapping[int, int], offsets: Mapping[int, tuple[int, int]]) -> Step:
    step = step_of_origin(step, origins)
    if not isinstance(step, MapOutputStep) or step.border not in offsets:
        return step
    output, offset = offsets[step.border]
    return replace(step, border=output, host_offset=step.host_offset + offset)
