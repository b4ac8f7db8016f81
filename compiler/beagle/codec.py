"""One instruction's bits <-> one typed instruction (Program level), without loss.

Each opcode has a plan made from its bit table (`fields.layouts`): which attributes are
plain integers and which are records with an encoding of their own. Encoding remembers
the bits of records it has seen, because a program repeats its address streams often.
Facts: docs/format/instructions.md.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cache
from operator import attrgetter
from typing import Any

from ..errors import InternalError, InvalidModelError
from ..fast_dataclass import dataclass
from ..lowering.program import Instruction
from .fields import layouts
from .layout import SEQUENCE, WORD_BITS, Layout
from .records import Field, Number, Record


@dataclass(frozen=True, slots=True)
class _Plan:
    """How one opcode is encoded.

    constant: the fixed bits. sequence_start: first bit of the sequence number or None.
    numbers, values: all integers, all other records' values, of an instruction.
    defaults: values whose bits are zero, so that an attribute left alone costs nothing.
    """

    layout: Layout
    constant: int
    sequence_start: int | None
    number_records: tuple[Number, ...]
    numbers: Callable[[Any], tuple[int, ...]]
    value_records: tuple[Record[Any], ...]
    values: Callable[[Any], tuple[Any, ...]]
    defaults: tuple[Any, ...]


_Slot = tuple[int, Callable[[Any], int], "dict[Any, int] | None", object]
"""First bit, encoding, bits of the values met so far, value whose bits are zero."""


def _getter(records: tuple[Record[Any], ...]) -> Callable[[Any], tuple[Any, ...]]:
    """Reads the records' attributes of an instruction, always as a tuple."""
    names = [record.name for record in records]
    if not names:
        return lambda _: ()
    getter = attrgetter(*names)
    return getter if len(names) > 1 else lambda instruction: (getter(instruction),)


def _plan(layout: Layout) -> _Plan:
    numbers = tuple(r for r in layout.records if isinstance(r, Number) and r.bound)
    values = tuple(r for r in layout.records if not isinstance(r, Number))
    sequence = layout.record(SEQUENCE)
    assert layout.instruction is not None
    defaults = {field.name: field.default for field in dataclasses.fields(layout.instruction)}
    return _Plan(
        layout,
        sum(r.fixed << r.start for r in layout.records if isinstance(r, Number)),
        None if sequence is None else sequence.start,
        numbers,
        _getter(numbers),
        values,
        _getter(values),
        tuple(defaults[r.name] for r in values),
    )


@cache
def _plans() -> dict[int, _Plan]:
    """By layout key, without the two framing words."""
    return {
        key: _plan(layout) for key, layout in layouts().items() if layout.instruction is not None
    }


@cache
def _fields_by_name(key: int) -> dict[str, Field]:
    return {field.name: field for field in layouts()[key].fields}


@cache
def _class_keys() -> dict[type[Instruction], tuple[str, dict[int, int]]]:
    """Class -> (attribute that selects the opcode or "", its value -> layout key)."""
    result: dict[type[Instruction], tuple[str, dict[int, int]]] = {}
    for key, plan in _plans().items():
        assert plan.layout.instruction is not None
        attribute, value = plan.layout.selector or ("", 0)
        result.setdefault(plan.layout.instruction, (attribute, {}))[1][value] = key
    return result


def layout_of(instruction: Instruction) -> Layout:
    """The bit table of an instruction."""
    return _plans()[_key(instruction)].layout


def _key(instruction: Instruction) -> int:
    try:
        attribute, keys = _class_keys()[type(instruction)]
        return keys[getattr(instruction, attribute) if attribute else 0]
    except KeyError:
        raise InternalError("no opcode for this instruction", actual=instruction) from None


class Encoder:
    """Encodes instructions; keeps the bits of records met so far. One for each program."""

    def __init__(self) -> None:
        self._states: dict[int, _State] = {}

    def encode(self, instruction: Instruction, sequence: int = 0) -> int:
        """The instruction's bits; `sequence` is taken modulo 2**16.

        `InternalError` for any value its field cannot hold.
        """
        return int.from_bytes(self.to_bytes(instruction, sequence), "little")

    def to_bytes(self, instruction: Instruction, sequence: int = 0) -> bytes:
        """The instruction as it stands in the bitstream; errors as `encode`."""
        key = _key(instruction)
        state = self._states.get(key)
        if state is None:
            state = self._states[key] = _State(_plans()[key])
        try:
            bits = state.encode(instruction)
        except (TypeError, AttributeError) as error:
            raise InternalError(
                "an attribute has a value of the wrong type", actual=error
            ) from error
        if state.sequence_start is not None:
            bits |= (sequence & 0xFFFF) << state.sequence_start
        if instruction.extra:
            bits = _with_extra(bits, key, instruction)
        return bits.to_bytes(state.size, "little")


