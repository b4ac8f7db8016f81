"""The stages one after the other: what goes back to mapping, what is reported, what is printed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from compiler import driver
from compiler.beagle.executable import ExecutableType
from compiler.beagle.reader import compiled_ops, read_custom_options, read_package
from compiler.driver import compile_graph, dump_level, memory_reports, operator_rows, plan_model
from compiler.errors import InternalError, UnsupportedModelError
from compiler.frontend.tflite_reader import read_model_bytes
from compiler.mapping.reasons import Status
from compiler.options import CompileOptions
from compiler.planning.planner import plan_region
from compiler.planning.refusal import Refusal
from compiler.release import RELEASE_15
from tests.model_builder import ModelBuilder

OPTIONS = CompileOptions()
TOKEN = 0x0123456789ABCDEF


def _graph(builder: ModelBuilder):
    return read_model_bytes(builder.build(), "m.tflite")


def _chain() -> ModelBuilder:
    builder = ModelBuilder(seed=5).input("x", (1, 16, 16, 8))
    return builder.conv2d(16, 3).depthwise_conv2d(3).conv2d(32, 1)


def _package(data: bytes):
    (op,) = compiled_ops(data)
    return read_package(read_custom_options(op.custom_options).package)


def test_a_chain_becomes_one_operator():
    model = plan_model(_graph(_chain()), OPTIONS)
    assert model.partition.reasons == {} and len(model.plans) == 1
    package = _package(compile_graph(model, TOKEN, OPTIONS))
    execution, caching = package.executables
    assert execution.type is ExecutableType.EXECUTION_ONLY
    assert caching.type is ExecutableType.PARAMETER_CACHING
    assert execution.token == caching.token == TOKEN
    assert execution.parameters == b"" and len(caching.parameters) > 8 * 9 * 16


def test_the_token_changes_nothing_else():
    model = plan_model(_graph(_chain()), OPTIONS)
    first, second = (compile_graph(model, token, OPTIONS) for token in (TOKEN, ~TOKEN % 2**64))
    assert len(first) == len(second)
    assert sum(a != b for a, b in zip(first, second, strict=True)) == 2 * 8


def test_releases_differ_in_their_programs():
    graph = _graph(_chain())
    old = CompileOptions(RELEASE_15, 12)
    new, older = (compile_graph(plan_model(graph, o), TOKEN, o) for o in (OPTIONS, old))
    assert (_package(new).min_runtime_version, _package(older).min_runtime_version) == (14, 12)
    words = [
        [sum(len(chunk.bitstream) for chunk in e.chunks) for e in _package(data).executables]
        for data in (new, older)
    ]
    assert words[0][0] < words[1][0]


def test_what_planning_refuses_goes_back_to_mapping(monkeypatch):
    """Once for each refused operator, with the planner's words and values."""
    calls = []

    def refusing(graph, region, release):
        calls.append(region.operators)
        if 1 in region.operators:
            raise Refusal(1, "too large", actual=9, allowed=3)
        return plan_region(graph, region, release)

    monkeypatch.setattr(driver, "plan_region", refusing)
    model = plan_model(_graph(_chain()), OPTIONS)
    assert calls == [(0, 1, 2), (0,)]
    reason = model.partition.reasons[1]
    assert (reason.status, reason.message) == (Status.UNSPECIFIED, "too large")
    assert (reason.actual, reason.allowed) == ("9", "3")
    assert model.partition.reasons[2].status is Status.MORE_THAN_ONE_SUBGRAPH
    data = compile_graph(model, TOKEN, OPTIONS)
    outer = read_model_bytes(data, "out", compiled=True)
    assert [op.name for op in outer.operators] == ["CUSTOM", "DEPTHWISE_CONV_2D", "CONV_2D"]


def test_a_refusal_of_no_operator_takes_all(monkeypatch):
    def refusing(graph, region, release):
        raise Refusal(None, "no way in")

    monkeypatch.setattr(driver, "plan_region", refusing)
    model = plan_model(_graph(_chain()), OPTIONS)
    assert model.plans == () and len(model.partition.reasons) == 3
    assert compiled_ops(compile_graph(model, TOKEN, OPTIONS)) == []


def test_what_does_not_fit_is_streamed():
    """Nine matrices of 1 MiB each for 8.1 MiB of parameter memory."""
    builder = ModelBuilder().input("x", (1, 1024))
    for _ in range(9):
        builder.fully_connected(1024)
    model = plan_model(_graph(builder), OPTIONS)
    (report,) = memory_reports([model])
    execution, caching = _package(compile_graph(model, TOKEN, OPTIONS)).executables
    assert 0 < len(execution.parameters) <= report.streamed
    assert 1 << 22 < len(caching.parameters) <= report.used


def test_reports():
    model = plan_model(_graph(_chain()), OPTIONS)
    (report,) = memory_reports([model])
    assert report.used > 0 == report.streamed
    assert report.used % 256 == report.remaining % 256 == 0
    assert report.used + report.remaining == 256 * 16 * model.plans[0].capacity
    rows = operator_rows(model.partition)
    assert [row.name for row in rows] == ["CONV_2D", "DEPTHWISE_CONV_2D", "CONV_2D"]
    assert all(row.on_edge_tpu and row.status == Status.MAPPED.value for row in rows)


def test_a_missing_plan_is_a_defect():
    model = plan_model(_graph(_chain()), OPTIONS)
    with pytest.raises(InternalError, match="no plan"):
        compile_graph(replace(model, plans=()), TOKEN, OPTIONS)


@pytest.mark.parametrize("level", driver.LEVELS)
def test_levels_are_texts(tmp_path, level):
    path = tmp_path / "m.tflite"
    path.write_bytes(_chain().build())
    text = dump_level(str(path), OPTIONS, level)
    assert text == dump_level(str(path), OPTIONS, level)
    assert text.count("\n") > 3 and str(tmp_path) not in text


def test_no_level_without_a_mapped_operator(tmp_path):
    builder = ModelBuilder().input("x", (1, 4, 4, 4))
    builder.op("HARD_SWISH", [builder.last], (1, 4, 4, 4), output=(0.1, 0))
    path = tmp_path / "m.tflite"
    path.write_bytes(builder.build())
    assert dump_level(str(path), OPTIONS, "partition").startswith("partition")
    with pytest.raises(UnsupportedModelError, match="no operator is mapped"):
        dump_level(str(path), OPTIONS, "plan")
