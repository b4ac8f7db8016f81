"""The bit table of one opcode, and what all opcodes have in common.

Facts: docs/format/instructions.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..fast_dataclass import dataclass
from ..lowering import program as level
from .records import Field, Kind, Number, Record

WORD_BITS = 128
SEQUENCE = "sequence"
"""Name of the field with a tile instruction's number."""


@dataclass(frozen=True, slots=True)
class Layout:
    """One opcode: `key` is bits 6..11 of its first word (opcode, then the scalar bit).

    `instruction` is the typed class, None for the two framing words; `selector` the
    (attribute, value) that tells opcodes of one class apart.
    """

    key: int
    words: int
    name: str
    unit: str
    instruction: type[level.Instruction] | None
    selector: tuple[str, int] | None
    records: tuple[Record[Any], ...]

    @property
    def fields(self) -> tuple[Field, ...]:
        """Every field in bit order."""
        return tuple(field for record in self.records for field in record.fields())

    def record(self, name: str) -> Record[Any] | None:
        return next((record for record in self.records if record.name == name), None)


SCALAR = 0x20
"""The scalar bit (11) of a `Layout.key`."""
START_KEY = SCALAR | 0x1E
END_KEY = SCALAR | 0x1F


def layout(
    key: int,
    words: int,
    name: str,
    items: Iterable[Record[Any] | int],
    instruction: type[level.Instruction] | None = None,
    *,
    unit: str = "scalar core",
    selector: tuple[str, int] | None = None,
) -> Layout:
    """Places the records one after the other; an integer is the bit the next one starts
    at, bits in between are reserved."""
    records: list[Record[Any]] = []
    position = 0

    def reserve(until: int) -> int:
        assert until >= position, (name, until, position)
        if until > position:
            gap = free(f"reserved{position}", until - position, "zero", Kind.RESERVED)
            gap.start = position
            records.append(gap)
        return until

    for item in (*_head(instruction, key), *items, words * WORD_BITS):
        if isinstance(item, int):
            position = reserve(item)
        else:
            item.start = position
            records.append(item)
            position += item.width
    return Layout(key, words, name, unit, instruction, selector, tuple(records))


def free(name: str, width: int, meaning: str, kind: Kind = Kind.UNSIGNED) -> Number:
    """A field no attribute stands for."""
    return Number(name, width, meaning, kind, bound=False)


def fixed(name: str, width: int, value: int, meaning: str) -> Number:
    """A field with one value for the opcode."""
    return Number(name, width, meaning, Kind.FIXED, bound=False, fixed=value)


def _head(instruction: type[level.Instruction] | None, key: int) -> tuple[Record[Any], ...]:
    """Bits 0..11 of every instruction."""
    bound = instruction is level.ScalarOp
    prefix = "" if bound else "head."
    return (
        Number(f"{prefix}gate", 1, "run only if the predicate matches", bound=bound),
        Number(f"{prefix}predicate", 3, "predicate register", bound=bound),
        Number(f"{prefix}sense", 1, "value the predicate must have", bound=bound),
        free("head.reserved", 1, "zero", Kind.RESERVED),
        fixed("opcode", 5, key & 0x1F, "which instruction"),
        fixed("scalar", 1, key >> 5, "1: runs on the scalar core"),
    )


def tiles() -> Number:
    """Mask of the tiles that run an instruction."""
    return Number("tiles", 16, "tiles that run it; bit 4 * row + column")


def sequence() -> Number:
    """The number the assembler gives a tile instruction."""
    return free(SEQUENCE, 16, "number of the tile instruction", Kind.COUNTER)


def tile_head() -> tuple[Record[Any], ...]:
    """Bits 12..61 of a tile instruction."""
    return (
        tiles(),
        free("head.address_register", 5, "scalar register with the address"),
        free("head.tiles_register", 5, "scalar register with the tile mask"),
        free("head.tiles_from_register", 1, "take the tile mask from that register"),
        free("head.reserved39", 7, "zero", Kind.RESERVED),
        sequence(),
    )