class _State:
    """A plan and what has been encoded with it so far."""

    __slots__ = ("_numbers", "_plan", "_slots", "sequence_start", "size")

    def __init__(self, plan: _Plan) -> None:
        self._plan = plan
        self._numbers: dict[tuple[int, ...], int] = {}
        self._slots: tuple[_Slot, ...] = tuple(
            (record.start, record.encode, {} if record.cacheable else None, default)
            for record, default in zip(plan.value_records, plan.defaults, strict=True)
        )
        self.sequence_start = plan.sequence_start
        self.size = plan.layout.words * WORD_BITS // 8

    def encode(self, instruction: Instruction) -> int:
        """All bits but the sequence number and the extras."""
        plan = self._plan
        numbers = plan.numbers(instruction)
        bits = self._numbers.get(numbers)
        if bits is None:
            bits = plan.constant
            for record, value in zip(plan.number_records, numbers, strict=True):
                bits |= record.encode(value) << record.start
            self._numbers[numbers] = bits
        for value, (start, encode_value, known, default) in zip(
            plan.values(instruction), self._slots, strict=True
        ):
            if value is default:
                continue
            if known is None:
                bits |= encode_value(value) << start
                continue
            part = known.get(value)
            if part is None:
                part = known[value] = encode_value(value)
            bits |= part << start
        return bits


def _with_extra(bits: int, key: int, instruction: Instruction) -> int:
    """`bits` with the fields no attribute stands for."""
    fields = _fields_by_name(key)
    for name, value in instruction.extra:
        if name == SEQUENCE:
            continue  # the assembler numbers by it
        field = fields.get(name)
        if field is None or not 0 <= value < 1 << field.width:
            raise InternalError(f"no field can hold extra '{name}'", actual=value)
        part = value << field.start
        if bits & part:
            raise InternalError(f"extra '{name}' covers bits of an attribute", actual=value)
        bits |= part
    return bits


def encode(instruction: Instruction, sequence: int = 0) -> int:
    """The bits of one instruction; see `Encoder.encode`."""
    return Encoder().encode(instruction, sequence)


class Decoder:
    """Decodes instructions; keeps the values of records met so far."""

    def __init__(self) -> None:
        self._caches: dict[tuple[int, str], dict[int, tuple[Any, int]]] = {}

    def decode(self, key: int, bits: int) -> tuple[Instruction, int]:
        """(instruction, sequence number) of the bits of an instruction with that key.

        The sequence number is 0 for instructions of the scalar core.
        `encode(*decode(key, bits)) == bits` for all bits with that key.
        """
        plan = _plans()[key]
        known = plan.constant
        values: dict[str, Any] = {}
        for record in (*plan.number_records, *plan.value_records):
            part = bits >> record.start & ((1 << record.width) - 1)
            value, restored = self._decode(key, record, part)
            values[record.name] = value
            known |= restored << record.start
        sequence = 0
        if plan.sequence_start is not None:
            sequence = bits >> plan.sequence_start & 0xFFFF
            known |= sequence << plan.sequence_start
        if plan.layout.selector is not None:
            attribute, value = plan.layout.selector
            values[attribute] = value
        assert plan.layout.instruction is not None
        extra = _extra(plan.layout, bits ^ known) if bits != known else ()
        return plan.layout.instruction(extra, **values), sequence

    def _decode(self, key: int, record: Record[Any], part: int) -> tuple[object, int]:
        """The value of a record's bits, and the bits the value restores."""
        cached = self._caches.setdefault((key, record.name), {})
        result = cached.get(part)
        if result is None:
            value = record.decode(part)
            restored = record.encode(value)
            if restored & ~part:
                value, restored = record.decode(0), 0
            result = cached[part] = value, restored
        return result


def _extra(layout: Layout, rest: int) -> tuple[tuple[str, int], ...]:
    """The fields that are set in `rest`, as (name, value)."""
    found = []
    for field in layout.fields:
        value = rest >> field.start & ((1 << field.width) - 1)
        if value:
            found.append((field.name, value))
    return tuple(found)


def decode(data: bytes) -> tuple[Instruction, int]:
    """(instruction, sequence number) of the bytes of exactly one instruction."""
    bits = int.from_bytes(data, "little")
    key = bits >> 6 & 0x3F
    plan = _plans().get(key)
    if plan is None:
        raise InvalidModelError("unknown instruction", actual=f"opcode {key:#x}")
    if len(data) * 8 != plan.layout.words * WORD_BITS:
        raise InvalidModelError(
            f"instruction '{plan.layout.name}' has the wrong length",
            actual=f"{len(data)} bytes",
            allowed=plan.layout.words * WORD_BITS // 8,
        )
    return Decoder().decode(key, bits)
