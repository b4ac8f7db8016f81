"""What the outer .tflite holds: which operators stay, in which order, and what the Edge TPU
operators read and write.

Reads the Graph and Partition levels, read by `tflite_writer`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..errors import InternalError
from ..fast_dataclass import dataclass
from ..frontend.graph import Graph
from ..mapping.subsets import Subset, split


@dataclass(frozen=True, slots=True)
class CustomOp:
    """An edgetpu-custom-op; `inputs` and `outputs` are tensor indices of the source graph."""

    options: bytes
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class OuterModel:
    """A model to write. `operators`, in execution order, are indices of source operators that
    stay on the CPU, or CustomOps. `inputs` and `outputs` are tensor indices of the graph: the
    graph's own for a whole model, the border of the segment for a pipeline segment."""

    graph: Graph
    operators: tuple[int | CustomOp, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    def tensors(self) -> list[int]:
        """Source indices of the tensors that are kept, ascending."""
        kept = {*self.inputs, *self.outputs}
        for reads, writes in self._borders():
            kept.update(reads)
            kept.update(writes)
        for item in self.operators:
            if not isinstance(item, CustomOp):
                kept.update(self.graph.operators[item].intermediates)
        kept.discard(-1)
        return sorted(kept)

    def verify(self) -> None:
        """Raise InternalError unless every operator reads only what is there by then."""
        tensors = self.graph.tensors
        there = {*self.inputs, -1}
        for reads, writes in self._borders():
            for index in reads:
                if index not in there and not (
                    tensors[index].is_constant or tensors[index].is_variable
                ):
                    raise InternalError(f"tensor {index} is read before it is written")
            there.update(writes)
        if not set(self.outputs) <= there:
            raise InternalError(f"outputs {sorted(set(self.outputs) - there)} are never written")

    def _borders(self) -> Iterator[tuple[Sequence[int], Sequence[int]]]:
        for item in self.operators:
            op = item if isinstance(item, CustomOp) else self.graph.operators[item]
            yield op.inputs, op.outputs


def outer_model(
    graph: Graph, kept: Sequence[Subset], custom_options: Sequence[bytes]
) -> OuterModel:
    """The compiled model of a graph whose subsets `kept` (mapping: `Partition.kept`) run on the
    Edge TPU, with one option map each. All other operators stay on the CPU, in the order in
    which TensorFlow Lite runs them around the Edge TPU operators."""
    mapped = {op for subset in kept for op in subset.operators}
    operators: list[int | CustomOp] = []
    for whole in split(graph, [op.index in mapped for op in graph.operators]):
        if not whole.on_edge_tpu:
            operators += whole.operators
            continue
        inside = set(whole.operators)
        found: set[int] = set()
        for subset, data in zip(kept, custom_options, strict=True):
            if subset.operators[0] in inside:
                operators.append(CustomOp(data, subset.inputs(graph), subset.outputs(graph)))
                found.update(subset.operators)
        if found != inside:
            raise InternalError("an Edge TPU subset is not one of the partition's")
    return OuterModel(graph, tuple(operators), graph.inputs, graph.outputs)
