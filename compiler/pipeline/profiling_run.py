"""A run of the profiling partitioner: model in, segments out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..compilation import MODEL_SUFFIX, output_stem
from ..emit.files import make_directory, write_files
from ..errors import ResourceError, Where
from ..frontend.graph import Graph
from ..frontend.tflite_reader import read_model
from .latency import LatencyModel
from .profiling import Candidate, Profiler, Report, Search, partition
from .segment_compiler import SegmentCompiler
from .segmentation import split_order
from .segments import segment_model, segment_name


@dataclass(frozen=True, slots=True)
class ProfilingRun:
    """Paths and tools of one run."""

    model_path: str
    output_dir: Path
    compiler: SegmentCompiler
    latency: LatencyModel

    def run(self, search: Search, report: Report, progress: Report) -> Candidate:
        """Search, compile and write the segments. Raises CompilerError; then nothing is
        written."""
        graph = read_model(self.model_path)
        name = Path(self.model_path).name.removesuffix(MODEL_SUFFIX)
        make_directory(self.output_dir)
        profiler = Profiler(graph, name, self.compiler, self.latency, progress)
        report(f"{len(graph.operators)} operators; latencies are {self.latency.name}")
        best = partition(profiler, search, report)
        stem = output_stem(self.model_path, str(self.output_dir))
        files: dict[Path, bytes] = {}
        lines: list[str] = []
        start = 0
        for number, count in enumerate(best.counts):
            path = segment_name(stem, number, len(best.counts))
            files |= self._segment(profiler, path, start, count)
            compiled = Path(f"{path}_edgetpu{MODEL_SUFFIX}")
            source = self.latency.source(files[compiled])
            lines.append(f"{compiled}: {best.latencies[number]} ns, {source}")
            start += count
        write_files(files)
        for line in lines:
            report(line)
        return best

    def _segment(self, profiler: Profiler, path: str, start: int, count: int) -> dict[Path, bytes]:
        """Source, log and compiled model of one segment."""
        data = segment_model(profiler.graph, profiler.operators(start, count))
        compiled = profiler.compile(start, count, Path(path).name)
        if compiled is None:
            raise ResourceError("the segment does not compile", where=Where(file=path))
        log = {Path(f"{path}_edgetpu.log"): compiled.log} if compiled.log else {}
        return {
            Path(path + MODEL_SUFFIX): data,
            **log,
            Path(f"{path}_edgetpu{MODEL_SUFFIX}"): compiled.model,
        }


def write_segments(graph: Graph, order: list[int], counts: list[int], stem: str) -> list[Path]:
    """Only the segments' sources, with so many operators each."""
    runs = split_order(order, counts)
    files = {
        Path(segment_name(stem, number, len(runs)) + MODEL_SUFFIX): segment_model(graph, run)
        for number, run in enumerate(runs)
    }
    write_files(files)
    return list(files)
