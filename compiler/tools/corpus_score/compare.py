"""Two compiled files of one model, level by level: ours against the vendor's.

Reads the bytes of both; what cannot be read raises InvalidModelError.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import SequenceMatcher

from ...beagle.assembler import assemble
from ...beagle.codec import layout_of
from ...beagle.disassembler import disassemble
from ...beagle.executable import Executable, ExecutableType
from ...beagle.reader import compiled_ops, read_custom_options, read_package
from ...frontend.tflite_reader import read_model_bytes
from ...lowering.lower import lower
from ...lowering.program import Instruction, Program
from ...planning.plan import Plan
from .given_addresses import lower_with_addresses
from .renaming import same_but_for_narrow_addresses

CUSTOM_OPERATOR = "edgetpu-custom-op"


@dataclass(frozen=True, slots=True)
class Difference:
    """The first instruction that differs; "" on the side whose program has ended."""

    index: int
    ours: str
    vendor: str


@dataclass(frozen=True, slots=True)
class ProgramScore:
    """words: 128-bit words of the vendor's program; same_words: those of instructions that
    both programs have, in the same order; renamed: the programs differ in nothing but the
    placement of buffers in narrow memory."""

    words: int
    same_words: int
    renamed: bool = False
    difference: Difference | None = None

    @property
    def identical(self) -> bool:
        return self.difference is None


@dataclass(frozen=True, slots=True)
class FileScore:
    """Which levels of a compiled file are the vendor's. `parameters` speaks of the cached and
    the streamed ones; a level that neither file has counts as identical. `placed`: the
    execution program once narrow-memory buffers lie where the vendor has them."""

    mapping: bool
    parameters: bool
    caching: ProgramScore
    execution: ProgramScore
    container: bool
    file: bool
    placed: ProgramScore | None = None


@dataclass(frozen=True, slots=True, eq=False)
class CompiledModel:
    """A compiled file, parsed: the first Edge TPU operator's option map and executables (none
    where nothing is mapped), and the tensors that CPU operators write."""

    data: bytes
    on_cpu: frozenset[str]
    options: bytes = b""
    execution: Executable | None = None
    caching: Executable | None = None

    @property
    def token(self) -> int:
        """The parameter-caching token, 0 where nothing is mapped or cached."""
        return self.execution.token if self.execution else 0


def read_compiled(data: bytes, source: str) -> CompiledModel:
    """Parse a compiled file; `source` names it in errors."""
    outer = read_model_bytes(data, source, compiled=True)
    on_cpu = frozenset(
        outer.tensor(t).name
        for op in outer.operators
        if op.custom_code != CUSTOM_OPERATOR
        for t in op.outputs
    )
    found = compiled_ops(data, source)
    if not found:
        return CompiledModel(data, on_cpu)
    options = found[0].custom_options
    executables = read_package(read_custom_options(options).package).executables
    by_type = {executable.type: executable for executable in executables}
    caching = by_type.pop(ExecutableType.PARAMETER_CACHING, None)
    return CompiledModel(data, on_cpu, options, next(iter(by_type.values()), None), caching)


def compare(ours: CompiledModel, vendor: CompiledModel, plan: Plan | None = None) -> FileScore:
    """Every level of two compilations of one model; `plan`: ours of the first operator."""
    execution = compare_programs(_bitstreams(ours.execution), _bitstreams(vendor.execution))
    placed: ProgramScore | None = execution
    if plan is not None and not execution.identical:
        placed = _placed(plan, _bitstreams(vendor.execution))
    return FileScore(
        mapping=ours.on_cpu == vendor.on_cpu,
        parameters=_parameters(ours) == _parameters(vendor),
        caching=compare_programs(_bitstreams(ours.caching), _bitstreams(vendor.caching)),
        execution=execution,
        container=ours.options == vendor.options,
        file=ours.data == vendor.data,
        placed=placed,
    )


def _placed(plan: Plan, vendor: list[bytes]) -> ProgramScore | None:
    """Our program with the vendor's narrow addresses; None where the vendor's is of an older
    form."""
    wanted = disassemble(vendor)
    if wanted.instructions[:1] != lower(plan).instructions[:1]:
        return None
    return compare_programs(assemble(lower_with_addresses(plan, wanted)), vendor)


def compare_programs(ours: Iterable[bytes], vendor: Iterable[bytes]) -> ProgramScore:
    """Two programs, given as bitstream chunks."""
    ours, vendor = list(ours), list(vendor)
    wanted = disassemble(vendor)
    words = sum(len(chunk) // 16 - 2 for chunk in vendor)
    if ours == vendor:
        return ProgramScore(words, words)
    program = disassemble(ours)
    return ProgramScore(
        words,
        sum(map(_words, _common(program.instructions, wanted.instructions))),
        same_but_for_narrow_addresses(program, wanted),
        _first_difference(program, wanted),
    )


def _parameters(model: CompiledModel) -> tuple[bytes, ...]:
    return tuple(e.parameters if e else b"" for e in (model.caching, model.execution))


def _bitstreams(executable: Executable | None) -> list[bytes]:
    chunks = executable.chunks if executable else ()
    return [chunk.bitstream for chunk in chunks if chunk.bitstream]


def _words(instruction: Instruction) -> int:
    return layout_of(instruction).words


def _common(
    ours: tuple[Instruction, ...], vendor: tuple[Instruction, ...]
) -> Iterable[Instruction]:
    """The vendor's instructions that ours has too, in the same order."""
    numbers: dict[Instruction, int] = {}
    a, b = ([numbers.setdefault(op, len(numbers)) for op in side] for side in (ours, vendor))
    start = 0
    while start < min(len(a), len(b)) and a[start] == b[start]:
        start += 1
    end = 0
    while end < min(len(a), len(b)) - start and a[-1 - end] == b[-1 - end]:
        end += 1
    middle = SequenceMatcher(None, a[start : len(a) - end], b[start : len(b) - end])
    yield from vendor[:start]
    yield from vendor[len(vendor) - end :]
    for block in middle.get_matching_blocks():
        yield from vendor[start + block.b : start + block.b + block.size]


def _first_difference(ours: Program, vendor: Program) -> Difference | None:
    a, b = ours.instructions, vendor.instructions
    for index in range(max(len(a), len(b))):
        mine, other = a[index : index + 1], b[index : index + 1]
        if mine != other:
            return Difference(index, *(op[0].text() if op else "" for op in (mine, other)))
    cuts = (f"chunks begin at {p.chunk_starts}" for p in (ours, vendor))
    return Difference(len(a), *cuts)
