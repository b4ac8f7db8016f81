"""Runs vendor programs with seeded faults, and says how the emulator notices."""

from __future__ import annotations

import functools
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from compiler.beagle.executable import BaseAddress, Executable
from compiler.emulator.accesses import Access
from compiler.emulator.clocks import Clock
from compiler.emulator.concurrent import Concurrent
from compiler.emulator.device import choose, host_buffers, layer_bytes, read_output
from compiler.emulator.execution import Execution, Side
from compiler.emulator.hazards import NOTES, Detector, DoubleWrite, Kind, Report
from compiler.emulator.host import HostMemory, link
from compiler.emulator.machine import LoadedChunk, Machine, load
from compiler.emulator.memories import BIAS_ENTRY, TileMemories, gather
from compiler.emulator.model import CompiledModel, random_inputs
from compiler.emulator.order import Order
from compiler.emulator.tensor_plan import LOOKUP
from compiler.emulator.tensor_unit import TensorSide
from compiler.emulator.timing import Speeds
from compiler.errors import EmulationError
from compiler.lowering.program import Instruction, TensorKind, TensorOp
from tests.corpus_paths import pairs
from tests.emulator.seeded_faults import KINDS, Fault, faults

Array = np.ndarray[Any, Any]
PROGRAMS = {
    "dense_256": "templates/dense_256_edgetpu.tflite",
    "conv2d_p32": "p32/anchor/conv2d_12x128x32_to_32_k3_s1_same_quant_edgetpu.tflite",
    "gabor_64x64_p4": "templates/gabor_64x64_p4_edgetpu.tflite",
}
"""{name: end of the path in the corpus}."""
SPEEDS = (Speeds(), Speeds(seed=1), Speeds(seed=2, spread=2.2))
"""Tried in turn until a fault is noticed; `test_vendor_concurrent` runs sound programs at these."""
SAME_INSTRUCTION = "same instruction"
SAME_ORDER = "same accesses in the same order"
SAME_VALUES = "no hazard, and the same values whatever the tensor ops compute"
"""Why a fault is none. With no hazard all speeds give the values of one; and these are the same
for other inputs too, also where results are hashes of all that they are made of."""
OTHER_INPUTS = (2, 3)
"""Seeds of the inputs that `SAME_VALUES` is shown with."""
OVERRUNS = (Kind.OVERFLOW, Kind.UNDERRUN, Kind.LEFT_OVER)
DEAD_LOCK, HAZARD, OVERRUN, ERROR = "dead-lock", "hazard", "overrun", "error"
WRONG, NOTE, UNDETECTED = "wrong output", "note", "undetected"
OUTCOMES = (DEAD_LOCK, HAZARD, OVERRUN, ERROR, WRONG, NOTE, UNDETECTED)
REPORTED = (DEAD_LOCK, HAZARD, OVERRUN, ERROR)
"""Outcomes that `edgetpu_run` reports; the others need a sound run to compare with."""


@dataclass(frozen=True)
class Finding:
    """How a fault was noticed. equivalent: why an undetected one is no fault, if that is known."""

    program: str
    fault: Fault
    outcome: str
    equivalent: str = ""

    def __str__(self) -> str:
        text = f"{self.program} {self.fault.index} {self.fault.kind}: {self.outcome}"
        return f"{text} ({self.equivalent})" if self.equivalent else text


