"""Models compiled together: each computes what it computes alone, and they share the chip."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from compiler.beagle.executable import ExecutableType
from compiler.compilation import Run, Source, compile_together
from compiler.driver import compile_graph
from compiler.emulator import CompiledModel, Device, random_inputs
from compiler.errors import OptionError
from compiler.frontend.tflite_reader import read_model_bytes
from compiler.options import CompileOptions, Request, parse_priority, parse_weights
from compiler.session import Session

from ..corpus_paths import require_corpus
from ..model_builder import ModelBuilder


def dense(inputs, *outputs, seed=0):
    model = ModelBuilder("int8", seed=seed).input(f"input{seed}", (1, inputs))
    for count in outputs:
        model = model.fully_connected(count)
    return model.build()


def convolutions(seed=0):
    model = ModelBuilder("uint8", seed=seed).input(f"input{seed}", (1, 8, 8, 3))
    return model.conv2d(40, 3).depthwise_conv2d(3).conv2d(64, 1).conv2d(16, 3).build()


SMALL = [dense(256, 200, seed=1), convolutions(2), dense(512, 100, 60, seed=3)]
LARGE = [dense(1024, *[1024] * 5, seed=4), dense(512, *[1024] * 4, seed=5), convolutions(6)]


def together(models, **options):
    sources = [
        Source(f"m{number}", data, read_model_bytes(data, f"m{number}"), f"m{number}")
        for number, data in enumerate(models)
    ]
    chosen = CompileOptions(**options)
    return compile_together(sources, Run(chosen, tuple(models), chosen.fingerprint()))


def run(model, device, seed=0):
    compiled = CompiledModel(model.data) if hasattr(model, "data") else model
    return compiled.run(random_inputs(compiled, seed), device)


def same(a, b):
    return a.outputs.keys() == b.outputs.keys() and all(
        np.array_equal(a.outputs[name], b.outputs[name]) for name in a.outputs
    )


@pytest.mark.parametrize("models", [SMALL, LARGE], ids=["all cached", "too large"])
def test_each_model_computes_what_it_computes_alone(models):
    shared = together(models)
    assert len({model.token for model in shared}) == 1
    device = Device()
    opened = [CompiledModel(model.data) for model in shared]
    for model, data in zip(opened, models, strict=True):
        alone = run(together([data])[0], Device())
        assert same(run(model, Device()), alone)
        assert same(run(model, device), alone)
    for model in opened:  # nothing was overwritten by the models that ran after it
        (result,) = run(model, device, seed=1).runs
        assert not result.loaded_bytes
        assert not result.wiped_bytes
        assert same(run(model, device, seed=1), run(model, Device(), seed=1))


def kinds(model):
    """(type, token) of a compiled model's executables."""
    ((_, executables),) = CompiledModel(model.data).executables.items()
    return [(executable.type, executable.token) for executable in executables]


def test_a_model_without_cache_leaves_that_of_the_others():
    """One has no parameters at all, one's are longer than a tile's memory: both carry the token,
    so the runtime keeps the first model's parameters when they run."""
    plain = ModelBuilder(seed=8).input("input8", (1, 16, 16, 8)).relu().build()
    shared = together([dense(1024, 512, 16, seed=7), plain, dense(16384, 10, seed=9)])
    token = shared[0].token
    assert kinds(shared[0])[0] == (ExecutableType.EXECUTION_ONLY, token)
    for model in shared[1:]:
        assert kinds(model) == [(ExecutableType.STAND_ALONE, token)]
    device = Device()
    opened = [CompiledModel(model.data) for model in shared]
    first = [run(model, device) for model in opened]
    again = [run(model, device) for model in opened]
    assert first[0].runs[0].loaded_bytes
    for before, after in zip(first, again, strict=True):
        assert same(before, after)
        assert not after.runs[0].loaded_bytes and not after.runs[0].wiped_bytes


def test_a_model_compiled_by_itself_without_parameters_has_no_token():
    plain = ModelBuilder(seed=8).input("input8", (1, 16, 16, 8)).relu().build()
    assert kinds(together([plain])[0]) == [(ExecutableType.STAND_ALONE, 0)]


def test_what_remains_is_the_same_for_all_models():
    shared = together(LARGE)
    reports = [model.report.memory for model in shared]
    assert len({report.remaining for report in reports}) == 1
    assert any(report.streamed for report in reports)
    capacity = min(model.model.plans[0].capacity for model in shared)
    used = sum(report.used for report in reports)
    assert used + reports[0].remaining == 16 * 256 * capacity


def test_priority_by_order():
    first = together(LARGE, by_order=True)
    assert not first[0].report.memory.streamed
    other = together([LARGE[1], LARGE[0], LARGE[2]], by_order=True)
    assert not other[0].report.memory.streamed
    assert other[1].report.memory.streamed
    assert same(run(other[1], Device()), run(first[0], Device()))


def test_the_best_order_depends_on_how_often_a_model_runs():
    often_first, often_second = (together(LARGE, weights=w) for w in ((50, 1, 1), (1, 50, 1)))
    assert often_first[0].choice.order[0] == 0
    assert not often_first[0].report.memory.streamed
    assert not often_second[1].report.memory.streamed
    assert often_second[0].report.memory.streamed
    assert often_first[0].choice.tried == 6


def test_session_names_the_order(tmp_path):
    paths = []
    for number, data in enumerate(LARGE):
        path = tmp_path / f"model{number}.tflite"
        path.write_bytes(data)
        paths.append(str(path))
    lines = []
    options = CompileOptions(weights=(1.0, 50.0, 1.0))
    request = Request(tuple(paths), str(tmp_path / "out"), options)
    assert Session(request, lines.append).run() == 0
    wanted = f"Order that streams least, of 6 tried: {paths[1]} "
    assert any(line.startswith(wanted) for line in lines)
    assert len(list((tmp_path / "out").glob("*_edgetpu.tflite"))) == 3


def test_options_are_checked():
    assert parse_weights("30,2.5") == (30.0, 2.5)
    for text in ("", "a", "1,,2", "-1", "nan", "inf"):
        with pytest.raises(OptionError, match="--weights"):
            parse_weights(text)
    assert parse_priority("order")
    with pytest.raises(OptionError, match="size or order"):
        parse_priority("first")
    with pytest.raises(OptionError, match="one number for each model"):
        Request(("a", "b"), options=CompileOptions(weights=(1.0,))).verify()
    fingerprints = {
        CompileOptions(by_order=by_order, weights=weights).fingerprint()
        for by_order in (False, True)
        for weights in (None, (1.0,), (2.0,))
    }
    assert len(fingerprints) == 4


def test_a_classifier_with_all_its_layers_streamed():
    """Also equal to the vendor's file of the same model, which streams 18 of 32 layers."""
    corpus = require_corpus() / "google-coral+test_data"
    name = "mobilenet_v1_0.25_128_quant"
    (model,) = together([(corpus / f"{name}.tflite").read_bytes()])
    (plan,) = model.model.plans
    streamed = replace(model.model, plans=(replace(plan, placement=((),) * len(plan.segments)),))
    files = (
        model.data,
        compile_graph(streamed, model.token, CompileOptions()),
        (corpus / "cocompilation" / f"{name}_cocompiled_with_3quant_edgetpu.tflite").read_bytes(),
    )
    results = []
    for data in files:
        compiled = CompiledModel(data)
        results.append(compiled.run(random_inputs(compiled, 5), Device()))
    assert same(results[0], results[1])
    assert same(results[0], results[2])
    assert results[2].runs[0].streamed_bytes == 251072
