"""What a tensor op does in which order: its streams, its outputs and where they go.

Reads a `TensorOp`; used by `tensor_unit`. Facts: docs/format/execution.md, "Tensor op".
"""

from __future__ import annotations

import enum

import numpy as np

from ..errors import EmulationError
from ..lowering.program import Flag, Mode, TensorKind, TensorOp
from .accesses import Access, Space, distinct, line_units
from .memories import NARROW_BYTES, UNITS_PER_LINE, WIDE_LINES
from .streams import Addresses, AddressStream, loop_stream

LEVELS = 8
_BYTE_PLANES = 3
LOOKUP, REDUCE_ARGUMENT, _SIXTEEN_BITS = 1, 2, 4
"""Bits of `activation`: look results up, reduce the argument first, results are 16 bits."""


class Operand(enum.Enum):
    """How one step reads the wide operand."""

    BYTES = "four bytes a lane"
    HALVES = "two 16-bit values a lane"
    BYTE_PLANE = "one byte a lane"
    HALF_PLANE = "one 16-bit value a lane"


class TensorPlan:
    """The streams of a tensor op and the order of its outputs.

    outputs: number of accumulators a lane has; output_of[item]: the accumulator a step adds
    to; last_item[output]: the step that completes it, ascending; word_output, word_index: the
    output, and the word in it, that item i of the result stream holds.
    """

    def __init__(self, op: TensorOp) -> None:
        self.op = op
        self.loops = loop_stream(op.loops, op.loop_tail)
        self.narrow_in = AddressStream(op.narrow_in, LEVELS)
        self.narrow_out = AddressStream(op.narrow_out, LEVELS)
        self.wide = AddressStream(op.wide, LEVELS)
        self.partial = AddressStream(op.partial, LEVELS)
        self.lanes = max(op.lanes, op.last_lanes) + 1
        self.wide_results = bool(op.activation & _SIXTEEN_BITS)
        self.wide_inputs = bool(op.mode & Mode.REDUCE)
        self.words = -(-self.lanes * (2 if self.wide_results else 1) // 4)
        self.operand = self._operand()
        self.reduced = [bool(op.reduced >> loop & 1) for loop in range(LEVELS)]
        self._reduce_further()
        self.output_of, self.outputs = self._output_order()
        self.last_item = self._last_items()
        self.word_output, self.word_index = self._result_words()
        self.group_level = self._group_level()
        self._check()

    @property
    def inputs_per_step(self) -> int:
        """Input values of one step: channels that are multiplied and added."""
        if self.operand is Operand.BYTES:
            return 4
        return 2 if self.operand is Operand.HALVES else 1

    def _operand(self) -> Operand:
        op = self.op
        single = op.byte_slices == _BYTE_PLANES or self.wide_inputs
        single = single or op.kind is TensorKind.MAXIMUM or bool(op.byte_slices)
        if op.mode & Mode.WIDE_16:
            return Operand.HALF_PLANE if single else Operand.HALVES
        return Operand.BYTE_PLANE if single else Operand.BYTES

    def _kept_count(self) -> int:
        """Iterations of the loops that are not reduced."""
        if self.loops.regular:
            count = 1
            for trips, reduced in zip(self.loops.counts, self.reduced, strict=True):
                count *= 1 if reduced else trips
            return count
        return len(np.unique(self._raw_order()))

    def _reduce_further(self) -> None:
        """The mask does not name every reduction: where the result stream has fewer blocks
        than the loops, the innermost other loops are summed over too."""
        kept = self._kept_count()
        blocks = self._result_blocks(kept)
        if kept == blocks or kept % blocks:
            return
        factor = kept // blocks
        for loop, trips in enumerate(self.loops.counts):
            if factor > 1 and not self.reduced[loop] and trips > 1 and factor % trips == 0:
                self.reduced[loop] = True
                factor //= trips

    def _result_blocks(self, kept: int) -> int:
        stream = self.narrow_out
        whole = stream.total // self.words
        if stream.total % self.words == 0 and whole and kept % whole == 0:
            return whole
        return stream.blocks(1)

    def _raw_order(self) -> Addresses:
        order = np.zeros(self.loops.total, np.int64)
        weight = 1
        for loop, trips in enumerate(self.loops.counts):
            if not self.reduced[loop] and trips > 1:
                order += self.loops.index(loop) * weight
                weight *= trips
        return order

    def _output_order(self) -> tuple[Addresses, int]:
        order = self._raw_order()
        if self.loops.regular:
            return order, self._kept_count()
        found, order = np.unique(order, return_inverse=True)
        return order, len(found)

    def _last_items(self) -> Addresses:
        last = np.zeros(self.outputs, np.int64)
        last[self.output_of] = np.arange(self.loops.total)
        return last

    def _result_words(self) -> tuple[Addresses, Addresses]:
        stream = self.narrow_out
        items = np.arange(stream.total)
        if stream.total == self.outputs * self.words:
            return items // self.words, items % self.words
        if self.words == 1:
            return items, np.zeros(stream.total, np.int64)
        blocks = stream.full_index()
        output = np.unique(blocks // stream.counts[0], return_inverse=True)[1]
        return output, blocks % stream.counts[0]

    def _group_level(self) -> int:
        """Level of the blocks that use one slot of the scaling unit."""
        for wait in self.op.waits:
            if wait is not None and wait.flag is Flag.WIDE_TO_SCALING:
                return wait.level
        return LEVELS

    def groups(self, items: Addresses) -> Addresses:
        """Output-channel group of steps: counts blocks of the group level."""
        kept = self.loops.full_index()[items] if not self.loops.regular else items
        return kept // self.loops.size(self.group_level)

    def zero_lines(self, groups: Addresses) -> Addresses:
        """Wide line with the weight zero points of each group."""
        op = self.op
        step = op.zero_vector_step or 1
        span = op.zero_vector_last - op.zero_vector_start
        count = span // step + 1 if span >= 0 else 1
        return op.zero_vector_start + step * (groups % count)

    def _check(self) -> None:
        steps = self.loops.total
        for what, stream in (("narrow operand", self.narrow_in), ("wide operand", self.wide)):
            if self.op.kind is not TensorKind.INTERPOLATE and stream.total not in (1, steps):
                raise EmulationError(
                    f"the {what} and the loops of a tensor op have different lengths",
                    actual=stream.total,
                    allowed=steps,
                )
        if int(self.word_output.max()) + 1 != self.outputs or self.word_index.max() >= self.words:
            raise EmulationError(
                "a tensor op's result stream does not fit its loops",
                actual=int(self.word_output.max()) + 1,
                allowed=self.outputs,
            )
        self.narrow_in.check("narrow memory", NARROW_BYTES - 3)
        self.narrow_out.check("narrow memory", NARROW_BYTES)
        units = -(-self.lanes // 16) if self.inputs_per_step > 1 else 1
        self.wide.check("wide memory", WIDE_LINES * UNITS_PER_LINE - units + 1)


def tensor_accesses(
    plan: TensorPlan,
    items: tuple[int, int],
    before: tuple[int, int],
    after: tuple[int, int],
) -> list[Access]:
    """Memory that steps items[0]..items[1] touch; before, after: (outputs, result words) that
    are complete at these steps."""
    steps = slice(*items)
    found = []
    if plan.narrow_in.present:
        addresses = plan.narrow_in.addresses()
        inputs = addresses[steps] if len(addresses) > 1 else addresses
        last = inputs + (1 if plan.wide_inputs else plan.inputs_per_step - 1)
        found.append(Access(Space.NARROW, False, distinct(np.concatenate((inputs, last)) >> 2)))
    wide = plan.wide.addresses()
    found.append(
        Access(Space.WIDE, False, _operand_units(plan, wide[steps] if len(wide) > 1 else wide))
    )
    if after[0] > before[0]:
        found += _result_accesses(plan, (before[0], after[0]), (before[1], after[1]))
    return found


def _operand_units(plan: TensorPlan, addresses: Addresses) -> Addresses:
    """64-byte units of the operand of some steps."""
    units = np.arange(-(-plan.lanes // 16))
    first = distinct(addresses)
    if plan.operand in (Operand.BYTE_PLANE, Operand.HALF_PLANE):
        first = np.unique(first >> 2 << 2)
    return np.unique(first[:, None] + units)


def _result_accesses(
    plan: TensorPlan, outputs: tuple[int, int], words: tuple[int, int]
) -> list[Access]:
    """What the results of a range of outputs read and write."""
    op = plan.op
    items = plan.last_item[slice(*outputs)]
    found = [Access(Space.NARROW, True, plan.narrow_out.addresses()[slice(*words)] >> 2)]
    entries = np.arange(-(-plan.lanes // 2))
    slots = np.unique(plan.groups(items) & 1)[:, None]
    if op.scales:
        found.append(Access(Space.SCALING, False, (32 * slots + entries).ravel()))
    if op.bias:
        found.append(Access(Space.SCALING, False, (32 * slots + 64 + entries).ravel()))
    if op.weight_zero_vector:
        lines = np.unique(plan.zero_lines(plan.groups(items)))
        found.append(Access(Space.WIDE, False, line_units(lines, 4 * plan.lanes)))
    if op.activation & LOOKUP:
        found.append(Access(Space.TABLE, False, np.zeros(1, np.int64)))
    if not op.mode & Mode.ACCUMULATE and plan.partial.total == plan.loops.total:
        units = plan.partial.addresses()[items][:, None] + np.arange(-(-plan.lanes // 16))
        found.append(Access(Space.WIDE, True, units.ravel()))
    return found
