"""docs/format/instructions.md: the instruction set, from `compiler/beagle/fields.py`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..beagle.bitstream import MAX_BODY_WORDS
from ..beagle.fields import layouts
from ..beagle.layout import END_KEY, SCALAR, START_KEY, Layout
from ..beagle.records import (
    Float,
    Floats,
    Kind,
    Loops,
    LoopTail,
    Number,
    Optional,
    Record,
    Signal,
)
from ..beagle.stream_records import Stream, WaitSlot, WaitSlots
from ..lowering.lookup_tables import lookup_tables
from ..lowering.program import Flag, ScalarFlag

_INTRODUCTION = f"""\
# Instructions

This page is generated from `compiler/beagle/fields.py` by
`python -m compiler.tools.generate_docs`; edit the code, not the page.

## Words

A program is a sequence of 128-bit words, least significant byte first. An instruction
takes 1 to 17 words; bit *n* of an instruction is bit *n* modulo 128 of its word *n* / 128.
`[a:b)` means the bits a, a + 1, .. b - 1. The length follows from bits [6:12) alone: the
opcode in [6:11), and bit 11, which is 1 for the scalar core's instructions.

Bits [0:12) are the same everywhere: [0] gate (the instruction runs only if predicate
register [1:4) equals [4]), [5] zero, the opcode, and the scalar bit. A tile instruction then
has the mask of the tiles that run it in [12:28) (bit 4 * row + column) and its sequence
number in [46:62) (in [28:44) for the tile fence). Between the two, [28:33) and [33:38) can
name scalar registers: with [38] set the tile mask comes from the second one, and
narrow_to_wide can take its source address from the first. Only recurrent layers use that.
Bits that no table below lists are zero in every program known, but for those few that
[extra fields](#extra-fields) tells of.

## Chunks

A program is sent to the chip in chunks. A chunk is a *start* word with the length of its
body in bits, the body of at most {MAX_BODY_WORDS} words, and an *end* word. A program that
does not fit is cut between two instructions.

## Sequence numbers

Tile instructions are numbered 0, 1, 2, .. modulo 65536 through the whole program; chunks do
not restart the count. Programs that load cached parameters number in a space of their own:
the top bit is set, so they start at 0x8000. Early releases leave it clear.
"""

_BLOCKS = """\
## Building blocks

### Address streams

`stream(W, N)` describes the addresses a unit visits: a base and N nested loops, loop 0
innermost. Addresses have W - 1 bits.

| field | bits | meaning |
|---|---|---|
| base | W - 1 | first address |
| delta k, limit k | W, W - 1 | for k = 0 .. N - 1: step (two's complement), trip count minus one |
| enabled | N | mask of the loop levels in use |
| double level, offset | c, W - 1 | blocks of that level alternate between base and base + offset |
| reserved | 1 | zero |
| tail limit, level, adjust | W - 1, c, W - 1 | see below |

c is 2 for up to 4 levels and 3 for more. A delta is what is added when loop k advances and
all loops inside it go back to their start; with true strides S and trip counts n,

    delta_k = S_k - sum over j < k of (n_j - 1) * S_j

An unused level has limit 0 and the delta of stride 0, that is minus the way walked by the
levels below. A stream with all bits zero is absent: that side of the unit does nothing.

Double buffering: block b of level *double level* starts at base + offset * (b modulo 2).
Every instruction starts with the first buffer again.

Tail: in the last iteration of loop *tail level* an inner loop (the innermost one, where
both fit) runs *tail limit* + 1 times instead of its own trip count, and *adjust* corrects the
address by what is missing: (limit - tail limit) * stride.

### Signals

`signal(c)` is a switch and a loop level of c bits: each time a block of that level is
complete, the unit's own counter grows by one. Some have one more bit of unknown meaning.

### Waits

`wait(c)` makes the unit wait before block i (0, 1, ..) of a loop level until

    counter >= threshold + i * increment        (16 bits, signed difference)

| field | bits | meaning |
|---|---|---|
| flag | 5; scalar core: 4 | the counter, see below |
| level | c | loop level of the blocks |
| threshold | 16 | two's complement |
| increment | 16 | two's complement |
| on | 1 | enable |
| space | 1 | where present: the wait guards the write stream, not the read stream |

See [synchronisation](synchronisation.md) for the counters and who signals them.

### Extra fields

The disassembler keeps a non-zero bit that no attribute stands for as an extra pair of field
name and value (`extra=((signal_sent.unknown, 1))`), so nothing is lost. In known programs
these are: the unknown bit of the mesh moves' signals (early releases) and the register fields
of the head ([LSTM](lstm.md)). Parts of a building block are named with a dot, for example
`wide.delta0`, `waits2.threshold`, `signal.level`.
"""

_REGISTERS = """\
## Scalar operations

`operation`: 1 add, 2 subtract, 3 and, 4 or, 5 exclusive or, 6 shift left, 7 shift right,
9 equal, 10 not equal, 12 less, 13 not less (both signed), 15 move, 16 integer to float,
17 float to integer, 18 .. 22 float add, subtract, multiply, maximum, minimum; + 32 takes
`immediate` as a number (else its low 5 bits name a register). Comparisons write a predicate. A
register loaded with post-increment changes two instructions later.

A host descriptor is four fields (`command` 10, `command_slot` 0 .. 3: address low, address
high, size, tag) and `command` 12, which sends it. Tags: 1 input, 2 parameters, 3 output,
4 interrupt.
"""


def page() -> str:
    """The whole page."""
    rows = layouts().values()
    parts = [
        _INTRODUCTION,
        _opcodes(rows),
        _BLOCKS,
        _counters(),
        "## Tile instructions\n",
        *(_instruction(group) for group in _groups(rows, scalar=False)),
        _lookup_tables(),
        "## Scalar core instructions\n",
        *(_instruction(group) for group in _groups(rows, scalar=True)),
        _REGISTERS,
    ]
    return "\n".join(parts)


def _opcodes(rows: Iterable[Layout]) -> str:
    lines = ["## Opcodes\n", "| opcode | name | words | unit |", "|---|---|---|---|"]
    for row in rows:
        core = "s" if row.key & SCALAR else "t"
        lines.append(f"| {core} {row.key & 0x1F:#04x} | {row.name} | {row.words} | {row.unit} |")
    lines.append("\nt: tile instruction, s: instruction of the scalar core.\n")
    return "\n".join(lines)


def _counters() -> str:
    lines = ["### Counters\n", "| number | of a tile | of the scalar core |", "|---|---|---|"]
    scalar = {flag.value: f"`{flag.name}`" for flag in ScalarFlag}
    lines += [f"| {flag.value} | `{flag.name}` | {scalar.get(flag.value, '')} |" for flag in Flag]
    return "\n".join(lines) + "\n"


def _groups(rows: Iterable[Layout], *, scalar: bool) -> list[list[Layout]]:
    """Opcodes of one class share one table."""
    groups: dict[object, list[Layout]] = {}
    for row in rows:
        if bool(row.key & SCALAR) == scalar:
            framing = row.key in (START_KEY, END_KEY)
            groups.setdefault("frame" if framing else row.instruction, []).append(row)
    return list(groups.values())


def _instruction(group: list[Layout]) -> str:
    first = group[0]
    names = ", ".join(f"{row.name} ({row.key & 0x1F:#04x})" for row in group)
    words = "word" if first.words == 1 else "words"
    lines = [f"### {names}: {first.words} {words}\n", "| bits | field | kind | meaning |"]
    lines.append("|---|---|---|---|")
    lines += [_row(record) for record in first.records if record.start >= 12 and _shown(record)]
    return "\n".join(lines) + "\n"


def _shown(record: Record[Any]) -> bool:
    if isinstance(record, Number) and record.kind is Kind.RESERVED:
        return False
    return not record.name.startswith("head.")


def _row(record: Record[Any]) -> str:
    bits = f"[{record.start}:{record.start + record.width})"
    return f"| {bits} | {record.name} | {_kind(record)} | {record.meaning} |"


def _kind(record: Record[Any]) -> str:
    simple = {Float: "float32", LoopTail: "loop tail", Optional: "switch, 32 bits"}
    if type(record) in simple:
        return simple[type(record)]
    if isinstance(record, Number):
        return record.kind.value
    if isinstance(record, Stream):
        return f"stream({record.address_width}, {record.levels})"
    if isinstance(record, Signal):
        return f"signal({record.level_width})"
    return _list_kind(record)


def _list_kind(record: Record[Any]) -> str:
    if isinstance(record, WaitSlots):
        return f"{record.count} x wait({record.slot.level_width}), {record.slot.width} bits each"
    if isinstance(record, WaitSlot):
        return f"wait({record.level_width})"
    if isinstance(record, Loops):
        return f"{record.count} x {record.count_width} bits, trip count minus one"
    assert isinstance(record, Floats)
    return f"{record.count} x float32"


def _lookup_tables() -> str:
    lines = [
        "### Lookup tables\n",
        "`load_lookup` holds 8 segments x 5 coefficients (constant term first) and 7 ascending",
        "breakpoints; the segment of x is the number of breakpoints <= x, and the result is the",
        "polynomial of degree 4 at x itself. There are six tables; they are constants of the",
        "chip's function library (`compiler/lowering/lookup_tables.py`). Scales and zero points",
        "never enter them. The tanh tables hold x >= 0; the sign of x is restored.\n",
        "| name | approximates | for x in | largest error |",
        "|---|---|---|---|",
    ]
    for table in lookup_tables().values():
        interval = f"[{table.low:g}, {table.high:g}]"
        lines.append(f"| {table.name} | {table.formula} | {interval} | {table.error:g} |")
    return "\n".join(lines) + "\n"
