"""Segments of a model as models of their own.

Reads the Graph level, writes .tflite files (in memory) named `stem_segment_I_of_N`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from ..compilation import MODEL_SUFFIX, Source
from ..driver import memory_reports, plan_model, require_room
from ..emit.outer_model import OuterModel
from ..emit.tflite_writer import write_model
from ..errors import ResourceError, Where
from ..frontend.graph import Graph
from ..frontend.tflite_reader import read_model_bytes
from ..options import CompileOptions
from .segmentation import cut_model, execution_order, first_output, most_segments


def segment_model(graph: Graph, operators: Sequence[int]) -> bytes:
    """The operators, in this order, as a plain model. Its inputs are the tensors that come
    from outside, its outputs those that are read outside or are outputs of the graph; both
    ascend in the order of the graph's tensors. Operators keep their versions and options."""
    written = {index for op in operators for index in graph.operators[op].outputs}
    read = {index for op in operators for index in graph.operators[op].inputs if index >= 0}
    inside = set(operators)
    wanted = set(graph.outputs)
    for op in graph.operators:
        if op.index not in inside:
            wanted.update(op.inputs)
    tensors = graph.tensors
    inputs = sorted(
        index
        for index in read - written
        if not tensors[index].is_constant and not tensors[index].is_variable
    )
    outputs = sorted(written & wanted)
    model = OuterModel(graph, tuple(operators), tuple(inputs), tuple(outputs))
    return write_model(model, keep_versions=True)


def segment_name(stem: str, number: int, count: int) -> str:
    """Path of segment `number` (from 0), without suffix."""
    return f"{stem}_segment_{number}_of_{count}"


def segment_source(whole: Source, operators: Sequence[int], number: int, count: int) -> Source:
    """One segment as a model to compile; its own file is an output of the run."""
    stem = segment_name(whole.stem, number, count)
    data = segment_model(whole.graph, operators)
    path = str(Path(stem + MODEL_SUFFIX))
    return Source(path, data, read_model_bytes(data, path), stem, extra=True)


def cut_at(whole: Source, runs: Sequence[Sequence[int]]) -> list[Source]:
    """The segments with these operators."""
    return [segment_source(whole, run, number, len(runs)) for number, run in enumerate(runs)]


def cut_into(whole: Source, segments: int) -> list[Source]:
    """The model cut by parameter bytes. Raises OptionError if it has too few operators."""
    return cut_at(whole, cut_model(whole.graph, segments))


def fewest_segments(whole: Source, options: CompileOptions) -> list[Source]:
    """The smallest number of segments whose parameters all stay on the chip (the model itself
    if it does). Raises ResourceError if there is none."""
    best: int | None = None
    for sources in _cuts(whole):
        models = [plan_model(source.graph, options) for source in sources]
        for model in models:
            require_room(model)
        streamed = sum(memory_reports([model])[0].streamed for model in models)
        if not streamed:
            return sources
        best = streamed if best is None else min(best, streamed)
    raise ResourceError(
        "no number of segments keeps all parameters on the chip",
        where=Where(file=whole.path),
        actual=f"{best} bytes streamed at best",
        allowed=0,
        hint="Choose a number with --num_segments, or make the largest layers smaller.",
    )


def _cuts(whole: Source) -> Iterator[list[Source]]:
    yield [whole]
    order = execution_order(whole.graph)
    largest = most_segments(first_output(whole.graph, order)) if order else 1
    for count in range(2, largest + 1):
        yield cut_into(whole, count)
