"""What two compiled models differ in, in terms of their content, not of their bytes.

Reads the dataclasses of `contents` and the Program level. Values are compared field by field,
programs instruction by instruction, whatever their offsets in the file.
"""

from __future__ import annotations

import dataclasses
import difflib
import enum
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ..lowering.program import Instruction, Program, value_text
from .assembler import positions
from .contents import Contents, Part
from .disassembler import disassemble
from .executable import Chunk, Executable, Layer

if TYPE_CHECKING:
    from ..frontend.graph import Graph

TOKEN = "token"
ALIGNED = 4000
"""Instructions up to which programs are aligned; longer ones are compared place by place."""
SHORT = 8
"""Numbers up to which a list is shown as a whole."""
_UNNAMED = {"executables", "package", "chunks", "source"}
"""Fields that are compared in another way, or say where a file comes from."""


@dataclasses.dataclass(frozen=True, slots=True)
class Difference:
    """One difference. where: path of the field, from the outside in; old, new: its values."""

    where: str
    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.where}: {self.old} -> {self.new}"


def compare(old: Contents, new: Contents, *, ignore_token: bool = False) -> Iterator[Difference]:
    """Every difference, from the outside in."""
    if old.is_model and new.is_model:
        yield from _models(_graph(old), _graph(new))
    if len(old.parts) != len(new.parts):
        counts = (f"{len(parts)} packages" for parts in (old.parts, new.parts))
        yield Difference("Edge TPU operators", *counts)
    for number, pair in enumerate(zip(old.parts, new.parts, strict=False)):
        for found in _parts(f"package {number}", *pair):
            if not (ignore_token and found.where.endswith(f".{TOKEN}")):
                yield found


def _graph(contents: Contents) -> Graph:
    from ..frontend.tflite_reader import read_model_bytes  # noqa: PLC0415 - models only

    return read_model_bytes(contents.data, "", compiled=True)


def _models(old: Graph, new: Graph) -> Iterator[Difference]:
    """The outer models: name, tensors with constants, operators with options, order."""
    for name in ("name", "inputs", "outputs"):
        yield from differences(f"model.{name}", getattr(old, name), getattr(new, name))
    yield from _items("model.tensor", old.tensors, new.tensors)
    ours, theirs = ([_plain(op) for op in graph.operators] for graph in (old, new))
    yield from _items("model.operator", ours, theirs)


def _plain(op: Any) -> Any:  # noqa: ANN401 - Operator
    """The operator without its custom options if these are a package."""
    from ..frontend.tflite_reader import COMPILED_OPERATOR  # noqa: PLC0415

    compiled = op.custom_code == COMPILED_OPERATOR
    return dataclasses.replace(op, custom_options=b"") if compiled else op


def _parts(where: str, old: Part, new: Part) -> Iterator[Difference]:
    yield from differences(f"{where}.place", old.place, new.place)
    yield from differences(f"{where}.options", old.options, new.options)
    yield from differences(where, old.package, new.package)
    if len(old.executables) != len(new.executables):
        kinds = (", ".join(e.type.name for e in part.executables) for part in (old, new))
        yield Difference(f"{where}.executables", *kinds)
    by_type = {executable.type: executable for executable in new.executables}
    for executable in old.executables:
        other = by_type.get(executable.type)
        if other is None and len(old.executables) == len(new.executables) == 1:
            other = new.executables[0]
        if other is not None:
            yield from _executables(f"{where}.{executable.type.name}", executable, other)


def _executables(where: str, old: Executable, new: Executable) -> Iterator[Difference]:
    yield from differences(where, old, new)
    offsets = ([_field_offsets(chunk) for chunk in e.chunks] for e in (old, new))
    yield from _items(f"{where}.field_offsets of chunk", *offsets)
    yield from _programs(where, *(_program(e) for e in (old, new)))


def _field_offsets(chunk: Chunk) -> Any:  # noqa: ANN401 - a tuple, or None
    return chunk.field_offsets


def _program(executable: Executable) -> Program:
    return disassemble(chunk.bitstream for chunk in executable.chunks if chunk.bitstream)


