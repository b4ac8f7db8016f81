"""Tensor op INTERPOLATE: bilinear interpolation between four pixels.

Fields have another meaning here: the clamp limits are three bytes (loop level, first phase,
step) for x (upper limit) and y (lower limit), `initial` is the pitch of x and `output_zero`
that of y in bytes. A phase counts quarter pixels; loops 0 and 1 walk the two neighbours in x
and y. Facts: docs/format/execution.md, "Interpolation".
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..errors import EmulationError
from ..lowering.program import Flag, TensorOp
from .accesses import Access, Space
from .counters import WaitSet
from .execution import Side, signals
from .memories import NARROW_BYTES, gather, scatter
from .streams import Addresses
from .tensor_plan import LEVELS, TensorPlan

if TYPE_CHECKING:
    from .chip import Chip

_PHASES = 4
_WEIGHT_STEP = 32


class InterpolationSide(Side):
    """Items are the op's loops; the whole op runs at once."""

    def __init__(self, chip: Chip, op: TensorOp) -> None:
        self.op = op
        self.plan = plan = TensorPlan(op)
        super().__init__(chip, plan.loops.total, [WaitSet(op.waits, plan.loops)])
        self.signals = signals((Flag.PARAMETERS, op.signal_operands, plan.loops))
        self.result_signals = signals((Flag.AVDATA, op.signal_output, plan.narrow_out))

    def reach(self, tile: int, start: int) -> int:
        limit = self.waits[0].limit(self.chip.counters.tile, tile, start)
        return limit if limit == self.total else start

    def run(self, tiles: Sequence[int], start: int, stop: int) -> None:
        plan, op = self.plan, self.op
        addresses, weights = self._taps()
        values = gather(self.chip.memories.narrow_bytes, tiles, addresses[:, None] + np.arange(4))
        products = values.astype(np.int64) * weights[:, None]
        order = np.argsort(plan.output_of, kind="stable")
        first = np.searchsorted(plan.output_of[order], np.arange(plan.outputs))
        sums = np.add.reduceat(products[:, order], first, axis=1)
        scaled = np.rint(sums.astype(np.float32) * np.float32(op.multiplier))
        result = np.ascontiguousarray(scaled.clip(0, 255).astype(np.uint8)).view("<u4")[..., 0]
        scatter(self.chip.memories.narrow_words, tiles, plan.narrow_out.addresses() >> 2, result)
        self.chip.fire(self.signals, tiles, 0, plan.loops.total)
        self.chip.fire(self.result_signals, tiles, 0, plan.narrow_out.total)

    def accesses(self, start: int, stop: int) -> list[Access]:
        addresses, weights = self._taps()
        return [
            Access(Space.NARROW, False, np.unique(addresses[weights > 0] >> 2)),
            Access(Space.NARROW, True, self.plan.narrow_out.addresses() >> 2),
        ]

    def _taps(self) -> tuple[Addresses, Addresses]:
        """(byte address, weight) of every item."""
        op, loops = self.op, self.plan.loops
        x_pixel, x_phase = self._axis(op.clamp_max)
        y_pixel, y_phase = self._axis(op.clamp_min)
        addresses = (
            self.plan.narrow_in.addresses() + x_pixel * op.initial + y_pixel * op.output_zero
        )
        if addresses.min() < 0 or addresses.max() > NARROW_BYTES - 4:
            raise EmulationError(
                "an address lies outside the narrow memory", actual=int(addresses.max())
            )
        x_weight = np.where(loops.index(0), x_phase, _PHASES - x_phase) * _WEIGHT_STEP
        y_weight = np.where(loops.index(1), y_phase, _PHASES - y_phase) * _WEIGHT_STEP
        return addresses, x_weight * y_weight

    def _axis(self, field: float) -> tuple[Addresses, Addresses]:
        """(pixel, phase) of every item along one axis."""
        level, first, step, _ = struct.pack("<f", field)
        phase = first + step * self.plan.loops.index(min(level, LEVELS - 1))
        return phase // _PHASES, phase % _PHASES
