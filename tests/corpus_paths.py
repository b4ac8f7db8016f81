"""Where the corpus of vendor files lies; tests skip with a clear line where it is absent."""

from __future__ import annotations

import functools
import json
import os
from dataclasses import dataclass
from pathlib import Path

import pytest


def _find() -> Path | None:
    override = os.environ.get("EDGETPU_CORPUS")
    path = Path(override) if override else Path(__file__).parents[2] / "shared" / "corpus"
    return path if (path / "manifest.json").is_file() else None


CORPUS = _find()


@dataclass(frozen=True)
class Pair:
    """One vendor file. `generation` rt14 is release 16.0 ("style A"), rt12-16 and rt13 are
    the releases before ("style B"), rt10-12 older ones; `source` is None where unknown."""

    compiled: Path
    source: Path | None
    generation: str
    family: str

    @property
    def name(self) -> str:
        return self.compiled.name.removesuffix(".tflite")

    def __str__(self) -> str:
        return self.name


@functools.cache
def pairs() -> tuple[Pair, ...]:
    """Every compiled file of the corpus, () where the corpus is absent."""
    if CORPUS is None:
        return ()
    entries = json.loads((CORPUS / "manifest.json").read_text())
    return tuple(
        Pair(
            CORPUS / entry["compiled"],
            CORPUS / entry["source"] if entry["source"] else None,
            entry["generation"],
            entry["family"],
        )
        for entry in entries
    )


def require_corpus() -> Path:
    """The corpus folder; skips the calling test where there is none."""
    if CORPUS is None:
        pytest.skip("no vendor corpus: set EDGETPU_CORPUS or put it at ../shared/corpus")
    return CORPUS


def programs() -> tuple[Path, ...]:
    """The RingCanary programs: executables without parameters, () where absent."""
    if CORPUS is None:
        return ()
    return tuple(sorted((CORPUS / "RingCanary_programs").glob("*.bin")))
