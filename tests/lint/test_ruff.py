"""The Python sources follow the style that pyproject.toml sets."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FOLDERS = ("benchmarks", "compiler", "models", "rules", "tests")


def _ruff() -> str:
    """Path of the program: beside the wheel's folder on sys.path, or installed."""
    for entry in sys.path:
        for program in (Path(entry, "../bin/ruff"), Path(entry, "bin/ruff")):
            if program.is_file():
                return str(program)
    found = shutil.which("ruff")
    return found or pytest.skip("ruff is not installed")


def _sources() -> list[str]:
    root = Path.cwd()
    files = [str(path) for folder in FOLDERS for path in root.joinpath(folder).rglob("*.py")]
    assert files, f"no Python sources below {root}"
    return sorted(files)


def _run(*command: str) -> None:
    result = subprocess.run(
        [_ruff(), *command, "--no-cache", *_sources()], capture_output=True, text=True, check=False
    )
    if result.returncode:
        pytest.fail(result.stdout + result.stderr, pytrace=False)
    assert not result.stderr


def test_ruff_check():
    _run("check", "--quiet", "--output-format=concise")


def test_ruff_format():
    _run("format", "--check", "--quiet")
