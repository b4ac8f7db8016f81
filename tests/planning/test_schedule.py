"""Execution order of the mapped operators."""

from __future__ import annotations

from compiler.frontend.graph import Graph, Operator, Quantization, Tensor, TensorType
from compiler.planning.schedule import renamed_input, schedule


class Net:
    """A graph of one-output operators on 8-bit activations."""

    def __init__(self, *shape):
        self.tensors, self.operators = [], []
        self.source = self.tensor(shape)

    def tensor(self, shape, kind=TensorType.INT8, scale=0.5, zero=0):
        quantization = Quantization((scale,), (zero,))
        self.tensors.append(Tensor(len(self.tensors), "t", tuple(shape), kind, quantization))
        return len(self.tensors) - 1

    def op(self, name, inputs, shape, **tensor):
        result = self.tensor(shape, **tensor)
        index = len(self.operators)
        self.operators.append(Operator(index, name, 1, tuple(inputs), (result,)))
        return result

    def order(self, *outputs, parked=()):
        graph = Graph("m", "m", tuple(self.tensors), tuple(self.operators), (0,), outputs)
        return [op.index for op in schedule(graph, self.operators, parked).operators]


def test_a_chain_keeps_the_order_of_the_file():
    net = Net(1, 8, 8, 4)
    last = net.source
    for channels in (8, 16, 4, 32):
        last = net.op("CONV_2D", [last], (1, 8, 8, channels))
    assert net.order(last) == [0, 1, 2, 3]


def test_the_branch_that_frees_more_memory_runs_first():
    net = Net(1, 8, 8, 4)
    trunk = net.op("CONV_2D", [net.source], (1, 8, 8, 32))
    wide = net.op("CONV_2D", [trunk], (1, 8, 8, 64))
    slim = net.op("CONV_2D", [trunk], (1, 8, 8, 8))
    joined = net.op("ADD", [wide, slim], (1, 8, 8, 8))
    assert net.order(joined) == [0, 2, 1, 3]


def test_a_map_in_the_hosts_memory_costs_nothing():
    net = Net(1, 8, 8, 4)
    trunk = net.op("CONV_2D", [net.source], (1, 8, 8, 64))
    pooled = net.op("AVERAGE_POOL_2D", [trunk], (1, 1, 1, 64))
    beside = net.op("CONV_2D", [trunk], (1, 8, 8, 16))
    vector = net.op("CONV_2D", [pooled], (1, 1, 1, 16))
    repeated = net.op("TILE", [vector], (1, 8, 8, 16))
    joined = net.op("CONCATENATION", [repeated, beside], (1, 8, 8, 32))
    assert net.order(joined) == [0, 1, 3, 2, 4, 5]
    assert net.order(joined, parked=[trunk]) == [0, 1, 3, 4, 2, 5]


def test_results_for_the_host_cost_nothing():
    net = Net(1, 8, 8, 4)
    trunk = net.op("CONV_2D", [net.source], (1, 8, 8, 32))
    inner = net.op("CONV_2D", [trunk], (1, 8, 8, 4))
    after = net.op("CONV_2D", [inner, trunk], (1, 8, 8, 4))
    head = net.op("CONV_2D", [trunk], (1, 8, 8, 128))
    assert net.order(after, head) == [0, 3, 1, 2]


def test_looking_ahead_sees_that_a_branch_shrinks_later():
    net = Net(1, 8, 8, 4)
    trunk = net.op("CONV_2D", [net.source], (1, 8, 8, 16))
    grows = net.op("CONV_2D", [trunk], (1, 8, 8, 64))
    first = net.op("AVERAGE_POOL_2D", [grows], (1, 1, 1, 4))
    second = net.op("CONV_2D", [trunk], (1, 8, 8, 8))
    joined = net.op("CONCATENATION", [second, first], (1, 8, 8, 12))
    assert net.order(joined) == [0, 1, 2, 3, 4]


def test_renames_follow_the_producer_and_join_chains():
    net = Net(1, 8, 8, 4)
    trunk = net.op("CONV_2D", [net.source], (1, 8, 8, 16))
    other = net.op("CONV_2D", [net.source], (1, 8, 8, 16))
    flat = net.op("RESHAPE", [trunk], (1, 1024))
    unsigned = net.op("QUANTIZE", [flat], (1, 1024), kind=TensorType.UINT8, zero=128)
    graph = Graph("m", "m", tuple(net.tensors), tuple(net.operators), (0,), (other, unsigned))
    result = schedule(graph, net.operators)
    assert [op.index for op in result.operators] == [0, 2, 3, 1]
    assert result.aliases == {flat: trunk, unsigned: trunk}


def test_a_quantize_that_changes_values_is_an_operator():
    for change in ({"scale": 0.25}, {"zero": 1}, {"kind": TensorType.FLOAT32}):
        net = Net(1, 4)
        net.op("QUANTIZE", [net.source], (1, 4), **change)
        graph = Graph("m", "m", tuple(net.tensors), tuple(net.operators), (0,), (1,))
        assert renamed_input(graph, net.operators[0]) is None


def test_single_split_and_single_concatenation_rename():
    net = Net(1, 4)
    axis = net.tensor(())
    net.op("SPLIT", [axis, net.source], (1, 4))
    net.op("CONCATENATION", [net.source], (1, 4))
    graph = Graph("m", "m", tuple(net.tensors), tuple(net.operators), (0,), (2, 3))
    assert [renamed_input(graph, op) for op in net.operators] == [0, 0]
