"""Bitstreams as text, and back: `--dump-ir=bitstream` and `edgetpu_objdump`.

One instruction a line: word (hexadecimal), sequence number of tile instructions, and the
instruction as the Program level prints it. Lines that start with ';' are comments, but
`; caching` and `; chunk` at the start of a line carry the program's kind and its cuts.
`assemble(parse(listing(program)))` gives the same bytes as `assemble(program)`.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import operator
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from ..errors import InvalidModelError
from ..lowering import program as level
from ..lowering.program import Instruction, Nest, Program, Tail, TileInstruction, Wait
from .assembler import CACHING_SEQUENCE, positions
from .layout import SEQUENCE

_CACHING, _CHUNK = "; caching", "; chunk"
_LINE = re.compile(r"\s*[0-9a-f]+:\s+(?:\d+|-)\s+(?P<text>\S.*)")
_NUMBER = r"-?\d+"
_NEST = re.compile(
    rf"\[(?P<base>{_NUMBER}):(?P<levels>(?: \d+x{_NUMBER})*) +on=(?P<on>[0-9a-f]+)"
    rf"(?: double=(?P<double_level>\d+)\+(?P<double_offset>{_NUMBER}))?"
    rf"(?: tail=(?P<count>\d+)@(?P<level>\d+)(?P<adjust>[+-]\d+))?\]"
)
_WAIT = re.compile(
    rf"(?P<flag>[A-Z_]+)@(?P<level>\d+)(?P<sign>space|>=)(?P<threshold>{_NUMBER})"
    rf"\+(?P<increment>{_NUMBER})i"
)


def listing(program: Program) -> str:
    """The program's listing."""
    return "\n".join(lines(program)) + "\n"


def lines(program: Program) -> Iterator[str]:
    """The lines of the program's listing."""
    if program.caching:
        yield _CACHING
    sequence = CACHING_SEQUENCE if program.caching else 0
    current = -1
    starts = {0, *program.chunk_starts}
    for index, ((chunk, word), instruction) in enumerate(
        zip(positions(program), program.instructions, strict=True)
    ):
        if index in starts:
            current += 1
            yield f"{_CHUNK} {chunk}"
        number = "-"
        if isinstance(instruction, TileInstruction):
            sequence = dict(instruction.extra).get(SEQUENCE, sequence)
            number = str(sequence & 0xFFFF)
            sequence += 1
        yield f"{word:5x}: {number:>5} {instruction.text()}"


def parse(text: str) -> Program:
    """The program of a listing; `InvalidModelError` names the line that is none."""
    instructions: list[Instruction] = []
    starts: list[int] = []
    caching = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith(_CACHING):
            caching = True
        elif line.startswith(_CHUNK):
            starts.append(len(instructions))
        if not line.strip() or line.startswith(";"):
            continue
        try:
            instructions.append(_parse_line(line))
        except (ValueError, KeyError, TypeError) as error:
            raise InvalidModelError(
                f"line {number} of the listing is not an instruction", actual=line.strip()
            ) from error
    return Program(tuple(instructions), caching, tuple(starts[1:]))


@cache
def _classes() -> dict[str, type[Instruction]]:
    found = vars(level).values()
    return {c.__name__: c for c in found if isinstance(c, type) and issubclass(c, Instruction)}


@cache
def _names() -> dict[str, enum.IntEnum]:
    """Every name an enumeration value prints as."""
    enums = (level.Flag, level.ScalarFlag)
    return {member.name: member for group in enums for member in group}


@cache
def _enum_attributes() -> dict[tuple[str, str], type[enum.IntEnum] | type[enum.IntFlag]]:
    """(class, attribute) of the values that print as names; masks may also be numbers."""
    return {
        ("TensorOp", "kind"): level.TensorKind,
        ("TensorOp", "mode"): level.Mode,
        ("TileFence", "units"): level.Unit,
        ("RingConsume", "ring"): level.Ring,
        ("MeshMove", "direction"): level.Direction,
    }


def _parse_line(line: str) -> Instruction:
    match = _LINE.fullmatch(line)
    if match is None:
        raise ValueError(line)
    name, *attributes = _words(match["text"].strip())
    cls = _classes()[name]
    values: dict[str, Any] = {}
    known = {field.name for field in dataclasses.fields(cls)}
    for attribute in attributes:
        key, _, value = attribute.partition("=")
        if key not in known or key in values:
            raise ValueError(key)
        values[key] = _parse_extra(value) if key == "extra" else _parse_value(cls, key, value)
    return cls(**values)


def _words(text: str, separator: str = " ") -> list[str]:
    """Splits at separators outside brackets."""
    words, depth, start = [], 0, 0
    for index, character in enumerate(text):
        depth += (character in "([") - (character in ")]")
        if character == separator and not depth:
            words.append(text[start:index])
            start = index + 1
    return [word.strip() for word in (*words, text[start:]) if word.strip()]


def _parse_value(cls: type[Instruction], key: str, text: str) -> object:
    names = _enum_attributes().get((cls.__name__, key))
    if names is not None and not text[:1].isdigit():
        members = [names[name] for name in text.split("|")]
        return functools.reduce(operator.or_, members)
    if text.startswith("("):
        if not text.endswith(")"):
            raise ValueError(text)
        return tuple(_parse_value(cls, "", part) for part in _words(text[1:-1], ","))
    if text.startswith("["):
        return _parse_nest(text)
    if "@" in text:
        return _parse_wait(text)
    return None if text == "None" else _parse_number(text)


def _parse_number(text: str) -> int | float:
    try:
        return int(text, 0)
    except ValueError:
        return float(text)


def _parse_extra(text: str) -> tuple[tuple[str, int], ...]:
    pairs = [_words(pair.strip("()"), ",") for pair in _words(text[1:-1], ",")]
    return tuple((name, int(value)) for name, value in pairs)


def _parse_nest(text: str) -> Nest:
    match = _NEST.fullmatch(text)
    if match is None:
        raise ValueError(text)
    pairs = (pair.split("x") for pair in match["levels"].split())
    tail = None
    if match["count"]:
        tail = Tail(int(match["count"]), int(match["level"]), int(match["adjust"]))
    return Nest(
        int(match["base"]),
        tuple((int(count), int(stride)) for count, stride in pairs),
        int(match["on"], 16),
        int(match["double_level"] or 0),
        int(match["double_offset"] or 0),
        tail,
    )


def _parse_wait(text: str) -> Wait:
    match = _WAIT.fullmatch(text)
    if match is None:
        raise ValueError(text)
    flag = _names()[match["flag"]]
    assert isinstance(flag, level.Flag | level.ScalarFlag)
    return Wait(
        flag,
        int(match["level"]),
        int(match["threshold"]),
        int(match["increment"]),
        match["sign"] == "space",
    )
