"""Sources of the corpus compiled here, next to the vendor's files of the same sources."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from compiler.beagle.executable import Executable
from compiler.beagle.reader import compiled_ops, read_custom_options
from compiler.driver import compile_graph
from compiler.pipeline.latency import programs
from compiler.tools.corpus_score.compare import read_compiled
from compiler.tools.corpus_score.corpus import Entry, entries, find_corpus
from compiler.tools.corpus_score.score import plan_entry


@dataclass(frozen=True, eq=False)
class CorpusPair:
    """A source of the corpus; `ours` and `vendor` are compiled files of it, with one token."""

    entry: Entry

    @property
    def name(self) -> str:
        """Path of the vendor's file inside the corpus, without what all of them end in."""
        return self.entry.name.removesuffix("_edgetpu.tflite")

    @property
    def short_name(self) -> str:
        return self.name.rpartition("/")[2]

    @property
    def origin(self) -> str:
        """The repository the vendor's file is from."""
        return self.name.partition("/")[0].rpartition("+")[2]

    @cached_property
    def vendor(self) -> bytes:
        return self.entry.compiled.read_bytes()

    @cached_property
    def ours(self) -> bytes:
        """Compiled with the options, and beside the models, that `corpus_score` takes."""
        entry = self.entry
        token = read_compiled(self.vendor, entry.name).token
        return compile_graph(plan_entry(entry), token, entry.options)

    @cached_property
    def is_same_program(self) -> bool:
        """Both files run the same instructions."""
        ours, vendor = (list(map(_bitstreams, programs(d))) for d in (self.ours, self.vendor))
        return ours == vendor

    @cached_property
    def is_same_package(self) -> bool:
        """Both files hold the same programs and parameters."""
        ours, vendor = (
            [read_custom_options(op.custom_options).package for op in compiled_ops(data)]
            for data in (self.ours, self.vendor)
        )
        return ours == vendor


def corpus_pairs(only: str = "") -> Iterator[CorpusPair]:
    """Every vendor file with a source whose name contains `only`; none without a corpus."""
    corpus = find_corpus()
    for entry in entries(corpus) if corpus else ():
        if only in entry.name:
            yield CorpusPair(entry)


def _bitstreams(program: Executable) -> list[bytes]:
    return [chunk.bitstream for chunk in program.chunks]
