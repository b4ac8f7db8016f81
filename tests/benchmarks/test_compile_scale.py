"""Compiling takes time in proportion to the number of operators. Counted in calls of functions,
which do not depend on the machine's load."""

from __future__ import annotations

import cProfile
import pstats

import pytest

pytest.importorskip("benchmarks.inputs", reason="benchmarks/ is not among the files of this test")

from benchmarks import compile_scale
from benchmarks.compile_scale import CHAINS, Scale
from compiler.frontend.tflite_reader import read_model_bytes
from compiler.mapping.partition import partition
from tests.emulator.compiled import compile_bytes

SHORT, LONG = 40, 160
MOST_GROWTH = 1.15


def _calls(make, length):
    source = make(length)
    profile = cProfile.Profile()
    profile.runcall(compile_bytes, source)
    return pstats.Stats(profile).total_calls


@pytest.mark.parametrize("name", CHAINS)
def test_calls_grow_with_the_operators(name):
    compile_bytes(CHAINS[name](SHORT))
    first, second, third = (_calls(CHAINS[name], n) for n in (SHORT, 2 * SHORT, LONG))
    few, many = (second - first) / SHORT, (third - second) / (LONG - 2 * SHORT)
    assert many < few * MOST_GROWTH


@pytest.mark.parametrize("name", CHAINS)
def test_chains_are_mapped_as_a_whole(name):
    graph = read_model_bytes(CHAINS[name](40), name)
    assert len(graph.operators) == 40
    assert partition(graph, 14).reasons == {}


def test_growth():
    assert Scale("x", (1.0, 1.9, 10.9)).growth == pytest.approx(1.0)
    assert Scale("x", (1.0, 1.9, 91.9)).growth == pytest.approx(10.0)
    assert Scale("x", (1.0, 1.0, 2.0)).growth == float("inf")


def test_the_table(monkeypatch, capsys):
    chains = {"sums": CHAINS["additions"]}
    monkeypatch.setattr(compile_scale, "CHAINS", chains)
    monkeypatch.setattr(compile_scale, "LENGTHS", (4, 8, 16))
    monkeypatch.setattr(compile_scale, "MOST_GROWTH", float("inf"))
    assert compile_scale.main(["--runs", "1"]) == 0
    assert capsys.readouterr().out.startswith("sums  ")
