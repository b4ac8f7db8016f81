"""Runs a whole compiled .tflite: Edge TPU operators on the emulator, the rest on the CPU.

CPU operators run one by one in ai-edge-litert (optional), each as a model of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..beagle.executable import Executable
from ..beagle.layers import VARIABLE_SUFFIX
from ..beagle.reader import read_custom_options, read_package
from ..emit.outer_model import OuterModel
from ..emit.tflite_writer import write_model
from ..errors import EmulationError, Where
from ..frontend.graph import Graph, Operator
from ..frontend.tflite_reader import COMPILED_OPERATOR, STORED_TYPES, read_model, read_model_bytes
from .device import Device, RunResult

Array = NDArray[Any]


class _CannotRunError(EmulationError):
    """An operator on the CPU that cannot run here, or one that depends on such an operator."""


@dataclass(frozen=True)
class ModelResult:
    """outputs: the model's outputs by tensor name; tensors: every tensor that was computed;
    runs: one entry for each Edge TPU operator, in order; state: the variable tensors behind
    this run, by name; skipped: why operators were left out of a `partial` run."""

    outputs: dict[str, Array]
    tensors: dict[str, Array]
    runs: tuple[RunResult, ...]
    state: dict[str, Array]
    skipped: tuple[str, ...] = ()


class CompiledModel:
    """A compiled model, ready to run on a `Device`."""

    def __init__(self, source: str | Path | bytes) -> None:
        if isinstance(source, bytes):
            self.graph: Graph = read_model_bytes(source, "model", compiled=True)
        else:
            self.graph = read_model(source, compiled=True)
        self.executables: dict[int, tuple[Executable, ...]] = {}
        for op in self.graph.operators:
            if op.custom_code == COMPILED_OPERATOR:
                options = read_custom_options(op.custom_options)
                self.executables[op.index] = read_package(options.package).executables

    def inputs(self) -> dict[str, tuple[tuple[int, ...], np.dtype[Any]]]:
        """(shape, numpy type) of the model's inputs by tensor name."""
        tensors = [self.graph.tensors[index] for index in self.graph.inputs]
        return {t.name: (t.shape, np.dtype(STORED_TYPES[t.type][0])) for t in tensors}

    def initial_state(self) -> dict[str, Array]:
        """Variable tensors as the interpreter starts them: real value zero."""
        state = {}
        for tensor in self.graph.tensors:
            if tensor.is_variable:
                zero = tensor.quantization.zero_points[0] if tensor.quantization else 0
                kind = STORED_TYPES[tensor.type][0]
                state[tensor.name] = np.full(tensor.shape, zero, kind)
        return state

    def run(
        self,
        inputs: Mapping[str, Array],
        device: Device | None = None,
        state: Mapping[str, Array] | None = None,
        *,
        partial: bool = False,
    ) -> ModelResult:
        """Run once; `inputs` by tensor name, in the shape and type of the tensor.

        state: that of the run before (`ModelResult.state`) for models that keep one. partial:
        leave out CPU operators the interpreter does not know, and what depends on them."""
        device = device or Device()
        named_state = {**self.initial_state(), **(state or {})}
        values: dict[int, Array] = {}
        for index in self.graph.inputs:
            values[index] = self._input(index, inputs)
        for tensor in self.graph.tensors:
            if tensor.is_variable:
                values[tensor.index] = named_state[tensor.name]
        runs: list[RunResult] = []
        skipped: list[str] = []
        for op in self.graph.operators:
            try:
                if op.index in self.executables:
                    runs.append(self._run_on_device(device, op, values))
                else:
                    self._run_on_cpu(op, values)
            except _CannotRunError as error:
                if not partial:
                    raise
                skipped.append(str(error))
        tensors = self.graph.tensors
        named = {tensors[index].name: array for index, array in values.items()}
        found = [i for i in self.graph.outputs if not partial or i in values]
        outputs = {tensors[index].name: self._value(index, values) for index in found}
        variables = {name: named[name] for name in named_state}
        return ModelResult(outputs, named, tuple(runs), variables, tuple(skipped))

    def _input(self, index: int, inputs: Mapping[str, Array]) -> Array:
        tensor = self.graph.tensors[index]
        where = Where(tensor=tensor.name)
        array = inputs.get(tensor.name)
        if array is None:
            raise EmulationError("an input is missing", where=where, actual=", ".join(inputs))
        kind = np.dtype(STORED_TYPES[tensor.type][0])
        if array.dtype != kind or array.size != np.prod(tensor.shape, dtype=np.int64):
            raise EmulationError(
                "an input has the wrong type or shape",
                where=where,
                actual=f"{array.dtype}{list(array.shape)}",
                allowed=f"{kind}{list(tensor.shape)}",
            )
        return np.ascontiguousarray(array).reshape(tensor.shape)

    def _value(self, index: int, values: Mapping[int, Array]) -> Array:
        if index in values:
            return values[index]
        tensor = self.graph.tensors[index]
        if tensor.data is None:
            raise _CannotRunError(
                "a tensor is read before it is written", where=Where(tensor=tensor.name)
            )
        return np.asarray(tensor.data)

    def _run_on_device(self, device: Device, op: Operator, values: dict[int, Array]) -> RunResult:
        tensors = self.graph.tensors
        inputs = {tensors[i].name: self._value(i, values) for i in op.inputs if i >= 0}
        result = device.run(self.executables[op.index], inputs)
        for index in op.outputs:
            tensor = tensors[index]
            output = result.outputs.get(tensor.name)
            if output is None:
                raise EmulationError(
                    "the executable has no such output", where=Where(tensor=tensor.name)
                )
            values[index] = output.reshape(tensor.shape)
        for index in op.inputs:
            output = result.outputs.get(f"{tensors[index].name}{VARIABLE_SUFFIX}")
            if tensors[index].is_variable and output is not None:
                values[index] = output.reshape(tensors[index].shape)
        return result

    def _run_on_cpu(self, op: Operator, values: dict[int, Array]) -> None:
        outputs = run_operator(self.graph, op, [self._value(i, values) for i in self._reads(op)])
        values.update(zip(op.outputs, outputs, strict=True))

    def _reads(self, op: Operator) -> list[int]:
        """Inputs of an operator that are computed, each once."""
        tensors = self.graph.tensors
        return list(dict.fromkeys(i for i in op.inputs if i >= 0 and not tensors[i].is_constant))


