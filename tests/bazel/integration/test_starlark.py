"""Starlark of the repository: parsed, loads resolved, formatted and linted."""

import base64
import hashlib
import platform
import shutil
import subprocess
import tarfile

import pytest

from tests.bazel.integration.starlark import problems, starlark_files
from tests.bazel.integration.workspace import ROOT

PACKAGE = "@bazel/buildifier@8.2.1"
INTEGRITY = (
    "eZ/Aq+2r4PcJa6LbPCT6ffgIJfTU/gYilqIzoX2OLM4nNkbQC6tTMPZNn7aHHjhGPxbNLv41zm4Xqt1olCLgXw=="
)


@pytest.fixture(autouse=True, scope="module")
def repository():
    if not (ROOT / "MODULE.bazel").is_file():
        pytest.skip("the repository is not beside this file")


@pytest.fixture(scope="module")
def buildifier(tmp_path_factory):
    """The program: installed, or out of npm's package."""
    if found := shutil.which("buildifier"):
        return found
    npm = shutil.which("npm")
    if npm is None or (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        pytest.skip("there is neither buildifier nor npm on Linux, x86-64")
    folder = tmp_path_factory.mktemp("buildifier")
    packed = subprocess.run(
        [npm, "pack", "--silent", PACKAGE], cwd=folder, capture_output=True, text=True, check=False
    )
    if packed.returncode:
        pytest.skip(f"npm does not give {PACKAGE}: {packed.stderr.strip()[:200]}")
    (archive,) = folder.glob("*.tgz")
    digest = hashlib.sha512(archive.read_bytes()).digest()
    assert base64.b64encode(digest).decode() == INTEGRITY
    with tarfile.open(archive) as files:
        files.extract("package/buildifier-linux_amd64", folder)
    program = folder / "package/buildifier-linux_amd64"
    program.chmod(0o755)
    return str(program)


def test_there_are_files():
    names = {str(path.relative_to(ROOT)) for path in starlark_files(ROOT)}
    assert {"rules/defs.bzl", "models/BUILD", "MODULE.bazel", "e2e/smoke/BUILD"} <= names


def test_loads_and_uses():
    assert list(problems(ROOT)) == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('load(":y.bzl", "a")', "x.bzl:1: :y.bzl does not exist"),
        ('load("@rules_python//python:py_test.bzl", "no")', "x.bzl:1: @rules_python//python:py_te"),
        ("def f(:", "x.bzl:1: invalid syntax"),
        ("a = native.py_test", "x.bzl:1: native.py_test is gone in newer Bazel"),
        ("a = lambda: 1", "x.bzl:1: a function inside a function is missing"),
        ("def f():\n    def g():\n        pass", "x.bzl:2: a function inside a function"),
        ("a = {} | {}", "x.bzl:1: | for dicts is missing in Bazel 4.2.3"),
        ("a = attr.label(cfg = 'host')", 'x.bzl:1: cfg = "host" is gone in newer Bazel'),
        ("a = module_extension()", "x.bzl:1: module_extension is missing in Bazel 4.2.3"),
    ],
)
def test_the_check_finds(tmp_path, text, problem):
    (tmp_path / "third_party").symlink_to(ROOT / "third_party")
    (tmp_path / "x.bzl").write_text(text)
    found = [line for line in problems(tmp_path) if line.startswith("x.bzl")]
    assert len(found) == 1
    assert found[0].startswith(problem)


def test_formatted_and_linted(buildifier):
    files = [str(path) for path in starlark_files(ROOT)]
    checked = subprocess.run(
        [buildifier, "-mode=check", "-lint=warn", *files],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
