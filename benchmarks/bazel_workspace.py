"""A workspace with many small models, and Bazel in it: what the Bazel benchmarks share."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.model_builder import ModelBuilder

ROOT = Path(__file__).resolve().parents[1]
MODELS_IN_A_PACKAGE = 25
_WORKSPACE = """workspace(name = "generated")

local_repository(name = "rules_edgetpu", path = "{root}")

load(
    "@rules_edgetpu//rules:repositories.bzl",
    "rules_edgetpu_compat",
    "rules_edgetpu_dependencies",
)

rules_edgetpu_compat()

rules_edgetpu_dependencies()

register_toolchains("@edgetpu_python//:py_toolchain", "@rules_edgetpu//rules:default_toolchain")
"""
_BUILD = """load("@rules_edgetpu//rules:defs.bzl", "edgetpu_model")

[
    edgetpu_model(
        name = file[:-len(".tflite")] + "_edgetpu",
        src = file,
    )
    for file in glob(["*.tflite"])
]
"""
_BAZELRC = """build --incompatible_strict_action_env
build --sandbox_default_allow_network=false
build --nolegacy_external_runfiles
build --sandbox_debug=false
build --noshow_progress
"""
_PROCESSES = re.compile(r"^INFO: \d+ process(?:es)?: (.*)\.$", re.MULTILINE)


def small_models() -> Iterator[bytes]:
    """Different models of one dense layer of 64 values."""
    seed = 0
    while True:
        yield ModelBuilder("int8", seed=seed).input("input", (1, 64)).fully_connected(64).build()
        seed += 1


def write_workspace(folder: Path, models: int) -> None:
    """Write WORKSPACE, packages and models."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "WORKSPACE").write_text(_WORKSPACE.format(root=ROOT))
    (folder / ".bazelrc").write_text(_BAZELRC)
    (folder / "BUILD").write_text("")
    for number, model in zip(range(models), small_models(), strict=False):
        package = folder / f"package{number // MODELS_IN_A_PACKAGE}"
        if not package.exists():
            package.mkdir()
            (package / "BUILD").write_text(_BUILD)
        (package / f"model{number}.tflite").write_bytes(model)


@dataclass(frozen=True, slots=True)
class Run:
    """One command: seconds of wall time outside of Bazel, and what Bazel says."""

    seconds: float
    text: str

    @property
    def processes(self) -> str:
        found = _PROCESSES.search(self.text)
        return found[1] if found else ""


class Bazel:
    """Bazel in a workspace, with an output folder of its own."""

    def __init__(self, workspace: Path, output: Path) -> None:
        self.workspace = workspace
        self.startup = [os.environ.get("BAZEL", "bazel"), f"--output_user_root={output}"]

    def run(self, *arguments: str) -> Run:
        """One command that must succeed."""
        start = time.monotonic()
        done = subprocess.run(
            [*self.startup, *arguments],
            cwd=self.workspace,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        seconds = time.monotonic() - start
        if done.returncode:
            raise SystemExit(done.stdout)
        return Run(seconds, done.stdout)