class _Recorder(Detector):
    """A detector that also keeps every access with what its thread knew then."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[tuple[Clock, int, tuple[object, ...], tuple[Array, ...]]] = []

    def access(
        self, accesses: Iterable[Access], clock: Clock, thread: int, place: int, tile: int | None
    ) -> list[DoubleWrite]:
        listed = list(accesses)
        what: list[object] = [self.places[place], thread, tile]
        for access in listed:
            what += [access.space, access.write, np.asarray(access.addresses).tobytes()]
        steps = tuple(np.atleast_1d(0 if a.after is None else a.after) for a in listed)
        self.kept.append((clock.copy(), thread, tuple(what), steps))
        return super().access(listed, clock, thread, place, tile)

    @functools.cached_property
    def order(self) -> Counter[tuple[object, ...]]:
        """Every access with how many accesses of each thread certainly came before it. Two runs
        with the same answer have the same accesses in the same order, whatever the speeds."""
        done: dict[int, list[Array]] = {}
        for clock, thread, _, steps in self.kept:
            done.setdefault(thread, []).extend(clock[thread] + step for step in steps)
        ranks = {thread: np.sort(np.concatenate(steps)) for thread, steps in done.items() if steps}
        clocks = np.array([clock for clock, *_ in self.kept])
        before = np.stack(
            [np.searchsorted(ranks[t], clocks[:, t], side="right") for t in sorted(ranks)], axis=1
        )
        rows = zip(self.kept, before, strict=True)
        return Counter((*what, row.tobytes()) for (_, _, what, _), row in rows)


@dataclass
class _Result:
    outputs: dict[str, Array]
    hazards: list[Report]
    notes: set[tuple[object, ...]]
    error: EmulationError | None
    left_over: bool
    detector: _Recorder


class Program:
    """A vendor program with its input, to be run whole or broken."""

    def __init__(self, name: str) -> None:
        (path,) = [p.compiled for p in pairs() if str(p.compiled).endswith(PROGRAMS[name])]
        model = CompiledModel(path)
        ((_, executables),) = model.executables.items()
        self.name = name
        self.executable, self.caching = choose(executables)
        self.inputs, *self.other_inputs = (
            _inputs(model, self.executable, seed) for seed in (1, *OTHER_INPUTS)
        )
        self.chunks = load(link(self.executable))
        self.instructions = self.chunks[0].instructions

    @functools.cached_property
    def sound(self) -> dict[int, _Result]:
        """The unbroken program at each speed."""
        return {at: self.run({}, at) for at in range(len(SPEEDS))}

    @functools.cached_property
    def sound_hashed(self) -> list[_Result]:
        """The unbroken program on each of the other inputs, with hashes as results."""
        return [self.run({}, 0, inputs) for inputs in self.other_inputs]

    def run(
        self,
        changed: Mapping[int, Instruction],
        speed: int,
        hashed: Mapping[str, bytes] | None = None,
    ) -> _Result:
        """Once, with some instructions replaced. hashed: other inputs; results are hashes."""
        detector, memories = _Recorder(), TileMemories()
        kind = Concurrent if hashed is None else _Hashed

        def chip(host: HostMemory) -> Concurrent:
            return kind(memories, host, Order(detector), SPEEDS[speed])

        if self.caching is not None:
            _run(self.caching, load(link(self.caching)), {}, chip)
        detector.kept.clear()
        first = self.chunks[0]
        broken = tuple(changed.get(i, known) for i, known in enumerate(first.instructions))
        chunks = [replace(first, instructions=broken), *self.chunks[1:]]
        outputs: dict[str, Array] = {}
        error, left_over = None, False
        try:
            host = _run(self.executable, chunks, hashed or self.inputs, chip)
            left_over = host.pending != (0, 0)
            if not left_over:
                for layer in self.executable.outputs or ():
                    data = host.buffers[BaseAddress.OUTPUT, layer.name]
                    outputs[layer.name] = read_output(layer, data)
        except EmulationError as caught:
            error = caught
        notes = {
            (report.kind, report.tile, report.space, report.address, report.count)
            for report in detector.reports
            if report.kind in NOTES
        }
        return _Result(outputs, detector.hazards, notes, error, left_over, detector)

    def try_fault(self, fault: Fault) -> Finding:
        """Run at each speed until the fault is noticed."""
        unchanged = True
        for speed in range(len(SPEEDS)):
            result, sound = self.run(fault.changed, speed), self.sound[speed]
            outcome = _outcome(result, sound)
            if outcome != UNDETECTED:
                return Finding(self.name, fault, outcome)
            unchanged = unchanged and result.detector.order == sound.detector.order
        return Finding(self.name, fault, UNDETECTED, self._equivalent(fault, unchanged))

    def _equivalent(self, fault: Fault, unchanged: bool) -> str:
        """Why a fault that nobody noticed changes nothing, "" if that is not known."""
        if all(self.instructions[i] == new for i, new in fault.changed.items()):
            return SAME_INSTRUCTION
        if unchanged:
            return SAME_ORDER
        return SAME_VALUES if self.same_values(fault) else ""

    def same_values(self, fault: Fault) -> bool:
        """Whether the other inputs give the same hashes, and no report."""
        if any(_loses_operands(one) for one in self.instructions):
            return False
        return all(
            _outcome(self.run(fault.changed, 0, inputs), sound) == UNDETECTED
            for inputs, sound in zip(self.other_inputs, self.sound_hashed, strict=True)
        )


def _inputs(model: CompiledModel, executable: Executable, seed: int) -> dict[str, bytes]:
    """Random inputs of a model's one Edge TPU operator."""
    tensors = model.graph.tensors
    ((index, _),) = model.executables.items()
    result = model.run(random_inputs(model, seed), partial=True)
    names = [tensors[i].name for i in model.graph.operators[index].inputs]
    return layer_bytes(executable, {name: result.tensors[name] for name in names})


