"""Many models: analysis, build, a build without changes, and a second checkout from the cache.

    python3 -m benchmarks.bazel_scale [MODELS]

Needs nginx (the remote cache on this machine). Prints seconds of wall time.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from benchmarks.bazel_workspace import Bazel, write_workspace
from tests.bazel.integration.nginx import free_port, remote_cache

MODELS = 1000
ANALYSIS_SECONDS, NO_OP_SECONDS = 20.0, 5.0
"""Limits for 1000 models."""


def measure(place: Path, models: int, cache: str) -> list[str]:
    """Print the times; what exceeds a limit."""
    write_workspace(place / "first", models)
    shutil.copytree(place / "first", place / "other/second")
    first = Bazel(place / "first", place / "out1")
    # Outside of what is measured: the server's start, Python packages, tools.
    first.run("build", "//package0:model0_edgetpu")
    first.run("shutdown")
    first.run("info")
    analysis = first.run("build", "--nobuild", "//...").seconds
    print(f"analysis of {models} models, new server: {analysis:.1f} s", flush=True)
    full = first.run("build", f"--remote_cache={cache}", "//...")
    print(f"build, filling the remote cache: {full.seconds:.1f} s ({full.processes})", flush=True)
    no_op = first.run("build", f"--remote_cache={cache}", "//...").seconds
    print(f"build without changes: {no_op:.1f} s", flush=True)
    first.run("shutdown")
    second = Bazel(place / "other/second", place / "out2")
    second.run("build", f"--remote_cache={cache}", "//package0:model0_edgetpu")
    taken = second.run("build", f"--remote_cache={cache}", "//...")
    print(f"second checkout: {taken.seconds:.1f} s ({taken.processes})")
    second.run("shutdown")
    kinds = {part.split(" ", 1)[1] for part in taken.processes.split(", ")}
    return [
        text
        for text, is_wrong in (
            ("the analysis takes too long", analysis > ANALYSIS_SECONDS * models / MODELS),
            ("a build without changes takes too long", no_op > NO_OP_SECONDS),
            ("not all actions came from the cache", kinds - {"remote cache hit", "internal"}),
        )
        if is_wrong
    ]


def main(models: int) -> int:
    """Run the benchmark; 1 if a limit is exceeded."""
    with (
        tempfile.TemporaryDirectory(prefix="edgetpu_bench_") as folder,
        remote_cache(Path(folder) / "nginx", free_port()) as cache,
    ):
        failures = measure(Path(folder), models, cache)
    for failure in failures:
        print(f"FAILED: {failure}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else MODELS))
