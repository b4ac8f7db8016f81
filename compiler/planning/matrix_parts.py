"""Outputs of a fully connected layer over tiles and steps: a tensor op makes up to 64 on a tile.

A layer of more outputs than 16 tiles make at once is computed in parts, one step each; the tiles'
blocks, of which a part makes 64 outputs each, stay whole. Facts: docs/format/fully_connected.md,
"More than 1024 outputs". Reads nothing.
"""

from __future__ import annotations

from .plan import TILES
from .tiling import Interval

LANES = 64
"""Outputs that one tensor op makes on a tile."""


def matrix_parts(outputs: int) -> tuple[tuple[Interval, ...], ...]:
    """For each part, the outputs that it makes on each of its tiles, from tile 0 on."""
    steps = -(-outputs // (LANES * TILES))
    block = steps * LANES
    return tuple(
        tuple((first, min(first + LANES, outputs)) for first in range(start, outputs, block))
        for start in range(0, block, LANES)
        if start < outputs
    )
