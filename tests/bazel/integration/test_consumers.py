"""Workspaces that use the rules from outside: e2e/smoke and the examples."""

import pytest

from tests.bazel.integration.workspace import Workspace, require_bazel


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Folder of the one copy in which all of them lie."""
    require_bazel()
    return tmp_path_factory.mktemp("consumers")


def run_all(place, folder):
    """Build and test everything; gives the workspace and what was said."""
    workspace = Workspace(place / "copy", place / "output", folder)
    done = workspace.run("test", "--noshow_progress", "//...")
    workspace.close()
    return workspace, done


def test_smoke(place):
    workspace, done = run_all(place, "e2e/smoke")
    assert done.status == 0, done.text
    tokens = (workspace.root / "bazel-bin/tokens.txt").read_text().splitlines()
    alone, keyword, classifier, segment = tokens
    assert keyword == classifier
    assert len({alone, keyword, segment}) == 3
    assert (workspace.root / "bazel-bin/bundle.tar").is_file()
    assert (workspace.root / "bazel-bin/config/from_yaml_edgetpu.tflite").is_file()


def test_firmware_image(place):
    workspace, done = run_all(place, "examples/firmware_image")
    checksum = (workspace.root / "bazel-bin/image.sha256").read_text().strip()
    assert done.status == 0, f"{done.text}\nThe image's SHA-256 is {checksum}."
    assert "//:image_golden_test" in done.text or "tests pass" in done.text


def test_monorepo_release(place):
    workspace, done = run_all(place, "examples/monorepo_release")
    assert done.status == 0, done.text
    sums = (workspace.root / "bazel-bin/release/SHA256SUMS").read_text().splitlines()
    assert [line.split()[1] for line in sums] == ["current.tar", "old.tar"]
