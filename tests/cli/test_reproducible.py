"""Two compilations anywhere give the same bytes: folders, hash seeds, ways to call."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import compiler
from tests.corpus_paths import CORPUS
from tests.model_builder import ModelBuilder

PACKAGE = Path(compiler.__file__).parent
MODULE = ["-m", "compiler.cli.compiler_main"]
INSTALLED = [
    "-c",
    "from edgetpu_compiler.cli.compiler_main import command; command()",
]
"""What the wheel's entry point runs."""


def _small() -> bytes:
    builder = ModelBuilder(seed=4).input("x", (1, 32, 32, 3)).conv2d(16, 3, stride=2)
    builder.depthwise_conv2d(3).conv2d(64, 1).op(
        "HARD_SWISH", [builder.last], (1, 16, 16, 64), output=(0.1, 0)
    )
    return builder.build()


def _mobilenet() -> bytes | None:
    path = CORPUS and CORPUS / "google-coral+test_data" / "mobilenet_v1_0.25_128_quant.tflite"
    return path.read_bytes() if path and path.is_file() else None


def _compile(folder: Path, how: list[str], seed: str, path: str) -> dict[str, bytes]:
    """Compile m.tflite of `folder` in a process of its own; the outputs by name."""
    search = os.pathsep.join([path, *sys.path])
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": search}
    result = subprocess.run(
        [sys.executable, *how, "-s", "m.tflite", "-o", "out"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return {path.name: path.read_bytes() for path in (folder / "out").iterdir()}


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> str:
    """A folder that holds the package as the wheel installs it."""
    site = tmp_path_factory.mktemp("site")
    ignore = shutil.ignore_patterns("__pycache__", "BUILD")
    shutil.copytree(PACKAGE, site / "edgetpu_compiler", ignore=ignore)
    return str(site)


@pytest.mark.parametrize("model", [_small, _mobilenet])
def test_same_bytes_everywhere(model, tmp_path, installed):
    data = model()
    if data is None:
        pytest.skip("no vendor corpus: set EDGETPU_CORPUS or put it at ../shared/corpus")
    results = []
    for number in range(4):
        folder = tmp_path / ("sub/" * number) / f"folder {number}"
        folder.mkdir(parents=True)
        (folder / "m.tflite").write_bytes(data)
        how, path = (INSTALLED, installed) if number % 2 else (MODULE, str(PACKAGE.parent))
        results.append(_compile(folder, how, str(number), path))
    assert sorted(results[0]) == ["m_edgetpu.log", "m_edgetpu.tflite"]
    assert all(result == results[0] for result in results)


def test_same_bytes_in_one_process(tmp_path, monkeypatch, capsys):
    """Nothing that a compilation remembers changes the next one."""
    from compiler.cli.compiler_main import main

    monkeypatch.chdir(tmp_path)
    other = ModelBuilder("uint8", seed=9).input("x", (1, 8, 8, 8)).conv2d(24, 3).build()
    (tmp_path / "m.tflite").write_bytes(_small())
    (tmp_path / "other.tflite").write_bytes(other)
    for number in range(3):
        assert main(["m.tflite", "-o", str(number)]) == 0
        assert main(["other.tflite", "-m", "13", "-o", str(number)]) == 0
    capsys.readouterr()
    for name in ("m_edgetpu.tflite", "other_edgetpu.tflite"):
        assert len({(tmp_path / str(number) / name).read_bytes() for number in range(3)}) == 1
