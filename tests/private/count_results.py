"""Count the test cases of a Bazel run: `count_results.py STATUS TESTLOGS LABEL...`.

STATUS is Bazel's exit status and LABEL the test targets. Prints "N passed, N failed, N skipped" and
exits with 1 where anything failed, Bazel did, or nothing was run.
"""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree

PASSED, FAILED, SKIPPED = range(3)


def _cases(report: Path) -> list[int]:
    """Outcome of every test case of one test.xml."""
    try:
        cases = list(ElementTree.parse(report).iter("testcase"))
    except ElementTree.ParseError:
        return [FAILED]
    outcomes = []
    for case in cases:
        if case.find("failure") is not None or case.find("error") is not None:
            outcomes.append(FAILED)
        else:
            outcomes.append(SKIPPED if case.find("skipped") is not None else PASSED)
    return outcomes


def _target_cases(testlogs: Path, label: str) -> list[int]:
    """Outcomes of one target, of all its shards. Without a report it was not built: a failure."""
    folder = testlogs / label.removeprefix("//").replace(":", "/")
    reports = sorted(folder.glob("shard_*/test.xml")) or sorted(folder.glob("test.xml"))
    return [outcome for report in reports for outcome in _cases(report)] if reports else [FAILED]


def main(arguments: list[str]) -> int:
    """Print the counts; returns the exit status."""
    status, testlogs, labels = int(arguments[0]), Path(arguments[1]), arguments[2:]
    outcomes = [outcome for label in labels for outcome in _target_cases(testlogs, label)]
    passed, failed, skipped = (outcomes.count(kind) for kind in (PASSED, FAILED, SKIPPED))
    if status and not failed:
        failed = 1  # something that is no test did not build
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed or status or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
