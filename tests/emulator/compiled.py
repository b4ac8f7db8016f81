"""Compiles a model in memory, and tells what a run of it may not report."""

from __future__ import annotations

from compiler.driver import compile_graph, plan_model
from compiler.emulator.hazards import Kind
from compiler.emulator.model import CompiledModel, ModelResult
from compiler.frontend.tflite_reader import read_model_bytes
from compiler.options import CompileOptions


def compile_bytes(source: bytes, token: int = 9) -> bytes:
    options = CompileOptions()
    graph = read_model_bytes(source, "model")
    return compile_graph(plan_model(graph, options), token, options)


def compile_model(source: bytes, token: int = 9) -> CompiledModel:
    return CompiledModel(compile_bytes(source, token))


def faults(result: ModelResult) -> list[str]:
    """Reports of a concurrent run that no program of ours may give: all hazards, and the note
    on data from the host that need a slow host, which an old vendor program has."""
    reports = [report for run in result.runs for report in (*run.hazards, *run.notes)]
    harmless = (Kind.UNINITIALISED, Kind.SAME_WRITE)
    return [str(report) for report in reports if report.kind not in harmless]
