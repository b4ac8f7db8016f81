"""The program behind edgetpu_model_test: what passes, what fails, and what it says."""

import json

import numpy as np
import pytest

from compiler.cli.compiler_main import main as compile_model
from rules.private.model_test_runner import main
from tests.model_builder import ModelBuilder

LOOSE = {"all_mapped": False, "budgets": {}, "cpu_operators": [], "inputs": [], "max_difference": 0}


@pytest.fixture
def check(tmp_path, monkeypatch, capsys):
    """Compiles a model of one dense layer; gives a function that runs the program on it."""
    monkeypatch.chdir(tmp_path)
    builder = ModelBuilder("int8", seed=1).input("input", (1, 64))
    (tmp_path / "m.tflite").write_bytes(builder.fully_connected(64).build())
    assert compile_model(["--report", "json", "m.tflite"]) == 0
    np.save("good.npy", np.arange(64, dtype=np.int8).reshape(1, 64))
    np.save("bad.npy", np.zeros((1, 3), np.int8))
    capsys.readouterr()
    model = {
        "compiled": "m_edgetpu.tflite",
        "manifest": "m_edgetpu.json",
        "source": "m.tflite",
    }

    def run(**specification):
        text = json.dumps({**LOOSE, "models": [model], **specification})
        (tmp_path / "specification.json").write_text(text)
        status = main("specification.json")
        return status, capsys.readouterr().out

    return run


def edit_manifest(**operator):
    with open("m_edgetpu.json") as file:
        manifest = json.load(file)
    manifest["operators"][0] |= operator
    with open("m_edgetpu.json", "w") as file:
        json.dump(manifest, file)


def test_all_is_well(check):
    limits = {
        "max_cycles": 10**6,
        "max_off_chip_bytes": 0,
        "max_on_chip_bytes": 10**5,
        "max_size_bytes": 10**5,
    }
    status, text = check(all_mapped=True, budgets=limits, inputs=["good.npy"])
    assert status == 0, text
    assert text.startswith("m_edgetpu.tflite\n  compiled file: ")
    assert "differs by 0 at most (limit 0)" in text


@pytest.mark.parametrize(
    ("budget", "message"),
    [
        ("max_size_bytes", "bytes are more than 1"),
        ("max_on_chip_bytes", "on-chip memory for cached parameters: "),
        ("max_cycles", "estimated cycles: "),
    ],
)
def test_budget_is_exceeded(check, budget, message):
    status, text = check(budgets={budget: 1})
    assert status == 1
    (line,) = [line for line in text.splitlines() if "FAILED" in line]
    assert message in line
    assert "are more than 1" in line


def test_operator_on_the_cpu(check):
    edit_manifest(target="cpu", message="Too large.")
    status, text = check(all_mapped=True)
    assert status == 1
    assert "FAILED: operator 0 FULLY_CONNECTED runs on the CPU: Too large." in text


def test_operator_on_the_cpu_that_is_allowed(check):
    edit_manifest(target="cpu", message="Too large.")
    assert check(all_mapped=True, cpu_operators=["FULLY_CONNECTED"])[0] == 0


def test_input_of_the_wrong_shape(check):
    status, text = check(inputs=["bad.npy"])
    assert status == 1
    assert "FAILED: bad.npy: " in text


def test_difference_is_found(check):
    """A model that was compiled from other weights."""
    builder = ModelBuilder("int8", seed=2).input("input", (1, 64))
    with open("m.tflite", "wb") as file:
        file.write(builder.fully_connected(64).build())
    status, text = check(inputs=["good.npy"])
    assert status == 1
    assert "more than 0" in text
