"""The command: `python -m compiler.tools.corpus_score [--only SUBSTRING] [--json FILE]`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from ...errors import CompilerError
from .corpus import find_corpus
from .evidence import PAGE, page
from .report import json_report, text_report
from .score import score_corpus


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0, or 1 without a corpus, with a wrong one or below `--expect`."""
    options = _parser().parse_args(arguments)
    corpus = options.corpus or find_corpus()
    if corpus is None:
        print("no vendor corpus: set EDGETPU_CORPUS or put it at ../shared/corpus")
        return 1
    if options.write_docs and options.only:
        print("--write-docs needs the whole corpus")
        return 1
    try:
        score = score_corpus(corpus, options.only)
    except CompilerError as error:
        print(f"{error.code}: {error}", file=sys.stderr)
        return 1
    print(text_report(score, details=not options.brief), end="")
    if options.json:
        options.json.write_text(json.dumps(json_report(score), indent=1) + "\n", encoding="utf-8")
    if options.write_docs:
        PAGE.write_text(page(score), encoding="utf-8")
    if len(score.identical) < options.expect:
        print(f"{len(score.identical)} identical, {options.expect} expected", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="corpus_score", description="Scores this compiler against files of the vendor's."
    )
    add = parser.add_argument
    add("--only", default="", metavar="SUBSTRING", help="only files whose path contains it")
    add("--json", type=Path, metavar="FILE", help="write the score as JSON, too")
    add("--brief", action="store_true", help="the table only, not what differs")
    add("--expect", type=int, default=0, metavar="N", help="exit status 1 below N identical")
    add("--corpus", type=Path, metavar="DIR", help="default: $EDGETPU_CORPUS, ../shared/corpus")
    add("--write-docs", action="store_true", help="write docs/format/evidence.md")
    return parser


if __name__ == "__main__":
    sys.exit(main())