def _programs(where: str, old: Program, new: Program) -> Iterator[Difference]:
    """Instructions that changed, field by field; that came; that went. Places are those of
    the old program."""
    yield from _items(f"{where}.chunk start", old.chunk_starts, new.chunk_starts)
    places = [f"(chunk {chunk} word {word:#x})" for chunk, word in (*positions(old), (0, 0))]
    ours, theirs = old.instructions, new.instructions
    for kind, first, last, begin, end in _changes(ours, theirs):
        if kind == "equal":
            continue
        common = min(last - first, end - begin)
        for i in range(common):
            name = f"{where}.instruction {first + i} {places[first + i]}"
            yield from _instructions(name, ours[first + i], theirs[begin + i])
        for i in range(first + common, last):
            yield Difference(f"{where}.instruction {i} {places[i]}", ours[i].text(), "nothing")
        for op in theirs[begin + common : end]:
            yield Difference(f"{where}.instruction {last} {places[last]}", "nothing", op.text())


def _changes(
    old: Sequence[Instruction], new: Sequence[Instruction]
) -> Sequence[tuple[str, int, int, int, int]]:
    """Runs of equal and of other instructions, as `difflib` gives them."""
    if max(len(old), len(new)) > ALIGNED:
        both = min(len(old), len(new))
        return [("replace", i, i + 1, i, i + 1) for i in range(both) if old[i] != new[i]] + [
            ("replace", both, len(old), both, len(new))
        ]
    texts = [[op.text() for op in program] for program in (old, new)]
    return difflib.SequenceMatcher(None, texts[0], texts[1], False).get_opcodes()


def _instructions(where: str, old: Instruction, new: Instruction) -> Iterator[Difference]:
    if type(old) is not type(new):
        yield Difference(where, old.text(), new.text())
        return
    for field in dataclasses.fields(old):
        name = field.name
        texts = [value_text(name, getattr(op, name)) for op in (old, new)]
        if texts[0] != texts[1]:
            yield Difference(f"{where}.{type(old).__name__}.{name}", *texts)


def differences(where: str, old: Any, new: Any) -> Iterator[Difference]:  # noqa: ANN401
    """Fields in which two values differ."""
    if type(old) is not type(new):
        yield Difference(where, _text(old), _text(new))
    elif dataclasses.is_dataclass(old):
        for field in dataclasses.fields(old):
            if field.name not in _UNNAMED:
                values = getattr(old, field.name), getattr(new, field.name)
                yield from differences(f"{where}.{field.name}", *values)
    elif isinstance(old, tuple) and any(map(dataclasses.is_dataclass, (*old, *new))):
        yield from _items(where, old, new)
    elif not _equal(old, new):
        yield from _values(where, old, new)


def _items(where: str, old: Sequence[Any], new: Sequence[Any]) -> Iterator[Difference]:
    """Items at equal places; then how many there are."""
    for number, pair in enumerate(zip(old, new, strict=False)):
        yield from differences(f"{where} {_name(number, pair[0])}", *pair)
    if len(old) != len(new):
        yield Difference(f"{where}s", f"{len(old)}", f"{len(new)}")


def _name(number: int, item: object) -> str:
    return f"{number} '{item.name}'" if isinstance(item, Layer) else str(number)


def _equal(old: Any, new: Any) -> bool:  # noqa: ANN401
    if hasattr(old, "dtype"):
        same: bool = old.dtype == new.dtype and old.shape == new.shape
        return same and old.tobytes() == new.tobytes()
    return bool(old == new)


def _values(where: str, old: Any, new: Any) -> Iterator[Difference]:  # noqa: ANN401
    if hasattr(old, "tobytes"):
        old, new = old.tobytes(), new.tobytes()
    if isinstance(old, tuple) and len(old) == len(new) > SHORT:
        places = [i for i, pair in enumerate(zip(old, new, strict=True)) if pair[0] != pair[1]]
        first = places[0]
        where = f"{where} {first} ({len(places)} of {len(old)} differ)"
        old, new = old[first], new[first]
    if not isinstance(old, bytes):
        yield Difference(where, _text(old), _text(new))
        return
    both = min(len(old), len(new))
    different = [i for i in range(both) if old[i] != new[i]]
    if len(old) != len(new):
        yield Difference(f"{where} size", f"{len(old)} bytes", f"{len(new)} bytes")
    if different:
        first, count = different[0], len(different)
        old_bytes, new_bytes = (data[first : first + 8].hex(" ") for data in (old, new))
        yield Difference(f"{where} at {first:#x} ({count} bytes differ)", old_bytes, new_bytes)


def _text(value: Any) -> str:  # noqa: ANN401
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    if isinstance(value, tuple) and len(value) > SHORT:
        return f"{len(value)} values"
    return f"{value:#x}" if isinstance(value, int) and value > 1 << 32 else repr(value)
