"""The structural limit of today's code generator: the mapped operators form one chain.

This is the only place that knows it. A code generator that lowers branches needs no other
change here than to drop `CHAIN` from `lowering_support.supports`.
"""

from __future__ import annotations

from ..frontend.graph import Graph, Operator
from .constraints.base import Context, Violation, activation_inputs, constraint

MOVING_NOTHING = frozenset({"RESHAPE", "SQUEEZE", "QUANTIZE", "SPLIT", "EXPAND_DIMS"})
"""Operators that, where they are lowered, cost no instruction: alone they are no program."""


def computes(op: Operator) -> bool:
    """Whether the operator, where it is lowered, becomes at least one instruction."""
    return op.name not in MOVING_NOTHING


@constraint()
def part_of_a_program(_graph: Graph, _op: Operator, context: Context) -> Violation | None:
    """A subgraph is worth a program only if one of its operators computes something."""
    if not context.reads_host:
        return None
    return Violation("operators that move nothing", "one that computes")


@constraint()
def one_activation_input(graph: Graph, op: Operator, _context: Context) -> Violation | None:
    """The code generator lowers operators with one input that is not constant."""
    count = len({tensor.index for tensor in activation_inputs(graph, op)})
    return None if count == 1 else Violation(f"{count} inputs", "1 input")


@constraint()
def continues_the_chain(graph: Graph, op: Operator, context: Context) -> Violation | None:
    """The code generator lowers one chain of operators: each reads what the one before it
    wrote."""
    if not context.mapped:
        return None
    end = graph.operators[context.mapped[-1]].outputs[0]
    source = activation_inputs(graph, op)[0]
    if source.index == end:
        return None
    return Violation("a second branch", "the result of the operator before", source.name)


@constraint()
def single_reader(graph: Graph, op: Operator, context: Context) -> Violation | None:
    """Inside the chain every tensor has one reader and is no output of the model."""
    if not context.mapped:
        return None
    source = activation_inputs(graph, op)[0]
    readers = len(context.consumers.get(source.index, ()))
    if source.index in graph.outputs:
        return Violation("an output of the model", "read inside the chain only", source.name)
    return None if readers == 1 else Violation(f"{readers} readers", "1 reader", source.name)


CHAIN = (continues_the_chain, single_reader)
