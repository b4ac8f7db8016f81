"""A corpus score as text, as plain values (JSON) and as docs/format/evidence.md."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from .compare import Difference, ProgramScore
from .score import CorpusScore, ModelScore, total_words

_COLUMNS = ("mapping", "parameters", "caching", "execution", "placed", "package", "file")
_WIDTHS = (9, 12, 13, 15, 13, 9, 5)
_NAME_WIDTH = 60
_TEXT_WIDTH = 200


def text_report(score: CorpusScore, *, details: bool = True) -> str:
    """The table, what differs (with `details`), and the total."""
    lines = [f"{'file':<{_NAME_WIDTH}} " + "".join(map(_pad, _COLUMNS, _WIDTHS)).rstrip()]
    for model in score.models:
        lines.append(f"{_short(model.name):<{_NAME_WIDTH}} " + _row(model))
        if details:
            lines += [f"    {line}" for line in _details(model)]
    for name, program in score.programs:
        if not program.identical:
            lines.append(f"{_short(name):<{_NAME_WIDTH}} {_words(program)}")
            lines += [f"    {line}" for line in _difference(program.difference) if details]
    return "\n".join([*lines, *_totals(score)]) + "\n"


def json_report(score: CorpusScore) -> dict[str, Any]:
    """Plain values for `--json`."""
    return {
        "identical": list(score.identical),
        "models": [{**asdict(model), "verdict": model.verdict} for model in score.models],
        "programs": [{"name": name, **asdict(program)} for name, program in score.programs],
    }


def _short(name: str) -> str:
    short = name.rpartition("/")[2].removesuffix(".tflite").removesuffix("_edgetpu")
    return short if len(short) <= _NAME_WIDTH else short[: _NAME_WIDTH - 1] + "~"


def _pad(text: str, width: int) -> str:
    return f"{text:<{width}}"


def _row(model: ModelScore) -> str:
    return "".join(map(_pad, cells(model), _WIDTHS)).rstrip()


def cells(model: ModelScore) -> tuple[str, ...]:
    """The columns of a model: "=" identical, "no", or how many words of a program are."""
    score = model.score
    if score is None:
        return ("error",)
    mapping = f"{model.mapped}/{model.operators}{'' if score.mapping else ' no'}"
    return (
        mapping,
        _mark(score.parameters),
        _words(score.caching),
        _words(score.execution),
        _words(score.placed) if score.placed else "",
        _mark(score.container),
        _mark(score.file),
    )


def _mark(same: bool) -> str:
    return "=" if same else "no"


def _words(program: ProgramScore) -> str:
    if program.identical:
        return "=" if program.words else "none"
    text = f"{program.same_words}/{program.words}"
    return f"{text} moved" if program.renamed else text


def _details(model: ModelScore) -> Iterator[str]:
    if model.error:
        yield model.error
    for item in model.fallback:
        text = f"{item.constraint}: {item.message}"
        yield f"on the CPU: {item.count} {item.operator}: {text}"
    if model.score is not None and model.score.mapping:
        for label, program in (
            ("caching", model.score.caching),
            ("execution", model.score.execution),
            ("placed", model.score.placed),
        ):
            if program is None:
                continue
            yield from (f"{label}: {line}" for line in _difference(program.difference))


def _difference(difference: Difference | None) -> Iterator[str]:
    if difference is not None:
        yield f"first difference at instruction {difference.index}"
        for side, text in (("ours  ", difference.ours), ("vendor", difference.vendor)):
            yield f"  {side} {_cut(text)}"


def _cut(text: str) -> str:
    return text if len(text) <= _TEXT_WIDTH else text[:_TEXT_WIDTH] + "..."


def _totals(score: CorpusScore) -> Iterator[str]:
    files = [m.verdict for m in score.models]
    scores = [m.score for m in score.models if m.score is not None]
    same, words = total_words(s.execution for s in scores)
    yield (
        f"total: {len(files)} models: {files.count('file')} files identical, "
        f"{files.count('package')} more up to the file around the package, "
        f"{sum(s.mapping for s in scores)} mappings, {sum(s.parameters for s in scores)} "
        f"parameter data, {sum(s.caching.identical for s in scores)} caching programs, "
        f"{sum(s.execution.identical for s in scores)} execution programs; "
        f"{same} of {words} words of execution programs"
    )
    same = sum(program.identical for _, program in score.programs)
    yield f"total: {len(score.programs)} bare programs: {same} identical"