def _run(
    executable: Executable,
    chunks: list[LoadedChunk],
    inputs: Mapping[str, bytes],
    chip: Callable[[HostMemory], Concurrent],
) -> HostMemory:
    host = HostMemory(host_buffers(executable, inputs))
    Machine(chip(host)).run(chunks)
    return host


class _Hashed(Concurrent):
    """A chip whose tensor ops give a hash of everything a result is made of, so that nothing is
    lost by clamping and rounding: another operand gives another result."""

    def sides_of(self, execution: Execution) -> tuple[Side, ...]:
        op = execution.instruction
        return (
            (_HashedTensorSide(self, op),)
            if isinstance(op, TensorOp)
            else super().sides_of(execution)
        )


class _HashedTensorSide(TensorSide):
    def _results(self, tiles: Sequence[int], sums: Array, first: int, last: int) -> Array:
        op, plan = self.op, self.plan
        entries = np.arange(plan.lanes)
        if op.bias or op.scales:
            entries = 64 * (plan.groups(plan.last_item[first:last]) & 1)[:, None] + entries
        scaling = self.chip.memories.scaling_words
        mixed = _mix(sums.astype(np.int64).view(np.uint64))
        if op.bias:
            mixed = _mix(mixed + gather(scaling, tiles, entries + BIAS_ENTRY))
        if op.scales:
            mixed = _mix(mixed + gather(scaling, tiles, entries))
        if op.activation & LOOKUP:
            tables = [self.chip.tables[tile] for tile in tiles]
            codes = [0 if t is None else zlib.crc32(t.coefficients.tobytes()) for t in tables]
            mixed = _mix(mixed + np.array(codes, np.uint64)[:, None, None])
        return (
            mixed.view(np.uint8)
            .reshape(*mixed.shape, 8)[..., : 1 + plan.wide_results]
            .reshape(*mixed.shape[:-1], -1)
        )


def _mix(values: Array) -> Array:
    """64-bit numbers that look random (splitmix64)."""
    with np.errstate(over="ignore"):
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            values = (values ^ values >> np.uint64(shift)) * np.uint64(factor)
    return values ^ values >> np.uint64(31)


def _loses_operands(instruction: Instruction) -> bool:
    """Whether even an exact result does not depend on all operands."""
    kinds = (TensorKind.MAXIMUM, TensorKind.INTERPOLATE)
    return isinstance(instruction, TensorOp) and instruction.kind in kinds


def _outcome(result: _Result, sound: _Result) -> str:
    kinds = {report.kind for report in result.hazards}
    if Kind.DEAD_LOCK in kinds or "dead-lock" in str(result.error):
        return DEAD_LOCK
    if kinds - set(OVERRUNS):
        return HAZARD
    if kinds or result.left_over:
        return OVERRUN
    if result.error is not None:
        return ERROR
    if any((result.outputs[name] != known).any() for name, known in sound.outputs.items()):
        return WRONG
    return NOTE if result.notes - sound.notes else UNDETECTED


def findings(program: Program, sites: int) -> list[Finding]:
    """Every kind of fault at up to `sites` places of a program."""
    return [
        program.try_fault(fault)
        for kind in KINDS
        for fault in faults(program.instructions, kind, sites)
    ]
