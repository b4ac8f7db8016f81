"""Segments of equal latency as one run: one caching token, and the same on every machine.

The search is that of `partition_with_profiling`, with the estimate from the instructions: no
device is asked.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from ..compilation import Source
from ..options import Request
from ..session import Session
from .latency import latency_model
from .profiling import Profiler, Search, partition
from .segment_compiler import CompiledSegment
from .segmentation import split_order
from .segments import cut_at

LATENCY, DEVICE_TYPE = "static", "any"


@dataclass(frozen=True, slots=True)
class _RequestCompiler:
    """Compiles a segment with the options of the whole."""

    request: Request

    def compile(self, source: Path) -> CompiledSegment | None:
        request = replace(
            self.request,
            models=(str(source),),
            out_dir=str(source.parent),
            segments=1,
            report=False,
        )
        if Session(request, lambda _text: None).run():
            return None
        compiled = source.with_name(f"{source.stem}_edgetpu.tflite")
        return CompiledSegment(compiled.read_bytes(), b"")


class ProfiledSession(Session):
    """A session that cuts the model where its segments take about the same time."""

    def _cut(self, whole: Source) -> list[Source]:
        latency = latency_model(LATENCY, DEVICE_TYPE)
        name = Path(whole.stem).name
        profiler = Profiler(
            whole.graph, name, _RequestCompiler(self.request), latency, lambda _text: None
        )
        best = partition(profiler, Search(self.request.segments), lambda _text: None)
        return cut_at(whole, split_order(profiler.order, best.counts))
