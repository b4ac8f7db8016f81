"""Segments of equal latency: the search, its options, and what it gains over equal bytes."""

from __future__ import annotations

import itertools
import re
import stat
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from compiler.beagle.executable import Executable
from compiler.cli import partition_with_num_ops_main, partition_with_profiling_main
from compiler.errors import OptionError, ResourceError
from compiler.frontend.tflite_reader import read_model, read_model_bytes
from compiler.pipeline import latency
from compiler.pipeline.latency import emulated_cycles, latency_model, programs, static_cycles
from compiler.pipeline.profiling import Profiler, Search, partition
from compiler.pipeline.segment_compiler import CompiledSegment, OwnCompiler, compile_segment
from compiler.pipeline.segmentation import cut_model
from tests.model_builder import ModelBuilder

ROOT = Path(__file__).parents[2]


def _chain(operators: int) -> ModelBuilder:
    builder = ModelBuilder().input("x", (1, 8, 8, 4))
    for _ in range(operators):
        builder.conv2d(4, 1)
    return builder


# The search alone: operators with given times


class FakeCompiler:
    """Every segment compiles to its own source, except those of so many operators."""

    def __init__(self, failing: int = 0) -> None:
        self.failing = failing
        self.calls = 0

    def compile(self, source: Path) -> CompiledSegment | None:
        self.calls += 1
        data = source.read_bytes()
        failed = len(read_model_bytes(data, "").operators) == self.failing
        return None if failed else CompiledSegment(data, b"")


@dataclass
class FakeLatency:
    """The sum of the operators' times; `order` tells which they are, by result name."""

    times: dict[str, int]
    name: str = field(default="times")

    def latency_ns(self, compiled: bytes) -> int:
        graph = read_model_bytes(compiled, "")
        return sum(self.times[graph.tensors[op.outputs[0]].name] for op in graph.operators)

    def source(self, _compiled: bytes) -> str:
        return self.name


def _profiler(times: list[int], failing: int = 0) -> Profiler:
    graph = read_model_bytes(_chain(len(times)).build(), "m.tflite")
    names = [graph.tensors[op.outputs[0]].name for op in graph.operators]
    latency = FakeLatency(dict(zip(names, times, strict=True)))
    return Profiler(graph, "m", FakeCompiler(failing), latency)


def _best(times: list[int], segments: int) -> int:
    """Slowest segment of the best cut there is."""
    cuts = itertools.combinations(range(1, len(times)), segments - 1)
    return min(
        max(sum(times[a:b]) for a, b in itertools.pairwise((0, *cut, len(times)))) for cut in cuts
    )


TIMES = [
    [10, 10, 10, 10, 10, 10],
    [100, 1, 1, 1, 1, 1],
    [1, 1, 1, 1, 1, 100],
    [5, 30, 5, 20, 40, 5, 5, 10],
    [3, 1, 4, 1, 5, 9, 2, 6],
]


@pytest.mark.parametrize("times", TIMES, ids=str)
@pytest.mark.parametrize("segments", [2, 3, 4])
def test_the_best_cut_is_found(times, segments):
    found = partition(_profiler(times), Search(segments, diff_threshold_ns=0), lambda _: None)
    assert sum(found.counts) == len(times) and min(found.counts) > 0
    assert found.slowest == _best(times, segments)


def test_close_bounds_end_the_search_with_the_plain_cut():
    profiler = _profiler([10, 10, 10, 10])
    found = partition(profiler, Search(2, diff_threshold_ns=100), lambda _: None)
    assert found.counts == (2, 2)
    assert len(profiler.known) == 2


def test_given_bounds_are_not_measured():
    lines: list[str] = []
    found = partition(
        _profiler([5, 30, 5, 20, 40, 5, 5, 10]),
        Search(2, 0, lower_bound_ns=50, upper_bound_ns=100),
        lines.append,
    )
    assert found.slowest == 60
    assert not [line for line in lines if "parameter bytes" in line]


def test_bounds_no_cut_can_meet():
    with pytest.raises(ResourceError, match="no way to cut"):
        partition(
            _profiler([50, 50, 50]),
            Search(2, 0, lower_bound_ns=1, upper_bound_ns=10),
            lambda _: None,
        )


def test_segments_are_made_longer_in_steps():
    profiler = _profiler([10] * 12)
    partition(profiler, Search(2, 0, step=4, lower_bound_ns=10, upper_bound_ns=120), lambda _: None)
    assert {count for start, count in profiler.known if start == 0} <= {3, 7, 11}


