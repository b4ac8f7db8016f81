"""The files that the rule edgetpu_model makes."""

from pathlib import Path

import pytest

COMPILED = Path(__file__).with_name("dense_edgetpu.tflite")
LOG = Path(__file__).with_name("dense_edgetpu.log")

pytestmark = pytest.mark.skipif(not COMPILED.exists(), reason="built by Bazel only")


def test_compiled_model_is_a_tflite_file_with_the_custom_operator():
    content = COMPILED.read_bytes()
    assert content[4:8] == b"TFL3"
    assert b"edgetpu-custom-op" in content


def test_log_names_the_input_and_the_output():
    text = LOG.read_text()
    assert "dense.tflite" in text
    assert "dense_edgetpu.tflite" in text


def test_outputs_name_no_folder_of_this_machine():
    for file in (COMPILED, LOG):
        for marker in (b"bazel-out", b"/sandbox/", b"/execroot/"):
            assert marker not in file.read_bytes(), f"{marker!r} in {file.name}"
