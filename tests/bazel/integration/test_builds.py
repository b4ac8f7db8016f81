"""Whole builds: the same actions and bytes from any checkout, all of it cached, and no more
rebuilt than what changed."""

import shutil

import pytest

from tests.bazel.integration.nginx import find_nginx, free_port, remote_cache
from tests.bazel.integration.workspace import Workspace, comparable, require_bazel

TARGETS = ["//models/...", "--output_groups=+log,+manifest,+token"]
GROUP = {"keyword_edgetpu.tflite", "classifier_edgetpu.tflite"}
DETECTOR = {
    "detector_edgetpu.tflite",
    "detector_segment_0_of_2_edgetpu.tflite",
    "detector_segment_1_of_2_edgetpu.tflite",
}


@pytest.fixture(scope="module")
def builds(tmp_path_factory):
    """Two checkouts in different folders, one remote cache: the first fills it, the second
    takes from it."""
    require_bazel()
    if find_nginx() is None:
        pytest.skip("nginx is not installed")
    root = tmp_path_factory.mktemp("builds")
    first = Workspace(root / "first", root / "out1")
    second = Workspace(root / "in/another/place", root / "out2")
    with remote_cache(root / "nginx", free_port()) as url:
        cached = [*TARGETS, f"--remote_cache={url}"]
        yield {
            "first": first,
            "second": second,
            "filled": first.build(*cached, log=True),
            "taken": second.build(*cached, log=True),
        }
    first.close()
    second.close()


def test_first_checkout_runs_every_action(builds):
    assert "remote cache hit" not in builds["filled"].processes
    assert builds["filled"].compiled() == GROUP | DETECTOR


def test_second_checkout_takes_everything_from_the_cache(builds):
    hits = builds["taken"].processes
    assert set(hits) == {"remote cache hit"}, builds["taken"].text
    assert hits.total() == builds["filled"].processes.total()


def test_execution_logs_are_equal(builds):
    """The same command lines, environments, inputs and outputs, to the byte."""
    assert comparable(builds["taken"].log) == comparable(builds["filled"].log)


def test_outputs_are_equal(builds):
    digests = builds["first"].digests()
    assert digests == builds["second"].digests()
    assert set(digests) > GROUP | DETECTOR


def test_rebuild_after_expunge_gives_the_same(builds):
    """Without any cache, in the second checkout."""
    second = builds["second"]
    before = second.digests()
    second.run("clean", "--expunge")
    rebuilt = second.build(*TARGETS, log=True)
    assert rebuilt.compiled() == GROUP | DETECTOR
    assert "remote cache hit" not in rebuilt.processes
    assert second.digests() == before


@pytest.mark.parametrize("how", ["--strategy=EdgeTpuCompile=sandboxed", "--worker_sandboxing"])
def test_other_ways_to_run_actions_give_the_same(builds, how):
    """One process each in the sandbox, and a worker in it."""
    second = builds["second"]
    before = second.digests()
    second.run("clean")
    rebuilt = second.build(*TARGETS, how, log=True)
    assert rebuilt.compiled() == GROUP | DETECTOR
    assert ("worker" in rebuilt.processes) == (how == "--worker_sandboxing")
    assert second.digests() == before
    second.build(*TARGETS)


def test_nothing_is_rebuilt_without_a_change(builds):
    assert not builds["second"].build(*TARGETS, log=True).log


@pytest.mark.parametrize(("name", "rebuilt"), [("classifier", GROUP), ("detector", DETECTOR)])
def test_editing_a_model_rebuilds_it_and_its_group_only(builds, name, rebuilt):
    """The second checkout again: another model under the name of one, and back."""
    second = builds["second"]
    file = second.root / "models" / f"{name}.tflite"
    kept = file.read_bytes()
    shutil.copyfile(second.root / "models/keyword.tflite", file)
    try:
        assert second.build(*TARGETS, log=True).compiled() == rebuilt
    finally:
        file.write_bytes(kept)
    second.build(*TARGETS)


def test_error_in_the_configuration_is_shown(builds):
    """As Bazel's message: file, line and key."""
    second = builds["second"]
    file = second.root / "edgetpu.yaml"
    kept = file.read_text()
    file.write_text(kept.replace("num_segments: 2", "num_segments: 1"))
    try:
        failed = second.run("build", "//models/...")
    finally:
        file.write_text(kept)
    assert failed.status != 0
    line = kept.splitlines().index("    num_segments: 2") + 1
    expected = f"edgetpu.yaml:{line}: pipelines.detector_pipeline.num_segments: out of range"
    assert expected in failed.text
