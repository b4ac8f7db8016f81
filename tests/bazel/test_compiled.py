"""The files that the rules make."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
GROUP = ("plain_member", "plain_other_member")
SEGMENTS = ("deep_segment_0_of_2", "deep_segment_1_of_2")
PROFILED = ("profiled_segment_0_of_2", "profiled_segment_1_of_2")
STEMS = ("plain", *GROUP, *SEGMENTS, *PROFILED)

pytestmark = pytest.mark.skipif(
    not (FOLDER / "plain_edgetpu.tflite").exists(), reason="built by Bazel only"
)


def outputs(stem):
    return {
        f"{stem}_edgetpu.{suffix}": (FOLDER / f"{stem}_edgetpu.{suffix}").read_bytes()
        for suffix in ("tflite", "log", "json")
    }


def token(stem):
    return (FOLDER / f"{stem}_edgetpu.token").read_text()


@pytest.mark.parametrize("stem", STEMS)
def test_compiled_model_is_a_tflite_file_with_the_custom_operator(stem):
    content = (FOLDER / f"{stem}_edgetpu.tflite").read_bytes()
    assert content[4:8] == b"TFL3"
    assert b"edgetpu-custom-op" in content


@pytest.mark.parametrize("stem", STEMS)
def test_log_and_manifest_name_files_only(stem):
    lines = (FOLDER / f"{stem}_edgetpu.log").read_text().splitlines()
    assert lines[1:3] == [f"Input: {stem}.tflite", f"Output: {stem}_edgetpu.tflite"]
    manifest = json.loads((FOLDER / f"{stem}_edgetpu.json").read_text())
    assert manifest["model"]["name"] == f"{stem}.tflite"
    assert f"{manifest['caching_token']}\n" == token(stem)


@pytest.mark.parametrize("stem", STEMS)
def test_outputs_name_no_folder_of_this_machine(stem):
    for name, content in outputs(stem).items():
        for marker in (b"bazel-out", b"/sandbox/", b"/execroot/", b"/tmp"):
            assert marker not in content, f"{marker!r} in {name}"


@pytest.mark.parametrize("stems", [GROUP, SEGMENTS, PROFILED])
def test_what_is_compiled_together_has_one_token(stems):
    assert len({token(stem) for stem in stems}) == 1


def test_other_runs_have_other_tokens():
    assert len({token(stems[0]) for stems in (("plain",), GROUP, SEGMENTS)}) == 3


@pytest.mark.parametrize(
    ("options", "sources", "stems"),
    [
        ([], {"plain": "dense"}, ["plain"]),
        ([], {"plain_member": "dense", "plain_other_member": "deep"}, GROUP),
        (["-n", "2"], {"deep": "deep"}, SEGMENTS),
    ],
)
@pytest.mark.parametrize("hash_seed", range(2))
def test_command_line_gives_the_same_bytes(hash_seed, options, sources, stems, tmp_path):
    for name, source in sources.items():
        (tmp_path / f"{name}.tflite").write_bytes((FOLDER / f"{source}.tflite").read_bytes())
    models = [f"{name}.tflite" for name in sources]
    result = subprocess.run(
        [sys.executable, "-m", "compiler.cli.compiler_main", "--report=json", *options, *models],
        cwd=tmp_path,
        env=os.environ | {"PYTHONHASHSEED": str(hash_seed)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    for stem in stems:
        for name, content in outputs(stem).items():
            assert (tmp_path / name).read_bytes() == content, name
