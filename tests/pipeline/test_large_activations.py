"""Activations that do not fit the chip: on the CPU, in several Edge TPU operators, or the
vendor's failure. A smaller narrow memory stands for larger maps."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from compiler import driver
from compiler.compilation import Run, Source, compile_together
from compiler.driver import PlannedModel, plan_model
from compiler.emulator import CompiledModel, Device, random_inputs
from compiler.explain import explain
from compiler.frontend.graph import Graph
from compiler.frontend.tflite_reader import read_model_bytes
from compiler.options import CompileOptions, Request
from compiler.planning.planner import plan_region
from compiler.session import Session
from tests.model_builder import ModelBuilder

WORDS = 600
"""Of a narrow memory in which the network fits in two parts only."""
WHOLE = CompileOptions()
SCRATCH = CompileOptions(allow_scratch=True)
FAILURE = (
    "ERROR: Restored original execution plan after delegate application failure.\n"
    "Compilation failed: Compilation failed due to large activation tensors in model.\n"
    "Compilation child process completed within timeout period.\n"
    "Compilation failed! "
)


def _chain() -> bytes:
    """A map that lives long, beside others: what is alive at its end is the most."""
    builder = ModelBuilder(seed=3).input("x", (1, 16, 16, 4)).conv2d(32, 3)
    first = builder.last
    builder.depthwise_conv2d(3).conv2d(32, 1).depthwise_conv2d(3).conv2d(32, 1)
    return builder.add(builder.last, first).conv2d(16, 1).build()


def _two_layers() -> bytes:
    return ModelBuilder(seed=3).input("x", (1, 8, 8, 4)).conv2d(8, 3).conv2d(8, 3).build()


def _graph() -> Graph:
    return read_model_bytes(_chain(), "m.tflite")


@pytest.fixture
def narrow_words(monkeypatch):
    """Set the words of a tile's narrow memory."""

    def limit(words: int) -> None:
        small = functools.partial(plan_region, narrow_words=words)
        monkeypatch.setattr(driver, "plan_region", small)

    return limit


def _compiled(options: CompileOptions) -> tuple[PlannedModel, CompiledModel]:
    data = _chain()
    run = Run(options, (data,), options.fingerprint())
    (model,) = compile_together([Source("m.tflite", data, _graph(), "m")], run)
    return model.model, CompiledModel(model.data)


def test_cutting_maps_more(narrow_words):
    narrow_words(WORDS)
    assert plan_model(_graph(), WHOLE).partition.reasons
    model = plan_model(_graph(), SCRATCH)
    assert not model.partition.reasons
    assert len(model.plans) == len(model.partition.kept) > 1
    model.partition.verify()
    model.verify()


def test_cut_models_compute_what_the_whole_computes(narrow_words):
    _, whole = _compiled(WHOLE)
    inputs = random_inputs(whole)
    expected = whole.run(inputs).outputs
    narrow_words(WORDS)
    planned, model = _compiled(SCRATCH)
    assert len(model.executables) == len(planned.plans) > 1
    device = Device()
    for turn in range(2):
        result = model.run(inputs, device)
        for name, array in expected.items():
            np.testing.assert_array_equal(result.outputs[name], array)
        assert not any(run.wiped_bytes for run in result.runs)
        assert any(run.loaded_bytes for run in result.runs) == (turn == 0)


def test_what_fits_is_not_cut():
    assert len(plan_model(_graph(), SCRATCH).plans) == 1
    assert WHOLE.fingerprint() != SCRATCH.fingerprint()


def test_some_operators_on_the_cpu_are_no_failure(narrow_words):
    narrow_words(WORDS)
    model = plan_model(_graph(), WHOLE)
    assert model.plans
    driver.require_room(model)
    constraints = {reason.constraint for reason in model.partition.reasons.values()}
    assert "fits_the_chip" in constraints


@pytest.mark.parametrize("options", [WHOLE, SCRATCH], ids=["plain", "--allow_scratch"])
def test_nothing_fits(options, narrow_words, tmp_path):
    """The vendor's text and status; no output; and the operator with its numbers."""
    (tmp_path / "m.tflite").write_bytes(_two_layers())
    narrow_words(20)
    printed: list[str] = []
    request = Request((str(tmp_path / "m.tflite"),), str(tmp_path / "out"), options)
    assert Session(request, printed.append).run() == 1
    text = "\n".join(printed)
    assert text.endswith(FAILURE)
    assert "operator 0 (CONV_2D): " in text and "allowed at most 20" in text
    assert not (tmp_path / "out").exists()
    assert "fits_the_chip" in explain(str(tmp_path / "m.tflite"), request, "0")


def test_the_search_fails_like_the_vendors(narrow_words, tmp_path):
    (tmp_path / "m.tflite").write_bytes(_two_layers())
    narrow_words(20)
    printed: list[str] = []
    request = Request((str(tmp_path / "m.tflite"),), str(tmp_path), WHOLE, search_step=1)
    assert Session(request, printed.append).run() == 1
    tries = [line for line in printed if line.startswith("Try to compile")]
    assert [line.split()[-2] for line in tries] == ["2", "1"]


def test_unsupported_operators_alone_are_no_failure(tmp_path):
    """As with the vendor's tool: a model that is copied, with exit status 0."""
    builder = ModelBuilder(seed=3).input("x", (1, 16, 16, 8))
    builder.op("HARD_SWISH", [builder.last], (1, 16, 16, 8), output=(0.1, 0))
    (tmp_path / "m.tflite").write_bytes(builder.build())
    printed: list[str] = []
    request = Request((str(tmp_path / "m.tflite"),), str(tmp_path))
    assert Session(request, printed.append).run() == 0
    assert "Number of Edge TPU subgraphs: 0" in "\n".join(printed)