def test_what_does_not_compile_is_avoided():
    profiler = _profiler([5, 30, 5, 20, 40, 5, 5, 10], failing=4)
    search = Search(2, 0, lower_bound_ns=30, upper_bound_ns=120)
    assert partition(profiler, search, lambda _: None).counts != (4, 4)


def test_each_segment_is_compiled_once():
    profiler = _profiler(TIMES[3])
    for segments in (2, 3):
        partition(profiler, Search(segments, 0), lambda _: None)
    assert profiler.compiler.calls == len(profiler.known)


def test_too_few_operators():
    with pytest.raises(OptionError, match="so many segments"):
        partition(_profiler([1, 1]), Search(3), lambda _: None)


# Real programs


def _uneven() -> bytes:
    """43 operators: large maps with few parameters first, small maps with many last."""
    builder = ModelBuilder(seed=1).input("x", (1, 32, 32, 8)).conv2d(16, 3)
    for _ in range(10):
        builder.depthwise_conv2d(3).conv2d(16, 1)
    builder.depthwise_conv2d(3, stride=2).conv2d(32, 1)
    for _ in range(10):
        builder.depthwise_conv2d(3).conv2d(32, 1)
    return builder.build()


@dataclass
class CycleLatency:
    """Cycles alone, one a nanosecond: what the search balances is the chip's own work."""

    cycles: Callable[[Executable], int]
    name: str = "cycles"

    def latency_ns(self, compiled: bytes) -> int:
        return sum(map(self.cycles, programs(compiled)))

    def source(self, _compiled: bytes) -> str:
        return self.name


def _uneven_profiler(cycles: Callable[[Executable], int]) -> Profiler:
    graph = read_model_bytes(_uneven(), "m.tflite")
    assert len(graph.operators) >= 40
    return Profiler(graph, "m", OwnCompiler(), CycleLatency(cycles))


@pytest.fixture(scope="module")
def counted() -> Profiler:
    return _uneven_profiler(static_cycles)


@pytest.fixture(scope="module")
def emulated() -> Profiler:
    return _uneven_profiler(emulated_cycles)


@pytest.mark.parametrize("segments", [2, 3, 4])
def test_the_slowest_segment_is_a_tenth_faster_than_by_parameter_bytes(counted, emulated, segments):
    """The search counts instructions; the emulator's clock judges what it found."""
    found = partition(counted, Search(segments, diff_threshold_ns=500), lambda _: None)
    assert sum(found.counts) == len(counted.graph.operators)
    ours = emulated.candidate(found.counts)
    by_bytes = emulated.candidate([len(run) for run in cut_model(counted.graph, segments)])
    assert ours.slowest <= 0.9 * by_bytes.slowest


@pytest.mark.full
@pytest.mark.parametrize("segments", [2, 3, 4])
def test_a_search_by_emulated_cycles(emulated, segments):
    lines: list[str] = []
    found = partition(emulated, Search(segments, diff_threshold_ns=500), lines.append)
    by_bytes = emulated.candidate([len(run) for run in cut_model(emulated.graph, segments)])
    assert found.slowest <= 0.9 * by_bytes.slowest
    assert max(found.latencies) - min(found.latencies) < 0.2 * found.slowest
    assert lines[0].startswith("by parameter bytes: ")


def _compiled(operators: int) -> bytes:
    compiled = compile_segment(OwnCompiler(), "m", _chain(operators).build())
    assert compiled is not None
    return compiled.model


@pytest.mark.parametrize("kind", ["static", "emulator"])
def test_estimates_grow_with_the_model(kind):
    model = latency_model(kind, "any")
    latencies = [model.latency_ns(_compiled(operators)) for operators in (1, 2, 4)]
    assert 0 < latencies[0] < latencies[1] < latencies[2]


def test_without_a_device_small_programs_are_emulated_and_large_ones_counted(monkeypatch):
    monkeypatch.setattr(latency, "_device_model", lambda _type: None)
    compiled = _compiled(2)
    small, exact = latency_model("auto", "any"), latency_model("emulator", "any")
    assert small.source(compiled) == exact.name == "cycles of the emulator"
    assert small.latency_ns(compiled) == exact.latency_ns(compiled)
    monkeypatch.setattr(latency, "EMULATED_MOVES", 10)
    large, rough = latency_model("auto", "any"), latency_model("static", "any")
    assert large.source(compiled) == rough.name == "estimated from the instructions"
    assert large.latency_ns(compiled) == rough.latency_ns(compiled)
    assert rough.name in large.name and exact.name in large.name


