"""The files that the rule edgetpu_model makes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("dense.tflite")
COMPILED = Path(__file__).with_name("dense_edgetpu.tflite")
LOG = Path(__file__).with_name("dense_edgetpu.log")

pytestmark = pytest.mark.skipif(not COMPILED.exists(), reason="built by Bazel only")


def test_compiled_model_is_a_tflite_file_with_the_custom_operator():
    content = COMPILED.read_bytes()
    assert content[4:8] == b"TFL3"
    assert b"edgetpu-custom-op" in content


def test_log_names_the_input_and_the_output():
    lines = LOG.read_text().splitlines()
    assert lines[1:3] == ["Input: dense.tflite", "Output: dense_edgetpu.tflite"]


def test_outputs_name_no_folder_of_this_machine():
    for file in (COMPILED, LOG):
        for marker in (b"bazel-out", b"/sandbox/", b"/execroot/"):
            assert marker not in file.read_bytes(), f"{marker!r} in {file.name}"


@pytest.mark.parametrize("hash_seed", range(4))
def test_command_line_gives_the_same_bytes(hash_seed, tmp_path):
    (tmp_path / SOURCE.name).write_bytes(SOURCE.read_bytes())
    result = subprocess.run(
        [sys.executable, "-m", "compiler.cli.compiler_main", SOURCE.name],
        cwd=tmp_path,
        env=os.environ | {"PYTHONHASHSEED": str(hash_seed)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    for built in (COMPILED, LOG):
        assert (tmp_path / built.name).read_bytes() == built.read_bytes(), built.name
