"""24 small compile actions: persistent worker against one process each in the sandbox.

    python3 -m benchmarks.bazel_worker [ROUNDS]

Prints seconds for all actions, the best of some rounds, each with a warm Bazel server and tools
that are built. In every round the worker starts anew, and its start counts.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks.bazel_workspace import Bazel, write_workspace

ACTIONS = 24
ROUNDS = 3
LEAST_RATIO = 5.0
_KINDS = {"worker": "worker", "one-shot, sandboxed": "sandboxed"}


def measure(bazel: Bazel, strategy: str) -> float:
    """Seconds of a build of all models, without what no action is needed for."""
    option = f"--strategy=EdgeTpuCompile={strategy}"
    bazel.run("clean")
    warm_up = ("build", "--strategy=EdgeTpuCompile=sandboxed", "//warm_up/...")
    bazel.run(*warm_up)
    empty = bazel.run(*warm_up).seconds
    done = bazel.run("build", option, "--worker_max_instances=1", "//...")
    if f"{ACTIONS} " not in done.processes:
        raise SystemExit(f"not {ACTIONS} actions: {done.processes}")
    return done.seconds - empty


def main(rounds: int) -> int:
    """Print the table; 1 if the worker is not fast enough."""
    with tempfile.TemporaryDirectory(prefix="edgetpu_bench_") as folder:
        place = Path(folder)
        write_workspace(place / "workspace", ACTIONS)
        write_workspace(place / "warm", 1)
        (place / "warm/package0").rename(place / "workspace/warm_up")
        bazel = Bazel(place / "workspace", place / "output")
        best = {
            name: min(measure(bazel, strategy) for _ in range(rounds))
            for name, strategy in _KINDS.items()
        }
        bazel.run("shutdown")
    for name, seconds in best.items():
        print(f"{name}: {seconds:.2f} s, {seconds / ACTIONS * 1000:.0f} ms an action")
    ratio = best["one-shot, sandboxed"] / best["worker"]
    print(f"ratio: {ratio:.1f}")
    return 0 if ratio >= LEAST_RATIO else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS))
