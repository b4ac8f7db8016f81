"""Tensor unit: tensor ops and lookup tables. Facts: docs/format/execution.md, "Tensor op"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..errors import EmulationError
from ..lowering.program import Flag, LoadLookup, Mode, TensorKind, TensorOp
from .accesses import Access, Space
from .counters import WaitSet
from .execution import Side, counted_levels, next_boundary, signals
from .memories import BIAS_ENTRY, Array, gather, rows, scatter
from .requantize import LookupTable, clamp, round_to_bytes, scale
from .streams import Addresses
from .tensor_plan import LOOKUP, REDUCE_ARGUMENT, TensorPlan, tensor_accesses
from .tensor_sums import Accumulators

if TYPE_CHECKING:
    from .chip import Chip

_LOAD_CYCLES = 13


class TensorSide(Side):
    """Items are steps of the op's loops."""

    def __init__(self, chip: Chip, op: TensorOp) -> None:
        self.op = op
        self.plan = plan = TensorPlan(op)
        super().__init__(chip, plan.loops.total, [WaitSet(op.waits, plan.loops)])
        operands = plan.wide if plan.wide.total == plan.loops.total else plan.loops
        self.operand_signals = signals((Flag.PARAMETERS, op.signal_operands, operands))
        self.result_signals = signals((Flag.AVDATA, op.signal_output, plan.narrow_out))
        self.levels = counted_levels(self.waits, self.operand_signals)
        self.accumulators: Accumulators | None = None

    def reach(self, tile: int, start: int) -> int:
        return self.waits[0].limit(self.chip.counters.tile, tile, start)

    def run(self, tiles: Sequence[int], start: int, stop: int) -> None:
        if self.accumulators is None:
            self.accumulators = Accumulators(self.plan, self.chip.memories)
        self.accumulators.add(tiles, start, stop)
        self._emit(tiles, start, stop)
        self.chip.fire(self.operand_signals, tiles, start, stop)

    def boundary(self, start: int) -> int:
        plan = self.plan
        result = next_boundary(start, self.levels, self.total)
        for signal in self.result_signals:
            done = self.complete(start)[1]
            block = signal.stream.finished(signal.level, done) + 1
            last_word = signal.stream.start(signal.level, block) - 1
            result = min(result, int(plan.last_item[plan.word_output[last_word]]) + 1)
        return max(result, start + 1)

    def products(self, start: int, stop: int) -> int:
        if self.op.kind is TensorKind.MAXIMUM:
            return 0
        return (stop - start) * self.plan.lanes * self.plan.inputs_per_step

    def accesses(self, start: int, stop: int) -> list[Access]:
        return tensor_accesses(self.plan, (start, stop), self.complete(start), self.complete(stop))

    def complete(self, items: int) -> tuple[int, int]:
        """(outputs, result words) that are complete after `items` steps."""
        outputs = int(np.searchsorted(self.plan.last_item, items))
        return outputs, int(np.searchsorted(self.plan.word_output, outputs))

    def _emit(self, tiles: Sequence[int], start: int, stop: int) -> None:
        """Results that steps start..stop complete go to narrow memory."""
        plan = self.plan
        (first, first_word), (last, last_word) = self.complete(start), self.complete(stop)
        if last == first:
            return
        assert self.accumulators is not None
        sums = self.accumulators.values[rows(tiles), first:last]
        words = self._words(self._results(tiles, sums, first, last))
        which = slice(first_word, last_word)
        chosen = words[:, plan.word_output[which] - first, plan.word_index[which]]
        addresses = plan.narrow_out.addresses()[which] >> 2
        scatter(self.chip.memories.narrow_words, tiles, addresses, chosen)
        if not self.op.mode & Mode.ACCUMULATE and plan.partial.total == plan.loops.total:
            self._store_sums(tiles, sums, plan.last_item[first:last])
        self.chip.fire(self.result_signals, tiles, first_word, last_word)

    def _results(self, tiles: Sequence[int], sums: Array, first: int, last: int) -> Array:
        """Bytes of outputs first..last, (tiles, outputs, bytes)."""
        op, plan = self.op, self.plan
        entries: Addresses = np.arange(plan.lanes)
        if op.bias or op.scales:
            groups = plan.groups(plan.last_item[first:last]) & 1
            entries = 64 * groups[:, None] + entries
        scaling = self.chip.memories.scaling_words
        if op.bias:
            sums = sums + gather(scaling.view(np.int32), tiles, entries + BIAS_ENTRY)
        factors: Array | np.float32 = np.float32(op.multiplier)
        if op.scales:
            factors = gather(scaling.view(np.float32), tiles, entries)
        with np.errstate(over="ignore", invalid="ignore"):
            values = clamp(scale(sums, factors), op.clamp_min, op.clamp_max)
            if op.activation & LOOKUP:
                values = self._lookup(tiles, values)
        return round_to_bytes(values, op.output_zero, wide=plan.wide_results)

    def _lookup(self, tiles: Sequence[int], values: Array) -> Array:
        reduce = bool(self.op.activation & REDUCE_ARGUMENT)
        tables = [self.chip.tables[tile] for tile in tiles]
        if any(table is None for table in tables):
            raise EmulationError("a tensor op uses a lookup table before one is loaded")
        if tables[0] is not None and all(table is tables[0] for table in tables):
            return tables[0].evaluate(values, reduce=reduce)
        rows_of = [
            table.evaluate(values[row], reduce=reduce)
            for row, table in enumerate(tables)
            if table is not None
        ]
        return np.stack(rows_of)

    def _words(self, values: Array) -> Array:
        """Bytes of outputs, filled up to whole words."""
        shape = (*values.shape[:-1], 4 * self.plan.words)
        if values.shape != shape:
            padded = np.zeros(shape, np.uint8)
            padded[..., : values.shape[-1]] = values
            values = padded
        return np.ascontiguousarray(values).view("<u4")

    def _store_sums(self, tiles: Sequence[int], sums: Array, items: Addresses) -> None:
        """Accumulators stay in wide memory as 32-bit lanes."""
        units = self.plan.partial.addresses()[items]
        memory = self.chip.memories.wide_bytes.view(np.int32)
        lanes = (16 * units)[:, None] + np.arange(self.plan.lanes)
        if lanes.min() < 0 or lanes.max() >= memory.shape[1]:
            raise EmulationError("an address lies outside the wide memory", actual=int(lanes.max()))
        scatter(memory, tiles, lanes, sums.astype(np.int64).astype(np.int32))


class LoadLookupSide(Side):
    """Loads the activation table; one item."""

    def __init__(self, chip: Chip, instruction: LoadLookup) -> None:
        super().__init__(chip, 1)
        self.table = LookupTable.of(instruction)

    def reach(self, tile: int, start: int) -> int:
        return 1

    def run(self, tiles: Sequence[int], start: int, stop: int) -> None:
        for tile in tiles:
            self.chip.tables[tile] = self.table

    def cycles(self, start: int, stop: int) -> float:
        return float(_LOAD_CYCLES)

    def accesses(self, start: int, stop: int) -> list[Access]:
        return [Access(Space.TABLE, True, np.zeros(1, np.int64))]
