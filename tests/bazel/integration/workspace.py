"""A copy of this repository, and Bazel in it."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
"""The repository itself, also from a test's runfiles: those are links."""
_NOT_COPIED = (".git", "bazel-*", "__pycache__", ".*_cache", ".hypothesis", ".benchmarks")
_EXTERNAL = ("edgetpu_pip", "edgetpu_pip_run", "edgetpu_config_pip")
"""Python packages, which every copy would fetch."""
_PROCESSES = re.compile(r"^INFO: \d+ process(?:es)?: (.*)\.$", re.MULTILINE)


def require_bazel() -> str:
    """Path of Bazel; skips the test where there is none, or this is no whole repository."""
    bazel = shutil.which("bazel")
    if bazel is None:
        pytest.skip("bazel is not installed")
    if not (ROOT / "MODULE.bazel").is_file():
        pytest.skip("the repository is not beside this file")
    return bazel


@dataclass
class Build:
    """What a command said. processes: how many actions ran how (`worker`, `remote cache hit`,
    ...), without those inside Bazel."""

    status: int
    text: str
    log: list[dict[str, Any]] = field(default_factory=list)

    @property
    def processes(self) -> Counter[str]:
        found = _PROCESSES.search(self.text)
        counts: Counter[str] = Counter()
        for part in found[1].split(", ") if found else ():
            number, _, kind = part.partition(" ")
            if kind != "internal":
                counts[kind] = int(number)
        return counts

    def compiled(self) -> set[str]:
        """Compiled models that actions made, from the execution log."""
        return {
            Path(output).name
            for spawn in self.log
            if spawn["mnemonic"] == "EdgeTpuCompile"
            for output in spawn["listedOutputs"]
            if output.endswith("_edgetpu.tflite")
        }


def fetched_packages() -> dict[str, Path]:
    """Repositories of Python packages that the Bazel that runs this test has fetched."""
    import numpy as np

    place = Path(np.__file__).resolve()
    external = next((p.parent for p in place.parents if p.name == "edgetpu_pip"), None)
    if external is None:
        return {}
    return {name: external / name for name in _EXTERNAL if (external / name).is_dir()}


class Workspace:
    """A copy of the repository at `copy`, with an output folder of its own. folder: where in
    the copy the commands are run."""

    def __init__(self, copy: Path, output: Path, folder: str = "") -> None:
        self.bazel = require_bazel()
        self.output = output
        self.root = copy / folder
        self.packages = fetched_packages()
        if not copy.exists():
            shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*_NOT_COPIED))

    def run(self, *arguments: str, log: bool = False) -> Build:
        """One command; with `log`, the execution log is read."""
        command, *options = arguments
        file = self.output / "execution.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        if command in ("build", "test"):
            overrides = (f"--override_repository={n}={p}" for n, p in self.packages.items())
            options = [*overrides, *options]
        if log:
            options = [f"--execution_log_json_file={file}", *options]
        done = subprocess.run(
            [self.bazel, f"--output_user_root={self.output}", command, *options],
            cwd=self.root,
            env={**os.environ, "HOME": os.environ.get("HOME", str(self.output))},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return Build(done.returncode, done.stdout, read_log(file) if log else [])

    def build(self, *arguments: str, log: bool = False) -> Build:
        """A build that must succeed."""
        done = self.run("build", "--noshow_progress", *arguments, log=log)
        assert done.status == 0, done.text
        return done

    def digests(self, folder: str = "models") -> dict[str, str]:
        """SHA-256 of everything that was built in a package."""
        built = (self.root / "bazel-bin" / folder).iterdir()
        return {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(built)
            if path.suffix in (".tflite", ".log", ".json", ".token", ".tar")
        }

    def close(self) -> None:
        """Stop the server."""
        self.run("shutdown")


def read_log(file: Path) -> list[dict[str, Any]]:
    """An execution log: JSON objects one behind the other."""
    if not file.exists():
        return []
    decoder, text, position = json.JSONDecoder(), file.read_text(), 0
    spawns = []
    while position < len(text.rstrip()):
        spawn, position = decoder.raw_decode(text, position)
        spawns.append(spawn)
        while position < len(text) and text[position].isspace():
            position += 1
    return spawns


def comparable(log: list[dict[str, Any]]) -> list[str]:
    """A log without what may differ: how long an action took, and where it ran."""
    run = ("runner", "remoteCacheHit", "walltime", "progressMessage")
    return sorted(
        json.dumps({k: v for k, v in spawn.items() if k not in run}, sort_keys=True)
        for spawn in log
    )
