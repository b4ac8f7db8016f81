"""Run one pytest file as a Bazel test: test.xml, `--test_filter` and sharding."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest


class Shard:
    """pytest plug-in that keeps every n-th test case, as Bazel's sharding asks for."""

    def __init__(self, index: int, total: int) -> None:
        self.index = index
        self.total = total

    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        dropped = [item for i, item in enumerate(items) if i % self.total != self.index]
        items[:] = items[self.index :: self.total]
        config.hook.pytest_deselected(items=dropped)


def _arguments(test_file: str, scratch: Path) -> list[str]:
    arguments = [
        test_file,
        "--quiet",
        f"--rootdir={Path.cwd()}",
        f"--basetemp={scratch / 'pytest'}",
        "-p",
        "no:cacheprovider",
    ]
    if report := os.environ.get("XML_OUTPUT_FILE"):
        arguments.append(f"--junitxml={report}")
    if pattern := os.environ.get("TESTBRIDGE_TEST_ONLY"):
        arguments += ["-k", pattern]
    return arguments


def main() -> int:
    """Run the file named on the command line; returns the exit status."""
    scratch = Path(os.environ.get("TEST_TMPDIR", "/tmp"))
    os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = str(scratch / "hypothesis")
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    plugins: list[object] = []
    total = int(os.environ.get("TEST_TOTAL_SHARDS", "1"))
    if total > 1:
        Path(os.environ["TEST_SHARD_STATUS_FILE"]).touch()
        plugins.append(Shard(int(os.environ["TEST_SHARD_INDEX"]), total))
    status = pytest.main(_arguments(sys.argv[1], scratch), plugins=plugins)
    # A shard, or a filter, may leave a file without tests: that is no failure.
    if status == pytest.ExitCode.NO_TESTS_COLLECTED and (
        total > 1 or "TESTBRIDGE_TEST_ONLY" in os.environ
    ):
        return 0
    return int(status)


if __name__ == "__main__":
    sys.exit(main())
