"""Parameter data: the bytes a layer keeps in wide memory, or streams from the host.

Reads the Graph level, writes the Segments of the Plan level. Layouts by family are in
`parameter_data`; facts: docs/format/parameters.md.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from ..frontend.graph import Graph, Operator
from ..planning.plan import Segment
from .parameter_data import lstm, matrices, one_hot, tables
from .parameter_data.rules import CURRENT, PackingRules
from .parameter_data.tables import elementwise_constants

__all__ = [
    "CURRENT",
    "PackingRules",
    "elementwise_constants",
    "pack_layer",
    "pack_layers",
]

_MAP_RANK = 4


_MATRICES = {
    "CONV_2D": matrices.convolution,
    "DEPTHWISE_CONV_2D": matrices.depthwise,
    "FULLY_CONNECTED": matrices.fully_connected,
    "TRANSPOSE_CONV": matrices.transposed,
}


def pack_layer(
    graph: Graph,
    op: Operator,
    mapped: Collection[int] | None = None,
    rules: PackingRules = CURRENT,
) -> tuple[Segment, ...]:
    """The segments of one mapped operator, () for operators without parameter data.

    mapped: indices of the operators that run on the Edge TPU (default: all of them).
    Raises UnsupportedModelError for weights the layouts do not cover.
    """
    if op.name in _MATRICES:
        return _MATRICES[op.name](graph, op, rules)
    if op.name == "SOFTMAX":
        return tables.softmax(graph, op, rules)
    if op.name == "UNIDIRECTIONAL_SEQUENCE_LSTM":
        return lstm.sequence_lstm(graph, op, rules)
    return tuple(replace(s, one_hot=True) for s in _one_hot(graph, op, mapped, rules))


def pack_layers(
    graph: Graph, order: Iterable[Operator], rules: PackingRules = CURRENT
) -> tuple[Segment, ...]:
    """The segments of the mapped operators `order`, in that (execution) order."""
    operators = tuple(order)
    mapped = frozenset(op.index for op in operators)
    return tuple(s for op in operators for s in pack_layer(graph, op, mapped, rules))


def _one_hot(
    graph: Graph, op: Operator, mapped: Collection[int] | None, rules: PackingRules
) -> tuple[Segment, ...]:
    if op.name in ("SPLIT", "CONCATENATION"):
        if len(graph.tensor(op.outputs[0]).shape) == _MAP_RANK:
            indices = range(len(graph.operators)) if mapped is None else mapped
            return one_hot.select_channels(graph, op, indices)
        if op.name == "SPLIT" or not rules.one_hot_vectors:
            return ()
        return one_hot.concatenate_vectors(graph, op)
    if op.name != "RESHAPE" or not rules.one_hot_vectors:
        return ()
    segment = one_hot.reshape(graph, op)
    return () if segment is None else (segment,)
