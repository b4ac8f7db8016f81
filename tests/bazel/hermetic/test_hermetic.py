"""What a compile action can reach: declared files and the compiler's own packages."""

import json
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent


@pytest.fixture(scope="module")
def facts():
    """What the probe found."""
    log = FOLDER / "classifier_edgetpu.log"
    if not log.exists():
        pytest.skip("built by Bazel only")
    return json.loads(log.read_text())


def test_model_is_there(facts):
    assert facts["model_is_there"]


def test_undeclared_files_are_not(facts):
    assert facts["files"] == []


def test_undeclared_module_cannot_be_imported(facts):
    """It lies beside the program's source, to which the program is a link."""
    assert not facts["undeclared_module"]


def test_there_is_no_network(facts):
    assert facts["network"] == "Network is unreachable"


def test_environment_is_fixed(facts):
    allowed = {"LC_ALL", "OPENBLAS_NUM_THREADS", "PATH", "PWD", "RUNFILES_DIR", "TMPDIR"}
    unexpected = set(facts["environment"]) - allowed
    assert {name for name in unexpected if not name.startswith(("PYTHON", "LD_", "_"))} == set()
    assert facts["environment"]["PYTHONHASHSEED"] == "0"


def test_packages_are_the_pinned_ones(facts):
    assert "/edgetpu_pip/numpy/site/numpy/" in facts["numpy"]
    assert not facts["user_site"]
