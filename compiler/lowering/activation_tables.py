"""Loading an activation table, once the tensor ops before it are done.

Reads `lookup_tables`; writes the Program level. Facts: docs/format/activation.md.
"""

from __future__ import annotations

from .lookup_tables import load_lookup
from .lower import Lowering
from .program import Flag, Unit

INVERSE_ROOT = 7
"""`TensorOp.activation` with that table: the argument is reduced, the result has 16 bits."""
_OPERATION_FLAGS = 1 << Flag.AVDATA | 1 << Flag.PARAMETERS | 1 << Flag.PARTIAL_SUMS
"""The tensor op's own counters."""


def load_table(lowering: Lowering, name: str, tiles: int) -> None:
    """Load a table (a key of `lookup_tables`) on the tiles of the mask, once their tensor ops
    are done."""
    lowering.program.tile_fence(_OPERATION_FLAGS, Unit.TENSOR)
    lowering.add(load_lookup(name, tiles))
