"""Bitstreams: the framing of a chunk and its cut into instructions.

A chunk is a start word that holds the body's length in bits, the body, and an end word.
Instructions are 1 to 17 words of 128 bits, least significant byte first; their length
follows from bits 6..11 alone. Facts: docs/format/instructions.md, "Chunks".
"""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import InvalidModelError
from .fields import layouts
from .layout import END_KEY, START_KEY, WORD_BITS

WORD_BYTES = WORD_BITS // 8
MAX_BODY_WORDS = 16384
"""Words of a chunk between its start and end words."""
_KEY_SHIFT, _KEY_MASK = 6, 0x3F
_LENGTH_SHIFT = 19


def _frame_word(key: int, bits: int) -> bytes:
    return (key << _KEY_SHIFT | bits << _LENGTH_SHIFT).to_bytes(WORD_BYTES, "little")


def frame(body: bytes) -> bytes:
    """The chunk with this body (a whole number of words)."""
    return b"".join((_frame_word(START_KEY, 8 * len(body)), body, _frame_word(END_KEY, WORD_BITS)))


def unframe(chunk: bytes) -> bytes:
    """The body of a chunk; `InvalidModelError` when its frame is not as it must be."""
    if len(chunk) % WORD_BYTES or len(chunk) < 2 * WORD_BYTES:
        raise InvalidModelError(
            "instruction bitstream has an odd length",
            actual=f"{len(chunk)} bytes",
            allowed=f"a multiple of {WORD_BYTES}, at least {2 * WORD_BYTES}",
        )
    body = chunk[WORD_BYTES:-WORD_BYTES]
    for part, key, bits, found in (
        ("start", START_KEY, 8 * len(body), chunk[:WORD_BYTES]),
        ("end", END_KEY, WORD_BITS, chunk[-WORD_BYTES:]),
    ):
        wanted = _frame_word(key, bits)
        if found != wanted:
            raise InvalidModelError(
                f"instruction bitstream has no valid {part} word",
                actual=_hexadecimal(found),
                allowed=_hexadecimal(wanted),
            )
    return body


def split(body: bytes) -> Iterator[tuple[int, int, int]]:
    """(word offset, layout key, the instruction's bits) of every instruction of a body."""
    table = layouts()
    position, end = 0, len(body)
    while position < end:
        key = int.from_bytes(body[position : position + 2], "little") >> _KEY_SHIFT & _KEY_MASK
        layout = table.get(key)
        word = position // WORD_BYTES
        if layout is None or layout.instruction is None:
            raise InvalidModelError(
                f"unknown instruction at word {word}",
                actual=_hexadecimal(body[position : position + WORD_BYTES]),
            )
        after = position + layout.words * WORD_BYTES
        if after > end:
            raise InvalidModelError(
                f"instruction '{layout.name}' at word {word} is cut off",
                actual=f"{(end - position) // WORD_BYTES} words",
                allowed=layout.words,
            )
        yield word, key, int.from_bytes(body[position:after], "little")
        position = after


def _hexadecimal(word: bytes) -> str:
    return f"{int.from_bytes(word, 'little'):#x}"
