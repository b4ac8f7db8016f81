"""Compiles a model in memory."""

from __future__ import annotations

from compiler.driver import compile_graph, plan_model
from compiler.emulator.model import CompiledModel
from compiler.frontend.tflite_reader import read_model_bytes
from compiler.options import CompileOptions


def compile_bytes(source: bytes, token: int = 9) -> bytes:
    options = CompileOptions()
    graph = read_model_bytes(source, "model")
    return compile_graph(plan_model(graph, options), token, options)


def compile_model(source: bytes, token: int = 9) -> CompiledModel:
    return CompiledModel(compile_bytes(source, token))
