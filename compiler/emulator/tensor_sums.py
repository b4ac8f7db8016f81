"""The multiply-accumulate array: sums of products over blocks of steps, on all tiles at once.

A block of steps is arranged as (batches, positions, depth): loops over which the wide operand
changes, loops over which it stays the same, and the loops summed over, so that a block is one
matrix product. Sums are exact: values have at most 16 bits, and float64 holds every sum of
their products. Facts: docs/format/execution.md, "Tensor op".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..lowering.program import TensorKind
from .memories import LINE_BYTES, UNITS_PER_LINE, Array, TileMemories, gather, rows
from .streams import Addresses
from .tensor_plan import LEVELS, Operand, TensorPlan

_CHUNK_VALUES = 1 << 21
"""Operand values gathered at a time, which bounds the memory a step needs."""
_EXACT_DEPTH = 256
"""Products of two values in [-255, 255] that float32 adds exactly."""
_BYTE = 255
_COMPARE_VALUES = 1 << 12
"""Weights worth a check whether all tiles have the same."""


class Accumulators:
    """The accumulators of one tensor op on all tiles."""

    def __init__(self, plan: TensorPlan, memories: TileMemories) -> None:
        self.plan = plan
        self.memories = memories
        shape = 16, plan.outputs, plan.lanes
        self.values: Array = np.full(shape, float(plan.op.initial))
        self._orders: dict[int, tuple[list[int], tuple[int, int, int]]] = {}

    def add(self, tiles: Sequence[int], start: int, stop: int) -> None:
        """Execute steps start..stop."""
        while start < stop:
            level = self._largest_block(start, stop)
            self._block(tiles, start, level)
            start += self.plan.loops.size(level)

    def _largest_block(self, start: int, stop: int) -> int:
        """The highest level with a whole block at `start` that ends by `stop`."""
        loops = self.plan.loops
        for level in range(LEVELS, 0, -1):
            size = loops.size(level)
            if start + size > stop:
                continue
            if loops.regular:
                if start % size == 0:
                    return level
            else:
                full = loops.full_index()
                first = int(full[start])
                if first % size == 0 and int(full[start + size - 1]) == first + size - 1:
                    return level
        return 0

    def _block(self, tiles: Sequence[int], start: int, level: int) -> None:
        plan = self.plan
        size = plan.loops.size(level)
        order, (batches, positions, depth) = self._order(level)
        shape = plan.loops.counts[:level][::-1] or (1,)

        def arrange(values: Addresses) -> Addresses:
            part = values[start : start + size] if len(values) > 1 else values.repeat(size)
            return part.reshape(shape).transpose(order).reshape(batches, positions, depth)

        operand = arrange(plan.wide.addresses())[:, 0]
        target = arrange(plan.output_of)[:, :, 0]
        source = arrange(plan.narrow_in.addresses()) if plan.narrow_in.present else None
        zeros = None
        if plan.op.weight_zero_vector:
            items = arrange_items(start, size, shape, order).reshape(batches, -1)[:, 0]
            zeros = plan.zero_lines(plan.groups(items))
        work = _Work(source, operand, target, zeros)
        for part in work.pieces(len(tiles), plan.lanes, self._exact_depth(tiles, zeros)):
            self._multiply(tiles, part)

    def _exact_depth(self, tiles: Sequence[int], zeros: Addresses | None) -> int | None:
        """Steps whose products float32 adds exactly, None if it needs float64."""
        op, plan = self.plan.op, self.plan
        if plan.wide_inputs or plan.operand not in (Operand.BYTES, Operand.BYTE_PLANE):
            return None
        if not (0 <= op.input_zero <= _BYTE and 0 <= op.weight_zero <= _BYTE):
            return None
        if zeros is not None:
            vector = self._zero_points(tiles, zeros)
            if vector.min() < 0 or vector.max() > _BYTE:
                return None
        return _EXACT_DEPTH // plan.inputs_per_step

    def _zero_points(self, tiles: Sequence[int], lines: Addresses) -> Array:
        """Weight zero points (tiles, batch, lanes) of wide lines."""
        found = gather(self.memories.wide_lines, tiles, lines).view(np.int32)
        return found[..., : self.plan.lanes]

    def _order(self, level: int) -> tuple[list[int], tuple[int, int, int]]:
        """(axis order, (batches, positions, depth)) of the blocks of a level."""
        found = self._orders.get(level)
        if found is None:
            found = self._orders[level] = self._make_order(level)
        return found

    def _make_order(self, level: int) -> tuple[list[int], tuple[int, int, int]]:
        shape = self.plan.loops.counts[:level][::-1] or (1,)
        axes: tuple[list[int], list[int], list[int]] = [], [], []
        for axis, count in enumerate(shape):
            loop = level - 1 - axis
            if count == 1:
                axes[0].append(axis)
            elif self.plan.reduced[loop]:
                axes[2].append(axis)
            else:
                axes[int(self._operand_stays(loop))].append(axis)
        batches, positions, depth = (
            int(np.prod([shape[axis] for axis in group], dtype=np.int64)) for group in axes
        )
        return [*axes[0], *axes[1], *axes[2]], (batches, positions, depth)

    def _operand_stays(self, loop: int) -> bool:
        """Whether the wide operand is the same in all iterations of a loop."""
        plan = self.plan
        if plan.group_level <= loop or plan.wide.total != plan.loops.total:
            return False
        if plan.wide.counts != plan.loops.counts:
            return self._looks_constant(loop)
        if plan.wide.doubled and plan.wide.double_level <= loop:
            return False
        return plan.wide.strides[loop] == 0

    def _looks_constant(self, loop: int) -> bool:
        """Whether the operand's addresses do not depend on a loop, by looking at all of them."""
        loops = self.plan.loops
        if not loops.regular:
            return False
        addresses = self.plan.wide.addresses().reshape(loops.counts[::-1])
        axis = len(loops.counts) - 1 - loop
        return bool((addresses == addresses.take([0], axis)).all())

    def _multiply(self, tiles: Sequence[int], work: _Work) -> None:
        """Adds source times operand to the accumulators of `target`."""
        weights = self._weights(tiles, work)
        selected = rows(tiles)
        accumulators, where = self.values, (np.array(tiles)[:, None, None], work.target[None])
        index: Any = where
        if isinstance(selected, slice):
            accumulators, index = self.values[selected], (slice(None), work.target)
        if self.plan.op.kind is TensorKind.MAXIMUM:
            largest = weights.max(axis=(2, 3))[:, :, None]
            accumulators[index] = np.maximum(accumulators[index], largest)
            return
        tile_count, batches, depth, inputs, lanes = weights.shape
        matrix = weights.reshape(tile_count, batches, depth * inputs, lanes)
        if work.source is None:
            sums = matrix.sum(axis=2, dtype=np.float64)[:, :, None]
        else:
            sums = self._narrow(tiles, work.source, matrix.dtype) @ matrix
        accumulators[index] += sums

    def _narrow(self, tiles: Sequence[int], source: Addresses, kind: np.dtype[Any]) -> Array:
        """The narrow operand, (tiles, batch, position, depth * inputs)."""
        plan = self.plan
        memories = self.memories
        shape = len(tiles), *source.shape[:2], -1
        if plan.wide_inputs:
            low = gather(memories.narrow_bytes, tiles, source).astype(np.int64)
            values = low + 256 * gather(memories.narrow_bytes, tiles, source + 1).astype(np.int64)
        elif plan.inputs_per_step == 4 and not (source & 3).any():
            words = gather(memories.narrow_words, tiles, source >> 2)
            values = words.view(np.uint8)
        else:
            bytes_of = source[..., None] + np.arange(plan.inputs_per_step)
            values = gather(memories.narrow_bytes, tiles, bytes_of)
        result = values.reshape(shape).astype(kind)
        if plan.op.input_zero:
            np.subtract(result, plan.op.input_zero, out=result)
        return np.asarray(result)

    def _weights(self, tiles: Sequence[int], work: _Work) -> Array:
        """The wide operand less its zero points, (tiles or 1, batch, depth, inputs, lanes)."""
        op, plan = self.plan.op, self.plan
        raw = self._raw_weights(tiles, work.operand)
        if len(raw) > 1 and plan.op.kind is not TensorKind.MAXIMUM and work.source is not None:
            first = raw[:1]
            if raw.size > _COMPARE_VALUES and (raw[1:] == first).all():
                raw = first
        values = np.ascontiguousarray(raw, np.float32 if work.single else np.float64)
        if work.zeros is not None:
            points = self._zero_points(tiles, work.zeros)
            return np.asarray(values - points[:, :, None, None].astype(values.dtype))
        if op.weight_zero:
            np.subtract(values, op.weight_zero, out=values)
        return values

    def _raw_weights(self, tiles: Sequence[int], operand: Addresses) -> Array:
        """The wide operand as stored, (tiles, batch, depth, inputs, lanes)."""
        plan, memories, lanes = self.plan, self.memories, self.plan.lanes
        if plan.operand in (Operand.BYTES, Operand.HALVES):
            units = -(-lanes // 16)
            if units == UNITS_PER_LINE and not (operand & 3).any():
                raw = gather(memories.wide_lines, tiles, operand >> 2)
            else:
                raw = gather(memories.wide_units, tiles, operand[..., None] + np.arange(units))
                raw = raw.reshape(*raw.shape[:-2], -1)
            raw = raw[..., : 4 * lanes]
            if plan.operand is Operand.HALVES:
                raw = raw.view(np.uint16)
            return np.asarray(raw.reshape(*raw.shape[:-1], lanes, -1).swapaxes(-1, -2))
        if plan.operand is Operand.BYTE_PLANE:
            first = LINE_BYTES * (operand >> 2) + (operand & 3)
            index = first[..., None] + 4 * np.arange(lanes)
            return gather(memories.wide_bytes, tiles, index)[..., None, :]
        first = LINE_BYTES // 2 * (operand >> 2) + (operand >> 1 & 1)
        index = first[..., None] + 2 * np.arange(lanes)
        return gather(memories.wide_halves, tiles, index)[..., None, :]


@dataclass(frozen=True, eq=False)
class _Work:
    """Addresses of a block: source (batch, position, depth) or None, operand (batch, depth),
    target (batch, position) and, by batch, the lines with weight zero points or None. single:
    float32 adds its products exactly."""

    source: Addresses | None
    operand: Addresses
    target: Addresses
    zeros: Addresses | None
    single: bool = False

    def pieces(self, tiles: int, lanes: int, exact_depth: int | None) -> Iterator[_Work]:
        """The block in pieces of bounded memory."""
        batches, positions = self.target.shape
        depth = self.operand.shape[1]
        deep = min(depth, exact_depth or max(1, _CHUNK_VALUES // (4 * lanes * tiles)))
        wide = max(1, min(positions, _CHUNK_VALUES // (4 * deep * tiles)))
        many = max(1, _CHUNK_VALUES // (4 * deep * tiles * max(wide, lanes)))
        for b in range(0, batches, many):
            for d in range(0, depth, deep):
                for p in range(0, positions, wide):
                    batch, steps = slice(b, b + many), slice(d, d + deep)
                    place = slice(p, p + wide)
                    yield _Work(
                        None if self.source is None else self.source[batch, place, steps],
                        self.operand[batch, steps],
                        self.target[batch, place],
                        None if self.zeros is None else self.zeros[batch],
                        exact_depth is not None,
                    )


def arrange_items(start: int, size: int, shape: Sequence[int], order: Sequence[int]) -> Addresses:
    """Items start..start + size in the order of a block."""
    return np.arange(start, start + size).reshape(shape).transpose(order)
