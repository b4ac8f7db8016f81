"""STRIDED_SLICE read as plain ranges. Reads the Graph level."""

from __future__ import annotations

from .graph import Graph, Operator


def slice_ranges(graph: Graph, op: Operator) -> tuple[tuple[int, int], ...] | None:
    """(start, stop) of each dimension of the input, None unless begin, end and strides are
    constants of one value a dimension, all strides are 1 and no axis is new."""
    shape = graph.tensors[op.inputs[0]].shape
    parameters = [graph.tensors[index].data for index in op.inputs[1:4]]
    given = [[int(v) for v in data.reshape(-1)] for data in parameters if data is not None]
    if len(given) != 3 or any(len(values) != len(shape) for values in given):
        return None
    begins, ends, strides = given
    if set(strides) != {1} or op.options.get("ellipsis_mask") or op.options.get("new_axis_mask"):
        return None
    masks = [int(op.options.get(f"{name}_mask", 0)) for name in ("begin", "end", "shrink_axis")]
    ranges = []
    for axis, size in enumerate(shape):
        from_start, to_end, shrunk = (mask >> axis & 1 for mask in masks)
        start = 0 if from_start else _inside(begins[axis], size)
        stop = size if to_end else _inside(ends[axis], size)
        ranges.append((start, start + 1 if shrunk else stop))
    return tuple(ranges)


def _inside(place: int, size: int) -> int:
    return min(max(place + size if place < 0 else place, 0), size)


def single_step(graph: Graph, op: Operator) -> int | None:
    """Which step of a sequence [1, steps, values] a STRIDED_SLICE takes; None: no single one."""
    shape, ranges = graph.tensors[op.inputs[0]].shape, slice_ranges(graph, op)
    if ranges is None or len(shape) != 3 or shape[0] != 1:
        return None
    (first, start), last = ranges[0], ranges[2]
    begin, end = ranges[1]
    whole = (first, start) == (0, 1) and last == (0, shape[2])
    return begin if whole and end == begin + 1 and begin < shape[1] else None