def run_operator(
    graph: Graph, op: Operator, inputs: list[Array], *, reference_kernels: bool = False
) -> list[Array]:
    """One operator of `graph` in ai-edge-litert; `inputs` are its computed inputs, each once.

    reference_kernels: TensorFlow Lite's plain ones in place of the fastest."""
    where = Where(op=f"operator {op.index} ({op.custom_code or op.name})")
    try:
        from ai_edge_litert.interpreter import (  # noqa: PLC0415 - optional
            Interpreter,
            OpResolverType,
        )
    except ImportError:
        raise _CannotRunError(
            "an operator on the CPU needs the ai-edge-litert package",
            where=where,
            hint="pip install ai-edge-litert",
        ) from None
    reads = tuple(
        dict.fromkeys(i for i in op.inputs if i >= 0 and not graph.tensors[i].is_constant)
    )
    model = write_model(OuterModel(graph, (op.index,), reads, op.outputs), keep_versions=True)
    kernels = OpResolverType.BUILTIN_REF if reference_kernels else OpResolverType.AUTO
    try:
        interpreter = Interpreter(model_content=model, experimental_op_resolver_type=kernels)
        interpreter.allocate_tensors()
        for detail, array in zip(interpreter.get_input_details(), inputs, strict=True):
            interpreter.set_tensor(detail["index"], array)
        interpreter.invoke()
        return [interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()]
    except (ValueError, RuntimeError) as error:
        raise _CannotRunError(
            "the CPU interpreter refuses an operator", where=where, actual=str(error)[:200]
        ) from None


def random_inputs(model: CompiledModel, seed: int = 0) -> dict[str, Array]:
    """Uniform random values of the whole range of each input's type."""
    generator = np.random.default_rng(seed)
    return {name: _random(generator, *wanted) for name, wanted in model.inputs().items()}


def _random(generator: np.random.Generator, shape: tuple[int, ...], kind: np.dtype[Any]) -> Array:
    if np.issubdtype(kind, np.integer):
        limits = np.iinfo(kind)
        return generator.integers(limits.min, limits.max, shape, dtype=kind, endpoint=True)
    return generator.standard_normal(shape).astype(kind)


def run_model(
    source: str | Path | bytes,
    inputs: Mapping[str, Array] | Array | None = None,
    *,
    seed: int = 0,
) -> dict[str, Array]:
    """Run a compiled model (path or bytes) once on a new device; outputs by tensor name.

    inputs: arrays by tensor name, one array for a model with one input, or None for random
    values from `seed`. Raises CompilerError."""
    model = CompiledModel(source)
    if inputs is None:
        inputs = random_inputs(model, seed)
    elif isinstance(inputs, np.ndarray):
        names = list(model.inputs())
        if len(names) != 1:
            raise EmulationError("the model has several inputs", actual=", ".join(names))
        inputs = {names[0]: inputs}
    return model.run(inputs).outputs
