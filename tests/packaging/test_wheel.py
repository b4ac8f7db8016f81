"""`pip install .` gives the package edgetpu_compiler with its commands."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BUILD_WHEEL = "import setuptools.build_meta as b; b.build_wheel('wheels')"


def _is_new_setuptools() -> bool:
    setuptools = pytest.importorskip("setuptools", reason="setuptools is not installed")
    version = tuple(int(part) for part in setuptools.__version__.split(".")[:2])
    return version >= (70, 1)  # builds wheels without the package "wheel"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder with the unpacked wheel, made from a copy of the sources."""
    if not _is_new_setuptools():
        pytest.skip("setuptools is older than 70.1")
    sources = tmp_path_factory.mktemp("sources")
    for name in ("LICENSE", "README.md", "pyproject.toml", "setup.py"):
        shutil.copy(ROOT / name, sources)
    shutil.copytree(
        ROOT / "compiler", sources / "compiler", ignore=shutil.ignore_patterns("__pycache__")
    )
    build = subprocess.run(
        [sys.executable, "-c", BUILD_WHEEL],
        cwd=sources,
        capture_output=True,
        text=True,
        check=False,
    )
    assert build.returncode == 0, build.stdout + build.stderr
    (wheel,) = (sources / "wheels").glob("*.whl")
    unpacked = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(unpacked)
    return unpacked


def test_every_module_is_in_the_wheel(site):
    modules = {path.relative_to(ROOT / "compiler") for path in (ROOT / "compiler").rglob("*.py")}
    packed = {
        path.relative_to(site / "edgetpu_compiler")
        for path in (site / "edgetpu_compiler").rglob("*.py")
    }
    assert packed == modules
    assert not (site / "compiler").exists()


def test_commands_name_existing_functions(site):
    (entry_points,) = site.glob("*.dist-info/entry_points.txt")
    commands = [line for line in entry_points.read_text().splitlines() if "=" in line]
    assert any(line.startswith("edgetpu_compiler ") for line in commands)
    for command in commands:
        module, function = command.split("=")[1].strip().split(":")
        source = site.joinpath(*module.split(".")).with_suffix(".py")
        assert source.is_file(), command
        assert f"def {function}(" in source.read_text(), command


def test_installed_command_answers(site):
    result = subprocess.run(
        [sys.executable, "-m", "edgetpu_compiler.cli.compiler_main", "--version"],
        env=os.environ | {"PYTHONPATH": f"{site}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("Edge TPU Compiler version ")
