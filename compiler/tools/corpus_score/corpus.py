"""The corpus: vendor files with their source models, and the options each was compiled with."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import InvalidModelError, Where
from ...options import CompileOptions
from ...release import RELEASE_15, RELEASE_16

MANIFEST = "manifest.json"
PROGRAMS = "RingCanary_programs"
_RELEASE_16 = ("ricardodeazambuja+LibrEdgeTPU", "RingCanary+", "google-coral+coralmicro")
_RUNTIME_12 = ("google-coral+",)
_NEWER = ("movenet",)
"""Files of release 16 that were compiled for runtime 12: 64-bit additions of zero are moves."""
_AN_LSTM = "keras_lstm"
"""Its package says 12, but the vendor's table has the operator from 14 on."""
_TOGETHER, _COMPILED = "_cocompiled_with_", "_edgetpu.tflite"
_RUNTIME_10 = 10
"""What the remaining files ask for: an older release wrote them, 15.0 comes closest."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A vendor file and its source; `name` is the compiled file's path inside the corpus. run: the
    sources of all models that were compiled together, in the order of the command line."""

    name: str
    compiled: Path
    source: Path
    options: CompileOptions
    group: str
    run: tuple[Path, ...] = ()

    @property
    def arguments(self) -> str:
        """The options as on the command line."""
        if self.options == CompileOptions():
            return ""
        return f"-m {self.options.runtime} --emulate_release {self.options.release.name}"


@dataclass(frozen=True, slots=True)
class BareProgram:
    """An executable of one 3x3 convolution whose weights are unknown.

    shape: height, width, input and output channels; the quantisations are (scale, zero point).
    """

    name: str
    path: Path
    shape: tuple[int, int, int, int]
    input_quantization: tuple[float, int]
    output_quantization: tuple[float, int]


def find_corpus() -> Path | None:
    """`$EDGETPU_CORPUS`, or ../shared/corpus beside the repository; None where absent."""
    override = os.environ.get("EDGETPU_CORPUS")
    path = Path(override) if override else Path(__file__).parents[4] / "shared" / "corpus"
    return path if (path / MANIFEST).is_file() else None


def entries(corpus: Path) -> tuple[Entry, ...]:
    """Every vendor file whose source is known, in the manifest's order."""
    rows = [row for row in _read_list(corpus / MANIFEST) if row.get("source")]
    sources = {row["compiled"]: corpus / row["source"] for row in rows}
    return tuple(_entry(corpus, row, _run(row["compiled"], sources)) for row in rows)


def _run(name: str, sources: Mapping[str, Path]) -> tuple[Path, ...]:
    """A pair `a_cocompiled_with_b` and `b_cocompiled_with_a`, in the manifest's order; else the
    one source."""
    folder, _, file = name.rpartition("/")
    first, together, second = file.removesuffix(_COMPILED).partition(_TOGETHER)
    other = f"{folder}/{second}{_TOGETHER}{first}{_COMPILED}"
    names = {name, other} if together and other in sources else {name}
    return tuple(path for compiled, path in sources.items() if compiled in names)


def bare_programs(corpus: Path) -> tuple[BareProgram, ...]:
    """The programs without parameters; () where the corpus has none."""
    index = corpus / PROGRAMS / "index.json"
    rows = _read_list(index) if index.is_file() else []
    return tuple(
        BareProgram(
            row["file"],
            corpus / row["file"],
            (row["h"], row["w"], row["cin"], row["cout"]),
            (row["input_quant"][0], row["input_quant"][1]),
            (row["output_quant"][0], row["output_quant"][1]),
        )
        for row in sorted(rows, key=lambda row: str(row["file"]))
    )


def _read_list(path: Path) -> list[dict[str, Any]]:
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidModelError(
            "the corpus' index cannot be read", where=Where(str(path)), actual=error
        ) from error
    assert isinstance(rows, list)
    return rows


def _entry(corpus: Path, row: dict[str, Any], run: tuple[Path, ...]) -> Entry:
    name = row["compiled"]
    source = corpus / row["source"]
    return Entry(name, corpus / name, source, _options(name), row["family"], run)


def _options(name: str) -> CompileOptions:
    if name.startswith(_RELEASE_16):
        return CompileOptions(RELEASE_16)
    if _AN_LSTM in name:
        return CompileOptions(RELEASE_15, 14)
    if any(part in name for part in _NEWER):
        return CompileOptions(RELEASE_16, 12)
    if name.startswith(_RUNTIME_12):
        return CompileOptions(RELEASE_15, 12)
    return CompileOptions(RELEASE_15, _RUNTIME_10)
