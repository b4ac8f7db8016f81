"""Lowering of CONCATENATION of maps, whose parts are in place.

Reads `JoinedMapStep`s. Facts: docs/format/tiling.md, "Joint maps".
"""

from __future__ import annotations

from ..planning.map_concatenation import JoinedMapStep
from .lower import Lowering


def lower_joined_map(lowering: Lowering, step: JoinedMapStep) -> None:
    """reset; a fence for each part; reset."""
    lowering.reset()
    for _ in range(step.parts):
        lowering.program.idle()
    lowering.reset()