def test_a_device_comes_first(monkeypatch):
    """As if one were there; its runtime is not called."""
    device = FakeLatency({}, "measured on usb:0")
    monkeypatch.setattr(latency, "_device_model", lambda _type: device)
    assert latency_model("auto", "any") is latency_model("device", "any") is device


def test_faster_links_take_less_time():
    compiled = _compiled(2)
    usb, pci = (latency_model("static", link) for link in ("usbonly", "pcionly"))
    assert pci.latency_ns(compiled) < usb.latency_ns(compiled)


def test_unknown_latency_models_are_refused(monkeypatch):
    with pytest.raises(OptionError, match="unknown latency model"):
        latency_model("guess", "any")
    monkeypatch.setattr(latency, "_device_model", lambda _type: None)
    with pytest.raises(OptionError, match="not available here"):
        latency_model("device", "any")


# Commands


@pytest.fixture
def model(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.tflite").write_bytes(_chain(5).build())
    return tmp_path


def _profile(*argv: str) -> int:
    return partition_with_profiling_main.main(
        ["--model_path", "m.tflite", "--output_dir=out", "--latency=static", *argv]
    )


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "out").iterdir())


SEGMENTS = sorted(
    f"m_segment_{number}_of_2{suffix}"
    for number in range(2)
    for suffix in (".tflite", "_edgetpu.tflite", "_edgetpu.log")
)


def test_profiling_writes_the_segments(model, capsys):
    assert _profile("--num_segments=2", "--diff_threshold_ns", "100") == 0
    assert _names(model) == SEGMENTS
    text = capsys.readouterr().out
    assert "latencies are estimated from the instructions" in text
    assert re.search(
        r"m_segment_1_of_2_edgetpu.tflite: \d+ ns, estimated from the instructions\n", text
    )


def test_any_compiler_with_the_same_command_line(model):
    """Here: this one behind a script, which notes how it was called."""
    script = model / "other compiler"
    script.write_text(
        f"#!{sys.executable}\n"
        "import sys\n"
        f"sys.path[:0] = {[str(ROOT), *sys.path]!r}\n"
        f"open({str(model / 'calls')!r}, 'a').write(' '.join(sys.argv[1:]) + '\\n')\n"
        "from compiler.cli.compiler_main import main\n"
        "sys.exit(main())\n"
    )
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    binary = f"--edgetpu_compiler_binary={script}"
    assert _profile("--num_segments=2", binary, "--delegate_search_step=7") == 0
    assert _names(model) == SEGMENTS
    call = (model / "calls").read_text().splitlines()[0].split()
    assert call[0] == "--search_delegate" and "--num_segments=1" in call
    assert call[-1] == "--delegate_search_step=7"


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--num_segments=1"], "num_segments"),
        (["--num_segments=6"], "so many segments"),
        (["--num_segments=2", "--partition_search_step=0"], "partition_search_step"),
        (["--num_segments=2", "--delegate_search_step=0"], "delegate_search_step"),
        (["--num_segments=2", "--diff_threshold_ns=-1"], "diff_threshold_ns"),
        (["--num_segments=2", "--edgetpu_compiler_binary=/none"], "cannot be run"),
        (["--num_segments=2", "--edgetpu_compiler_binary=false"], "no way to cut"),
    ],
)
def test_profiling_refuses(model, capsys, argv, message):
    assert _profile(*argv) == 1
    assert message in capsys.readouterr().err
    assert not (model / "out").exists() or _names(model) == []


def test_every_option_of_the_vendors_page_is_known(model):
    assert (
        _profile(
            "--num_segments=2",
            "--device_type=any",
            "--diff_threshold_ns=1000000",
            "--partition_search_step=1",
            "--delegate_search_step=1",
            "--initial_lower_bound_ns=1",
            "--initial_upper_bound_ns=100000000",
        )
        == 0
    )


def _cut(*argv: str) -> int:
    return partition_with_num_ops_main.main(["--model_path=m.tflite", *argv])


def test_given_numbers_of_operators(model):
    assert _cut("--num_ops", "1,3,1", "--output_dir", "out", "--segment_prefix", "seg") == 0
    assert _names(model) == [f"seg_segment_{number}_of_3.tflite" for number in range(3)]
    counts = [len(read_model(model / "out" / name).operators) for name in _names(model)]
    assert counts == [1, 3, 1]


@pytest.mark.parametrize("numbers", ["5", "2,2", "0,5", "6,-1", "2,x", "", "2,3,"])
def test_wrong_numbers_of_operators(model, capsys, numbers):
    assert _cut("--num_ops", numbers, "--output_dir=out") == 1
    assert "num_ops" in capsys.readouterr().err
    assert not (model / "out").exists()
